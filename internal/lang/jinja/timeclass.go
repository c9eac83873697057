package jinja

import (
	"time"
)

// timeClasses adds the classes of the module datetime.
func timeClasses(out map[*Type]*Class) {
	self := func(c *Call) *DateTime { return c.Self.(*DateTime) }
	at := func(v Value) time.Time { return v.(*DateTime).wall }
	method := func(signature string, f func(c *Call, d *DateTime) Value) *Func {
		return builtin(signature, func(c *Call) Value { return f(c, self(c)) })
	}
	common := map[string]*Func{
		"strftime": method("~datetime.strftime(format)", func(c *Call, d *DateTime) Value {
			f, ok := asStr(c.Args[0])
			if !ok {
				panic(typeError("strftime() argument 1 must be str, not %s", c.Args[0].Type().shown()))
			}
			return Str(d.strftime(c.m, f))
		}),
	}
	date := map[string]*Func{
		"isoformat": method("!date.isoformat()", func(c *Call, d *DateTime) Value { return Str(d.isoformat("T", "auto")) }),
		"weekday":   method("!date.weekday()", func(c *Call, d *DateTime) Value { return Int(isoWeekday(d.wall) - 1) }),
		"isoweekday": method("!date.isoweekday()", func(c *Call, d *DateTime) Value {
			return Int(isoWeekday(d.wall))
		}),
		"isocalendar": method("!date.isocalendar()", func(c *Call, d *DateTime) Value {
			y, w := d.wall.ISOWeek()
			return &Tuple{Class: typeIsoDate, Names: []string{"year", "week", "weekday"}, Items: []Value{Int(y), Int(w), Int(isoWeekday(d.wall))}}
		}),
		"toordinal": method("!date.toordinal()", func(c *Call, d *DateTime) Value { return Int(ordinal(d.wall)) }),
		"ctime":     method("!date.ctime()", func(c *Call, d *DateTime) Value { return Str(d.strftime(c.m, "%a %b %e %H:%M:%S %Y")) }),
		"timetuple": method("!date.timetuple()", func(c *Call, d *DateTime) Value { return d.timetuple(-1) }),
		"replace": method("~date.replace(year?, month?, day?)", func(c *Call, d *DateTime) Value {
			f := c.fields(0, int64(d.wall.Year()), int64(d.wall.Month()), int64(d.wall.Day()))
			dateFields(f[0], f[1], f[2])
			return &DateTime{wall: makeTime(f[0], f[1], f[2], 0, 0, 0, 0), class: d.class}
		}),
		"strftime": common["strftime"],
	}
	dateProps := map[string]func(Value) Value{
		"year":  func(v Value) Value { return Int(at(v).Year()) },
		"month": func(v Value) Value { return Int(at(v).Month()) },
		"day":   func(v Value) Value { return Int(at(v).Day()) },
	}
	clockProps := map[string]func(Value) Value{
		"hour":        func(v Value) Value { return Int(at(v).Hour()) },
		"minute":      func(v Value) Value { return Int(at(v).Minute()) },
		"second":      func(v Value) Value { return Int(at(v).Second()) },
		"microsecond": func(v Value) Value { return Int(v.(*DateTime).micro()) },
		"fold":        func(v Value) Value { return Int(v.(*DateTime).fold) },
		"tzinfo": func(v Value) Value {
			if z := v.(*DateTime).tz; z != nil {
				return z
			}
			return None
		},
	}
	aware := func(class string) map[string]*Func {
		return map[string]*Func{
			"strftime": common["strftime"],
			"utcoffset": method("!"+class+".utcoffset()", func(c *Call, d *DateTime) Value {
				if off, ok := d.utcoffset(); ok {
					return deltaOf(off)
				}
				return None
			}),
			"tzname": method("!"+class+".tzname()", func(c *Call, d *DateTime) Value {
				if name := d.tzname(); name != "" {
					return Str(name)
				}
				return None
			}),
			"dst": method("!"+class+".dst()", func(c *Call, d *DateTime) Value {
				if d.tz == nil || d.tz.class == TypeTimezone {
					return None
				}
				if _, _, summer := d.tz.offset(d.wall, d.fold); summer {
					return deltaOf(time.Hour)
				}
				return deltaOf(0)
			}),
		}
	}

	datetime := aware("datetime")
	for name, f := range map[string]*Func{
		"isoformat": method("~datetime.isoformat(sep?, timespec?)", func(c *Call, d *DateTime) Value {
			sep, spec := "T", "auto"
			if c.Has(0) {
				var ok bool
				if sep, ok = asStr(c.Args[0]); !ok {
					panic(typeError("isoformat() argument 1 must be a unicode character, not %s", c.Args[0].Type().shown()))
				}
				if runeLen(sep) != 1 {
					panic(typeError("isoformat() argument 1 must be a unicode character, not str"))
				}
			}
			if c.Has(1) {
				spec = c.strArg(1, "isoformat() argument 2")
			}
			return Str(d.isoformat(sep, spec))
		}),
		"date":   method("!datetime.date()", func(c *Call, d *DateTime) Value { return d.dateOf() }),
		"time":   method("!datetime.time()", func(c *Call, d *DateTime) Value { return d.timeOf(nil) }),
		"timetz": method("!datetime.timetz()", func(c *Call, d *DateTime) Value { return d.timeOf(d.tz) }),
		"timestamp": method("!datetime.timestamp()", func(c *Call, d *DateTime) Value {
			return Float(d.timestamp())
		}),
		"utctimetuple": method("!datetime.utctimetuple()", func(c *Call, d *DateTime) Value {
			return (&DateTime{wall: d.UTC(), class: TypeDateTime}).timetuple(0)
		}),
		"timetuple": method("!datetime.timetuple()", func(c *Call, d *DateTime) Value {
			dst := -1
			if d.tz != nil && d.tz.class != TypeTimezone {
				dst = 0
				if _, _, summer := d.tz.offset(d.wall, d.fold); summer {
					dst = 1
				}
			}
			return d.timetuple(dst)
		}),
		"replace": method("~datetime.replace(year?, month?, day?, hour?, minute?, second?, microsecond?, tzinfo?, *, fold?)", func(c *Call, d *DateTime) Value {
			return d.replace(c)
		}),
		"astimezone": method("~datetime.astimezone(tz?)", func(c *Call, d *DateTime) Value {
			z := c.zone(0)
			if z == nil {
				z = UTCZone
			}
			return fromInstant(d.UTC(), z, d.class)
		}),
	} {
		datetime[name] = f
	}
	moment := func(c *Call, i int, t time.Time) Value {
		if z := c.zone(i); z != nil {
			return fromInstant(t, z, c.class(TypeDateTime))
		}
		return NewDateTime(t, nil, c.class(TypeDateTime))
	}
	out[TypeDate] = &Class{
		Methods: date, Props: dateProps,
		New: builtin("~function(year, month, day)", func(c *Call) Value {
			f := c.fields(0, 0, 0, 0)
			dateFields(f[0], f[1], f[2])
			return &DateTime{wall: makeTime(f[0], f[1], f[2], 0, 0, 0, 0), class: TypeDate}
		}),
		Static: map[string]Value{
			"today": builtin("!date.today()", func(c *Call) Value { return NewDateTime(now().UTC(), nil, TypeDateTime).dateOf() }),
			"fromisoformat": builtin("!date.fromisoformat(s)", func(c *Call) Value {
				s, ok := asStr(c.Args[0])
				if !ok {
					panic(typeError("fromisoformat: argument must be str"))
				}
				return fromISO(s, TypeDate)
			}),
			"fromordinal": builtin("!date.fromordinal(n)", func(c *Call) Value {
				return &DateTime{wall: fromOrdinal(int64(c.intArg(0, 0))), class: TypeDate}
			}),
		},
	}
	limit := func(y, mo, d, h, mi, s, us int64) Value {
		return &DateTime{wall: makeTime(y, mo, d, h, mi, s, us), class: TypeDateTime}
	}
	props := map[string]func(Value) Value{}
	for n, f := range clockProps {
		props[n] = f
	}
	out[TypeDateTime] = &Class{
		Methods: datetime, Props: props,
		New: builtin("~function(year, month, day, hour?, minute?, second?, microsecond?, tzinfo?, *, fold?)", newDateTime),
		Static: map[string]Value{
			"min":        limit(1, 1, 1, 0, 0, 0, 0),
			"max":        limit(9999, 12, 31, 23, 59, 59, 999999),
			"resolution": NewDelta(0, 1),
			"now":        builtin("~datetime.now(tz?)", func(c *Call) Value { return moment(c, 0, now().UTC()) }),
			"today":      builtin("!datetime.today()", func(c *Call) Value { return NewDateTime(now().UTC(), nil, TypeDateTime) }),
			"utcnow":     builtin("!datetime.utcnow()", func(c *Call) Value { return NewDateTime(now().UTC(), nil, TypeDateTime) }),
			"fromtimestamp": builtin("~datetime.fromtimestamp(timestamp, tz?)", func(c *Call) Value {
				return moment(c, 1, c.m.fromTimestamp(c.Args[0]))
			}),
			"utcfromtimestamp": builtin("!datetime.utcfromtimestamp(timestamp)", func(c *Call) Value {
				return NewDateTime(c.m.fromTimestamp(c.Args[0]), nil, TypeDateTime)
			}),
			"fromordinal": builtin("!datetime.fromordinal(n)", func(c *Call) Value {
				return NewDateTime(fromOrdinal(int64(c.intArg(0, 0))), nil, TypeDateTime)
			}),
			"fromisocalendar": builtin("~datetime.fromisocalendar(year, week, day)", func(c *Call) Value {
				f := c.fields(0, 0, 0, 0)
				return NewDateTime(fromISOWeek(f[0], f[1], f[2]), nil, TypeDateTime)
			}),
			"fromisoformat": builtin("!datetime.fromisoformat(s)", func(c *Call) Value {
				s, ok := asStr(c.Args[0])
				if !ok {
					panic(typeError("fromisoformat: argument must be str"))
				}
				return fromISO(s, TypeDateTime)
			}),
			"strptime": builtin("^datetime.strptime(date_string, format)", func(c *Call) Value {
				for i, v := range c.Args {
					if _, ok := asStr(v); !ok {
						panic(typeError("strptime() argument %d must be str, not %s", i+1, v.Type().shown()))
					}
				}
				s, _ := asStr(c.Args[0])
				f, _ := asStr(c.Args[1])
				t, z := c.m.strptime(s, f)
				return NewDateTime(t, z, TypeDateTime)
			}),
			"combine": builtin("~datetime.combine(date, time, tzinfo?)", func(c *Call) Value {
				d, ok := c.Args[0].(*DateTime)
				if !ok || d.isTime() {
					panic(typeError("combine() argument 1 must be datetime.date, not %s", c.Args[0].Type().shown()))
				}
				t, ok := c.Args[1].(*DateTime)
				if !ok || !t.isTime() {
					panic(typeError("combine() argument 2 must be datetime.time, not %s", c.Args[1].Type().shown()))
				}
				z := t.tz
				if c.Has(2) {
					z = c.zone(2)
				}
				w := t.wall
				day := d.wall.Truncate(24 * time.Hour)
				return &DateTime{wall: day.Add(time.Duration(w.Hour())*time.Hour + time.Duration(w.Minute())*time.Minute + time.Duration(w.Second())*time.Second + time.Duration(w.Nanosecond())), tz: z, class: TypeDateTime}
			}),
		},
	}
	clock := aware("time")
	clock["isoformat"] = method("~time.isoformat(timespec?)", func(c *Call, d *DateTime) Value {
		spec := "auto"
		if c.Has(0) {
			spec = c.strArg(0, "isoformat() argument 1")
		}
		return Str(d.isoformat("", spec))
	})
	clock["replace"] = method("~time.replace(hour?, minute?, second?, microsecond?, tzinfo?, *, fold?)", func(c *Call, d *DateTime) Value {
		w := d.wall
		f := c.fields(0, int64(w.Hour()), int64(w.Minute()), int64(w.Second()), int64(d.micro()))
		timeFields(f[0], f[1], f[2], f[3])
		out := &DateTime{wall: makeTime(1900, 1, 1, f[0], f[1], f[2], f[3]), tz: d.tz, fold: d.fold, class: TypeTime}
		if c.Has(4) {
			out.tz = c.zone(4)
		}
		return out
	})
	out[TypeTime] = &Class{
		Methods: clock, Props: clockProps,
		New: builtin("~function(hour?, minute?, second?, microsecond?, tzinfo?, *, fold?)", func(c *Call) Value {
			f := c.fields(0, 0, 0, 0, 0)
			timeFields(f[0], f[1], f[2], f[3])
			return &DateTime{wall: makeTime(1900, 1, 1, f[0], f[1], f[2], f[3]), tz: c.zone(4), fold: c.foldArg(5), class: TypeTime}
		}),
		Static: map[string]Value{
			"fromisoformat": builtin("!time.fromisoformat(s)", func(c *Call) Value {
				s, ok := asStr(c.Args[0])
				if !ok {
					panic(typeError("fromisoformat: argument must be str"))
				}
				return fromISO(s, TypeTime)
			}),
		},
	}
	delta := func(v Value) *Delta { return v.(*Delta) }
	out[TypeDelta] = &Class{
		Methods: map[string]*Func{
			"total_seconds": builtin("!datetime.timedelta.total_seconds()", func(c *Call) Value { return Float(delta(c.Self).seconds()) }),
		},
		Props: map[string]func(Value) Value{
			"days":         func(v Value) Value { return Int(delta(v).days) },
			"seconds":      func(v Value) Value { return Int(delta(v).us / 1_000_000) },
			"microseconds": func(v Value) Value { return Int(delta(v).us % 1_000_000) },
		},
		New: builtin("~__new__(days?, seconds?, microseconds?, milliseconds?, minutes?, hours?, weeks?)", newDelta),
		Static: map[string]Value{
			"min":        &Delta{days: -maxDays},
			"max":        &Delta{days: maxDays, us: dayMicros - 1},
			"resolution": NewDelta(0, 1),
		},
	}
	out[TypeTimezone] = &Class{
		Methods: map[string]*Func{
			"utcoffset": builtin("!timezone.utcoffset(dt)", func(c *Call) Value { return deltaOf(c.Self.(*TZ).zoneAt(c.Args[0])) }),
			"tzname": builtin("!timezone.tzname(dt)", func(c *Call) Value {
				z := c.Self.(*TZ)
				w, fold := time.Time{}, 0
				if d, ok := c.Args[0].(*DateTime); ok {
					w, fold = d.wall, d.fold
				}
				_, name, _ := z.offset(w, fold)
				return Str(name)
			}),
			"dst": builtin("!timezone.dst(dt)", func(c *Call) Value { return None }),
		},
		Static: map[string]Value{"utc": UTCZone},
		New: builtin("~timezone(offset, name?)", func(c *Call) Value {
			d, ok := c.Args[0].(*Delta)
			if !ok {
				panic(typeError("timezone() argument 1 must be datetime.timedelta, not %s", c.Args[0].Type().shown()))
			}
			name := ""
			if c.Has(1) {
				name = c.strArg(1, "timezone() argument 2")
			}
			if d.days > 1 || d.days < -2 {
				panic(valueError("offset must be a timedelta strictly between -timedelta(hours=24) and timedelta(hours=24), not %s.", d.repr()))
			}
			return zoneOf(time.Duration(d.days)*24*time.Hour+time.Duration(d.us)*time.Microsecond, name)
		}),
	}
}

func (z *TZ) zoneAt(v Value) time.Duration {
	w, fold := time.Time{}, 0
	if d, ok := v.(*DateTime); ok {
		w, fold = d.wall, d.fold
	}
	off, _, _ := z.offset(w, fold)
	return off
}
