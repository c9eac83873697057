package airflow

import (
	"math/rand/v2"
	"time"

	"fairlead/internal/lang/jinja"
)

var typeMacros = &jinja.Type{Name: "MacrosAccessor", Module: "airflow.sdk.execution_time.context"}

// dateFilters are the filters that Airflow adds to Jinja's: each formats a
// date, and leaves None alone.
func dateFilters() map[string]*jinja.Func {
	format := func(name, layout string) *jinja.Func {
		return jinja.NewFunc(name+"_filter(value)", func(c *jinja.Call) (jinja.Value, error) {
			if c.Args[0] == jinja.None {
				return jinja.None, nil
			}
			return c.Method(c.Args[0], "strftime", jinja.Str(layout)), nil
		})
	}
	iso := func(name string, dashes bool) *jinja.Func {
		return jinja.NewFunc(name+"_filter(value)", func(c *jinja.Call) (jinja.Value, error) {
			if c.Args[0] == jinja.None {
				return jinja.None, nil
			}
			text := c.Method(c.Args[0], "isoformat")
			if !dashes {
				for _, mark := range []jinja.Value{jinja.Str("-"), jinja.Str(":")} {
					text = c.Method(text, "replace", mark, jinja.Str(""))
				}
			}
			return text, nil
		})
	}
	return map[string]*jinja.Func{
		"ds":                format("ds", "%Y-%m-%d"),
		"ds_nodash":         format("ds_nodash", "%Y%m%d"),
		"ts":                iso("ts", true),
		"ts_nodash":         format("ts_nodash", "%Y%m%dT%H%M%S"),
		"ts_nodash_with_tz": iso("ts_nodash_with_tz", false),
	}
}

// macros is the object of that name: what the service documents.
func macros() *jinja.Module {
	return &jinja.Module{Name: "macros", Class: typeMacros, Attrs: map[string]jinja.Value{
		"datetime":  jinja.TypeDateTime,
		"timedelta": jinja.TypeDelta,
		"dateutil":  dateutilModule(),
		"time":      timeModule(),
		"uuid":      uuidModule(),
		"random": jinja.NewFunc("!Random.random()", func(c *jinja.Call) (jinja.Value, error) {
			return jinja.Float(rand.Float64()), nil
		}),
		"ds_add":    jinja.NewFunc("ds_add(ds, days)", dsAdd),
		"ds_format": jinja.NewFunc("ds_format(ds, input_format, output_format)", dsFormat),
		"datetime_diff_for_humans": jinja.NewFunc("datetime_diff_for_humans(dt, since?)", func(c *jinja.Call) (jinja.Value, error) {
			dt, ok := c.Args[0].(*jinja.DateTime)
			if !ok || !dt.IsDateTime() {
				return nil, jinja.Errorf("AttributeError", "'%s' object has no attribute 'tzinfo'", c.Args[0].Type().Name)
			}
			return diffForHumans(asPendulum(dt), c.Or(1, jinja.None), false)
		}),
	}}
}

func dsAdd(c *jinja.Call) (jinja.Value, error) {
	if !c.Truth(c.Args[1]) {
		return jinja.Str(c.Str(c.Args[0])), nil
	}
	t, _ := c.Strptime(c.Str(c.Args[0]), "%Y-%m-%d")
	days := c.Invoke(jinja.TypeDelta, c.Args[1])
	moved := c.Add(jinja.NewDateTime(t, nil, jinja.TypeDateTime), days)
	return jinja.Str(c.Strftime(moved.(*jinja.DateTime), "%Y-%m-%d")), nil
}

func dsFormat(c *jinja.Call) (jinja.Value, error) {
	formats := [2]string{}
	for i := range formats {
		f, ok := jinja.Text(c.Args[i+1])
		if !ok {
			what := [...]string{"strptime() argument 2", "strftime() argument 1"}[i]
			return nil, jinja.Errorf("TypeError", "%s must be str, not %s", what, c.Args[i+1].Type().Name)
		}
		formats[i] = f
	}
	t, zone := c.Strptime(c.Str(c.Args[0]), formats[0])
	return jinja.Str(c.Strftime(jinja.NewDateTime(t, zone, jinja.TypeDateTime), formats[1])), nil
}

// timeModule is Python's module time, without what would wait.
func timeModule() *jinja.Module {
	clock := func(name string) *jinja.Func {
		return jinja.NewFunc("!time."+name+"()", func(c *jinja.Call) (jinja.Value, error) {
			return jinja.Float(float64(time.Now().UnixNano()) / 1e9), nil
		})
	}
	seconds := func(c *jinja.Call, i int) (time.Time, error) {
		v := c.Or(i, jinja.None)
		if v == jinja.None {
			return time.Now().UTC(), nil
		}
		f, ok := jinja.Number(v)
		if !ok {
			return time.Time{}, jinja.Errorf("TypeError", "'%s' object cannot be interpreted as an integer", v.Type().Name)
		}
		if f < -62135596800 || f > 253402300799 {
			return time.Time{}, jinja.Errorf("OverflowError", "timestamp out of range for platform time_t")
		}
		return time.Unix(int64(f), 0).UTC(), nil
	}
	structFunc := func(name string) *jinja.Func {
		return jinja.NewFunc("!time."+name+"(seconds?)", func(c *jinja.Call) (jinja.Value, error) {
			t, err := seconds(c, 0)
			if err != nil {
				return nil, err
			}
			return jinja.StructTime(t, 0), nil
		})
	}
	// reading turns a struct_time or tuple back into a moment.
	reading := func(c *jinja.Call, i int) (time.Time, error) {
		v := c.Or(i, jinja.None)
		if v == jinja.None {
			return time.Now().UTC(), nil
		}
		t, ok := v.(*jinja.Tuple)
		if !ok {
			return time.Time{}, jinja.Errorf("TypeError", "Tuple or struct_time argument required")
		}
		if len(t.Items) != 9 {
			return time.Time{}, jinja.Errorf("TypeError", "time tuple must have exactly 9 elements")
		}
		var n [6]int
		for k := range n {
			x, ok := jinja.Integer(t.Items[k])
			if !ok || x < -1<<31 || x > 1<<31 {
				return time.Time{}, jinja.Errorf("TypeError", "an integer is required")
			}
			n[k] = int(x)
		}
		if n[0] < 1 || n[0] > 9999 {
			return time.Time{}, jinja.Errorf("OverflowError", "mktime argument out of range")
		}
		return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], 0, time.UTC), nil
	}
	format := func(c *jinja.Call, t time.Time, layout string) jinja.Value {
		return jinja.Str(c.Strftime(jinja.NewDateTime(t, jinja.UTCZone, jinja.TypeDateTime), layout))
	}
	const ctime = "%a %b %e %H:%M:%S %Y"
	return &jinja.Module{Name: "time", Text: "<module 'time' (built-in)>", Attrs: map[string]jinja.Value{
		"time":         clock("time"),
		"monotonic":    clock("monotonic"),
		"perf_counter": clock("perf_counter"),
		"time_ns": jinja.NewFunc("!time.time_ns()", func(c *jinja.Call) (jinja.Value, error) {
			return jinja.Int(time.Now().UnixNano()), nil
		}),
		"gmtime":    structFunc("gmtime"),
		"localtime": structFunc("localtime"),
		"mktime": jinja.NewFunc("!time.mktime(t)", func(c *jinja.Call) (jinja.Value, error) {
			t, err := reading(c, 0)
			return jinja.Float(t.Unix()), err
		}),
		"strftime": jinja.NewFunc("!time.strftime(format, t?)", func(c *jinja.Call) (jinja.Value, error) {
			layout, ok := jinja.Text(c.Args[0])
			if !ok {
				return nil, jinja.Errorf("TypeError", "strftime() argument 1 must be str, not %s", c.Args[0].Type().Name)
			}
			t, err := reading(c, 1)
			if err != nil {
				return nil, err
			}
			return format(c, t, layout), nil
		}),
		"strptime": jinja.NewFunc("time.strptime(data_string, format?)", func(c *jinja.Call) (jinja.Value, error) {
			t, _ := c.Strptime(c.Str(c.Args[0]), c.Str(c.Or(1, jinja.Str(ctime))))
			return jinja.StructTime(t, -1), nil
		}),
		"ctime": jinja.NewFunc("!time.ctime(seconds?)", func(c *jinja.Call) (jinja.Value, error) {
			t, err := seconds(c, 0)
			if err != nil {
				return nil, err
			}
			return format(c, t, ctime), nil
		}),
		"asctime": jinja.NewFunc("!time.asctime(t?)", func(c *jinja.Call) (jinja.Value, error) {
			t, err := reading(c, 0)
			if err != nil {
				return nil, err
			}
			return format(c, t, ctime), nil
		}),
		"timezone": jinja.Int(0),
		"altzone":  jinja.Int(0),
		"daylight": jinja.Int(0),
		"tzname":   jinja.NewTuple(jinja.Str("UTC"), jinja.Str("UTC")),
	}}
}
