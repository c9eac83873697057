package airflow

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"math/big"
	"strings"
	"time"

	"fairlead/internal/lang/jinja"
)

var typeUUID = &jinja.Type{Name: "UUID", Module: "uuid"}

// uuidValue is Python's uuid.UUID.
type uuidValue [16]byte

func (uuidValue) Type() *jinja.Type { return typeUUID }

// Str is the usual text, with dashes.
func (u uuidValue) Str() string {
	h := u.hex()
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Repr is the constructor's call.
func (u uuidValue) Repr() string { return "UUID('" + u.Str() + "')" }

// Key makes equal ids equal.
func (u uuidValue) Key() string { return string(u[:]) }

func (u uuidValue) hex() string { return hex.EncodeToString(u[:]) }

func (u uuidValue) number(from, to int) jinja.Value {
	return jinja.NewInt(new(big.Int).SetBytes(u[from:to]))
}

// Attr returns the attributes of Python's class.
func (u uuidValue) Attr(name string) (jinja.Value, bool) {
	switch name {
	case "hex":
		return jinja.Str(u.hex()), true
	case "int":
		return u.number(0, 16), true
	case "bytes":
		return jinja.Bytes(u[:]), true
	case "urn":
		return jinja.Str("urn:uuid:" + u.Str()), true
	case "variant":
		if u[8]&0xc0 == 0x80 {
			return jinja.Str("specified in RFC 4122"), true
		}
		return jinja.Str("reserved for NCS compatibility"), true
	case "version":
		if u[8]&0xc0 == 0x80 {
			return jinja.Int(u[6] >> 4), true
		}
		return jinja.None, true
	case "time_low":
		return u.number(0, 4), true
	case "time_mid":
		return u.number(4, 6), true
	case "time_hi_version":
		return u.number(6, 8), true
	case "clock_seq_hi_variant":
		return u.number(8, 9), true
	case "clock_seq_low":
		return u.number(9, 10), true
	case "clock_seq":
		return jinja.Int(int(u[8]&0x3f)<<8 | int(u[9])), true
	case "node":
		return u.number(10, 16), true
	case "time":
		low, mid, hi := binary.BigEndian.Uint32(u[0:]), binary.BigEndian.Uint16(u[4:]), binary.BigEndian.Uint16(u[6:])&0xfff
		return jinja.Int(int64(hi)<<48 | int64(mid)<<32 | int64(low)), true
	case "fields":
		return jinja.NewTuple(u.number(0, 4), u.number(4, 6), u.number(6, 8), u.number(8, 9), u.number(9, 10), u.number(10, 16)), true
	}
	return nil, false
}

func (u uuidValue) stamp(version byte) uuidValue {
	u[6] = u[6]&0x0f | version<<4
	u[8] = u[8]&0x3f | 0x80
	return u
}

func parseUUID(s string) (uuidValue, error) {
	var u uuidValue
	h := strings.ReplaceAll(strings.ReplaceAll(s, "urn:", ""), "uuid:", "")
	h = strings.ReplaceAll(strings.Trim(h, "{}"), "-", "")
	if len([]rune(h)) != 32 {
		return u, jinja.Errorf("ValueError", "badly formed hexadecimal UUID string")
	}
	b, err := hex.DecodeString(h)
	if err != nil {
		return u, jinja.Errorf("ValueError", "invalid literal for int() with base 16: '%s'", h)
	}
	copy(u[:], b)
	return u, nil
}

func addUUID(e *jinja.Env) {
	e.AddClass(typeUUID, &jinja.Class{
		New: jinja.NewFunc("UUID.__init__(hex?, bytes?, bytes_le?, fields?, int?, version?)", func(c *jinja.Call) (jinja.Value, error) {
			var u uuidValue
			switch {
			case c.Has(0):
				s, ok := jinja.Text(c.Args[0])
				if !ok {
					return nil, jinja.Errorf("AttributeError", "'%s' object has no attribute 'replace'", c.Args[0].Type().Name)
				}
				var err error
				if u, err = parseUUID(s); err != nil {
					return nil, err
				}
			case c.Has(1):
				b, ok := c.Args[1].(jinja.Bytes)
				if !ok || len(b) != 16 {
					return nil, jinja.Errorf("ValueError", "bytes is not a 16-char string")
				}
				copy(u[:], b)
			case c.Has(4):
				n, ok := new(big.Int).SetString(c.Str(c.Args[4]), 10)
				if !ok || n.Sign() < 0 || n.BitLen() > 128 {
					return nil, jinja.Errorf("ValueError", "int is out of range (need a 128-bit value)")
				}
				n.FillBytes(u[:])
			default:
				return nil, jinja.Errorf("TypeError", "one of the hex, bytes, bytes_le, fields, or int arguments must be given")
			}
			if version := c.Or(5, jinja.None); version != jinja.None {
				n, ok := jinja.Integer(version)
				if !ok || n < 1 || n > 5 {
					return nil, jinja.Errorf("ValueError", "illegal version number")
				}
				u = u.stamp(byte(n))
			}
			return u, nil
		}),
	})
}

func uuidModule() *jinja.Module {
	random := func(version byte) uuidValue {
		var u uuidValue
		_, _ = rand.Read(u[:]) // never fails
		return u.stamp(version)
	}
	named := func(name string, version byte, sum func([]byte) []byte) *jinja.Func {
		return jinja.NewFunc(name+"(namespace, name)", func(c *jinja.Call) (jinja.Value, error) {
			space, ok := c.Args[0].(uuidValue)
			if !ok {
				return nil, jinja.Errorf("AttributeError", "'%s' object has no attribute 'bytes'", c.Args[0].Type().Name)
			}
			text, ok := jinja.Text(c.Args[1])
			if !ok {
				return nil, jinja.Errorf("TypeError", "encoding without a string argument")
			}
			var u uuidValue
			copy(u[:], sum(append(space[:], text...)))
			return u.stamp(version), nil
		})
	}
	space := func(tail byte) jinja.Value {
		u, _ := parseUUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
		u[3] = tail
		return u
	}
	return &jinja.Module{Name: "uuid", Attrs: map[string]jinja.Value{
		"UUID": typeUUID,
		"uuid1": jinja.NewFunc("uuid1(node?, clock_seq?)", func(c *jinja.Call) (jinja.Value, error) {
			u := random(1)
			ticks := uint64(time.Now().UnixNano()/100) + 0x01b21dd213814000
			binary.BigEndian.PutUint32(u[0:], uint32(ticks))
			binary.BigEndian.PutUint16(u[4:], uint16(ticks>>32))
			binary.BigEndian.PutUint16(u[6:], uint16(ticks>>48))
			return u.stamp(1), nil
		}),
		"uuid4": jinja.NewFunc("uuid4()", func(c *jinja.Call) (jinja.Value, error) { return random(4), nil }),
		"uuid3": named("uuid3", 3, func(b []byte) []byte { s := md5.Sum(b); return s[:] }),
		"uuid5": named("uuid5", 5, func(b []byte) []byte { s := sha1.Sum(b); return s[:] }),

		"NAMESPACE_DNS":  space(0x10),
		"NAMESPACE_URL":  space(0x11),
		"NAMESPACE_OID":  space(0x12),
		"NAMESPACE_X500": space(0x14),
	}}
}
