package jinja

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// maxBits bounds an int. Python has no bound, and so can be kept busy for
// ever by one power.
const maxBits = 1 << 18

// arithmetic is a op b for two numbers.
func (m *machine) arithmetic(op string, a, b Value) Value {
	_, af := a.(Float)
	_, bf := b.(Float)
	if af || bf {
		return Float(floatOp(op, m.float(a), m.float(b)))
	}
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			if v, ok := smallOp(op, x, y); ok {
				return v
			}
		}
	}
	x, _ := asBig(a)
	y, _ := asBig(b)
	return m.bigOp(op, x, y)
}

// smallOp reports false where the result may not fit.
func smallOp(op string, x, y int64) (Value, bool) {
	switch op {
	case "+":
		if z := x + y; (z > x) == (y > 0) {
			return Int(z), true
		}
	case "-":
		if z := x - y; (z < x) == (y > 0) {
			return Int(z), true
		}
	case "*":
		const half = 1 << 31
		if x > -half && x < half && y > -half && y < half {
			return Int(x * y), true
		}
	case "//":
		if y != 0 && y != -1 {
			q := x / y
			if x%y != 0 && (x < 0) != (y < 0) {
				q--
			}
			return Int(q), true
		}
	case "%":
		if y != 0 && y != -1 {
			r := x % y
			if r != 0 && (r < 0) != (y < 0) {
				r += y
			}
			return Int(r), true
		}
	case "/":
		const exact = 1 << 53
		if y != 0 && x > -exact && x < exact && y > -exact && y < exact {
			return Float(float64(x) / float64(y)), true
		}
	}
	return nil, false
}

func (m *machine) bigOp(op string, x, y *big.Int) Value {
	m.step((x.BitLen() + y.BitLen()) / 64)
	z := new(big.Int)
	switch op {
	case "+":
		return m.bounded(z.Add(x, y))
	case "-":
		return m.bounded(z.Sub(x, y))
	case "*":
		m.step(x.BitLen() / 64 * (y.BitLen() / 64) / 64)
		return m.bounded(z.Mul(x, y))
	case "//":
		if y.Sign() == 0 {
			panic(Errorf("ZeroDivisionError", "integer division or modulo by zero"))
		}
		q, _ := floorDiv(x, y)
		return NewInt(q)
	case "%":
		if y.Sign() == 0 {
			panic(Errorf("ZeroDivisionError", "integer modulo by zero"))
		}
		_, r := floorDiv(x, y)
		return NewInt(r)
	case "/":
		if y.Sign() == 0 {
			panic(Errorf("ZeroDivisionError", "division by zero"))
		}
		f, _ := new(big.Rat).SetFrac(x, y).Float64()
		if math.IsInf(f, 0) {
			panic(Errorf("OverflowError", "integer division result too large for a float"))
		}
		return Float(f)
	case "**":
		return m.power(x, y)
	}
	panic(Errorf("SystemError", "unknown operator %s", op))
}

func (m *machine) power(x, y *big.Int) Value {
	if y.Sign() < 0 {
		if x.Sign() == 0 {
			panic(Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power"))
		}
		return Float(floatOp("**", m.float(NewInt(x)), m.float(NewInt(y))))
	}
	if x.BitLen() > 1 {
		if !y.IsInt64() || y.Int64() > maxBits || int64(x.BitLen()-1)*y.Int64() > maxBits {
			panic(Errorf("OverflowError", "template exceeded %d bits in an int", maxBits))
		}
		n := int(int64(x.BitLen()) * y.Int64() / 64)
		m.step(n * n / 256)
	} else {
		// -1, 0 and 1: only whether y is even counts.
		y = new(big.Int).SetInt64(int64(y.Bit(0)) + 2*int64(min(y.Sign(), 1)))
	}
	return m.bounded(new(big.Int).Exp(x, y, nil))
}

func (m *machine) bounded(z *big.Int) Value {
	if z.BitLen() > maxBits {
		panic(Errorf("OverflowError", "template exceeded %d bits in an int", maxBits))
	}
	m.alloc(z.BitLen() / 8)
	return NewInt(z)
}

// floorDiv rounds the quotient down, as Python does.
func floorDiv(x, y *big.Int) (q, r *big.Int) {
	q, r = new(big.Int).QuoRem(x, y, new(big.Int))
	if r.Sign() != 0 && (r.Sign() < 0) != (y.Sign() < 0) {
		q.Sub(q, big.NewInt(1))
		r.Add(r, y)
	}
	return q, r
}

func floatOp(op string, x, y float64) float64 {
	switch op {
	case "+":
		return x + y
	case "-":
		return x - y
	case "*":
		return x * y
	case "/":
		if y == 0 {
			panic(Errorf("ZeroDivisionError", "float division by zero"))
		}
		return x / y
	case "//":
		if y == 0 {
			panic(Errorf("ZeroDivisionError", "float floor division by zero"))
		}
		r := floatMod(x, y)
		q := (x - r) / y
		if q == 0 {
			return math.Copysign(0, x/y)
		}
		f := math.Floor(q)
		if q-f > 0.5 {
			f++
		}
		return f
	case "%":
		if y == 0 {
			panic(Errorf("ZeroDivisionError", "float modulo"))
		}
		return floatMod(x, y)
	case "**":
		if x == 0 && y < 0 {
			panic(Errorf("ZeroDivisionError", "0.0 cannot be raised to a negative power"))
		}
		if x < 0 && y != math.Trunc(y) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			panic(valueError("template produced a complex number, which is not supported"))
		}
		z := math.Pow(x, y)
		if math.IsInf(z, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0) {
			panic(Errorf("OverflowError", "(34, 'Numerical result out of range')"))
		}
		return z
	}
	panic(Errorf("SystemError", "unknown operator %s", op))
}

func floatMod(x, y float64) float64 {
	r := math.Mod(x, y)
	if r == 0 {
		return math.Copysign(0, y)
	}
	if (r < 0) != (y < 0) {
		r += y
	}
	return r
}

// float converts a number as Python's arithmetic does.
func (m *machine) float(v Value) float64 {
	switch v := v.(type) {
	case Float:
		return float64(v)
	case bigInt:
		f, _ := new(big.Float).SetInt(v.Int).Float64()
		if math.IsInf(f, 0) {
			panic(Errorf("OverflowError", "int too large to convert to float"))
		}
		return f
	}
	n, _ := asInt(v)
	return float64(n)
}

// toInt is Python's int(v) or int(v, base); base 0 says that none was given
// and -1 stands for an explicit 0.
func (m *machine) toInt(v Value, base int, given bool) Value {
	switch x := v.(type) {
	case *Undefined:
		panic(x.err())
	case Str, Markup:
		s, _ := asStr(v)
		if !given {
			base = 10
		}
		return m.parseInt(s, base)
	case Bool, Int, bigInt:
		if n, ok := asInt(v); ok {
			return Int(n)
		}
		return v
	case Float:
		f := float64(x)
		if math.IsNaN(f) {
			panic(valueError("cannot convert float NaN to integer"))
		}
		if math.IsInf(f, 0) {
			panic(Errorf("OverflowError", "cannot convert float infinity to integer"))
		}
		b, _ := big.NewFloat(f).Int(nil)
		return NewInt(b)
	}
	panic(typeError("int() argument must be a string, a bytes-like object or a real number, not '%s'", v.Type().shown()))
}

func (m *machine) parseInt(s string, base int) Value {
	if base != 0 && (base < 2 || base > 36) {
		panic(valueError("int() base must be >= 2 and <= 36, or 0"))
	}
	m.step(len(s) / 8)
	bad := func() *Error {
		return valueError("invalid literal for int() with base %d: %s", base, quote(s))
	}
	t := asciiDigits(strings.TrimFunc(s, isSpace))
	neg := false
	if t != "" && (t[0] == '+' || t[0] == '-') {
		neg, t = t[0] == '-', t[1:]
	}
	useBase := base
	prefixed := false
	if len(t) > 1 && t[0] == '0' {
		prefix := map[byte]int{'x': 16, 'o': 8, 'b': 2}[t[1]|0x20]
		if prefix != 0 && (base == 0 || base == prefix) {
			useBase, t, prefixed = prefix, t[2:], true
		}
	}
	if useBase == 0 {
		if len(t) > 1 && t[0] == '0' && strings.Trim(t, "0_") != "" {
			panic(bad())
		}
		useBase = 10
	}
	if prefixed {
		t = strings.TrimPrefix(t, "_") // Python allows 0x_ff
	}
	if t == "" || t[0] == '_' || t[len(t)-1] == '_' || strings.Contains(t, "__") || t[0] == '+' || t[0] == '-' {
		panic(bad())
	}
	t = strings.ReplaceAll(t, "_", "")
	if useBase&(useBase-1) != 0 && len(t) > maxIntDigits {
		panic(valueError("Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits, len(t)))
	}
	if len(t) > maxBits {
		panic(Errorf("OverflowError", "template exceeded %d bits in an int", maxBits))
	}
	b, ok := new(big.Int).SetString(t, useBase)
	if !ok {
		panic(bad())
	}
	if neg {
		b.Neg(b)
	}
	return m.bounded(b)
}

// maxIntDigits is CPython's default bound on decimal conversions.
const maxIntDigits = 4300

// asciiDigits turns the decimal digits of all scripts into ASCII ones.
func asciiDigits(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return strings.Map(func(r rune) rune {
				if r >= 0x80 && unicode.Is(unicode.Nd, r) {
					return '0' + rune(digitValue(r))
				}
				return r
			}, s)
		}
	}
	return s
}

// digitValue relies on decimal digits standing in runs of ten.
func digitValue(r rune) int {
	start := r
	for unicode.Is(unicode.Nd, start-1) {
		start--
	}
	return int(r-start) % 10
}

// toFloat is Python's float(v).
func (m *machine) toFloat(v Value) float64 {
	switch x := v.(type) {
	case *Undefined:
		panic(x.err())
	case Str, Markup:
		s, _ := asStr(v)
		return parseFloat(s)
	case Float, Int, Bool, bigInt:
		return m.float(v)
	}
	panic(typeError("float() argument must be a string or a real number, not '%s'", v.Type().shown()))
}

func parseFloat(s string) float64 {
	t := strings.ToLower(asciiDigits(strings.TrimFunc(s, isSpace)))
	bad := valueError("could not convert string to float: %s", quote(s))
	unsigned := strings.TrimLeft(t, "+-")
	if len(t)-len(unsigned) > 1 {
		panic(bad)
	}
	switch unsigned {
	case "inf", "infinity":
		if t[0] == '-' {
			return math.Inf(-1)
		}
		return math.Inf(1)
	case "nan":
		return math.NaN()
	}
	for i := range len(t) {
		c := t[i]
		switch {
		case c >= '0' && c <= '9', c == '+', c == '-', c == '.', c == 'e':
		case c == '_' && i > 0 && i < len(t)-1 && isDigit(t[i-1]) && isDigit(t[i+1]):
		default:
			panic(bad) // Go reads hexadecimal floats, Python does not
		}
	}
	f, err := strconv.ParseFloat(strings.ReplaceAll(t, "_", ""), 64)
	if err != nil && !math.IsInf(f, 0) {
		panic(bad)
	}
	return f
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// floatRepr is Python's repr of a float: the shortest digits that give it
// back, with an exponent below 1e-4 and from 1e16.
func floatRepr(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// intText is str of an int.
func intText(v Value) string {
	switch v := v.(type) {
	case Int:
		return strconv.FormatInt(int64(v), 10)
	case bigInt:
		// 3.32 bits a digit; the exact check follows only near the bound.
		if v.BitLen() > maxIntDigits*33/10 {
			s := v.Text(10)
			if len(strings.TrimPrefix(s, "-")) > maxIntDigits {
				panic(valueError("Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to increase the limit", maxIntDigits))
			}
			return s
		}
		return v.Text(10)
	}
	n, _ := asInt(v)
	return strconv.FormatInt(n, 10)
}

// roundFloat is Python's round(f, digits): half to even, on the exact
// decimal value.
func roundFloat(f float64, digits int) float64 {
	if math.IsNaN(f) || math.IsInf(f, 0) || digits > 323 {
		return f
	}
	if digits < -308 {
		return math.Copysign(0, f)
	}
	if digits >= 0 {
		r, err := strconv.ParseFloat(strconv.FormatFloat(f, 'f', digits, 64), 64)
		if err != nil {
			panic(Errorf("OverflowError", "rounded value too large to represent"))
		}
		return r
	}
	p := math.Pow(10, float64(-digits))
	return math.Copysign(math.RoundToEven(f/p)*p, f)
}
