package jinja

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// format is str.format as the sandbox does it: attributes and items in the
// fields are looked up like those of the template. kw is a dict or, for
// format_map, anything with items. self tells whether to escape.
func (m *machine) format(s string, pos []Value, kw Value, self Value) string {
	f := &formatter{m: m, pos: pos, kw: kw}
	_, f.safe = self.(Markup)
	return f.run(s, 2)
}

type formatter struct {
	m    *machine
	pos  []Value
	kw   Value
	safe bool
	auto int // next automatic field; -1 once fields are numbered by hand
}

func (f *formatter) run(s string, depth int) string {
	if depth < 0 {
		panic(valueError("Max string recursion exceeded"))
	}
	var b strings.Builder
	for s != "" {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			b.WriteString(s)
			break
		}
		b.WriteString(s[:i])
		c := s[i]
		s = s[i+1:]
		if s != "" && s[0] == c {
			b.WriteByte(c)
			s = s[1:]
			continue
		}
		if c == '}' {
			panic(valueError("Single '}' encountered in format string"))
		}
		if s == "" {
			panic(valueError("Single '{' encountered in format string"))
		}
		name, conv, spec, rest := splitField(s)
		s = rest
		out := f.field(name, conv, spec, depth)
		f.m.alloc(len(out))
		b.WriteString(out)
	}
	f.m.alloc(b.Len())
	return b.String()
}

// splitField cuts what follows an opening brace into name, conversion, spec
// and what comes after the closing brace.
func splitField(s string) (name string, conv byte, spec, rest string) {
	nested, i, bracket := 1, 0, false
	for ; ; i++ {
		if i >= len(s) {
			panic(valueError("expected '}' before end of string"))
		}
		c := s[i]
		if c == '[' {
			bracket = true
		} else if c == ']' {
			bracket = false
		}
		if bracket {
			continue
		}
		if c == '{' {
			panic(valueError("unexpected '{' in field name"))
		}
		if c == '}' || c == ':' || c == '!' {
			break
		}
	}
	name = s[:i]
	if s[i] == '!' {
		i++
		if i >= len(s) {
			panic(valueError("end of string while looking for conversion specifier"))
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		if s[i] == '}' {
			panic(valueError("unmatched '{' in format spec"))
		}
		conv = s[i]
		i += n
		if i >= len(s) {
			panic(valueError("unmatched '{' in format spec"))
		}
		if s[i] != ':' && s[i] != '}' {
			panic(valueError("expected ':' after conversion specifier"))
		}
	}
	if s[i] == '}' {
		return name, conv, "", s[i+1:]
	}
	i++
	start := i
	for ; i < len(s); i++ {
		switch s[i] {
		case '{':
			nested++
		case '}':
			if nested--; nested == 0 {
				return name, conv, s[start:i], s[i+1:]
			}
		}
	}
	panic(valueError("unmatched '{' in format spec"))
}

func (f *formatter) field(name string, conv byte, spec string, depth int) string {
	if name == "" {
		if f.auto < 0 {
			panic(valueError("cannot switch from manual field specification to automatic field numbering"))
		}
		name = strconv.Itoa(f.auto)
		f.auto++
	} else if strings.Trim(name, "0123456789") == "" {
		if f.auto > 0 {
			panic(valueError("cannot switch from manual field specification to automatic field numbering"))
		}
		f.auto = -1
	}
	v := f.lookup(name)
	switch conv {
	case 0:
	case 's':
		v = Str(f.m.str(v))
	case 'r':
		v = Str(f.m.repr(v))
	case 'a':
		v = Str(ascii(f.m.repr(v)))
	default:
		panic(valueError("Unknown conversion specifier %c", conv))
	}
	spec = f.run(spec, depth-1)
	if f.safe {
		if s, ok := v.(Markup); ok {
			if spec != "" {
				panic(valueError("Unsupported format specification for Markup."))
			}
			return string(s)
		}
		return escapeHTML(f.m.formatValue(v, spec))
	}
	return f.m.formatValue(v, spec)
}

func (f *formatter) lookup(name string) Value {
	i := strings.IndexAny(name, ".[")
	first, rest := name, ""
	if i >= 0 {
		first, rest = name[:i], name[i:]
	}
	var v Value
	if first != "" && strings.Trim(first, "0123456789") == "" {
		n, err := strconv.Atoi(first)
		if err != nil {
			panic(valueError("Too many decimal digits in format string"))
		}
		if n >= len(f.pos) {
			panic(Errorf("IndexError", "tuple index out of range"))
		}
		v = f.pos[n]
	} else {
		if f.kw == nil {
			f.kw = NewDict()
		}
		x, err := f.m.subscript(f.kw, Str(first))
		if err != nil {
			panic(err)
		}
		v = x
	}
	for rest != "" {
		if rest[0] == '.' {
			end := strings.IndexAny(rest[1:], ".[")
			attr := rest[1:]
			if end >= 0 {
				attr = rest[1 : 1+end]
			}
			if attr == "" {
				panic(valueError("Empty attribute in format string"))
			}
			v = f.m.getattr(v, attr)
			rest = rest[1+len(attr):]
			continue
		}
		if rest[0] != '[' {
			panic(valueError("Only '.' or '[' may follow ']' in format field specifier"))
		}
		end := strings.IndexByte(rest, ']')
		if end < 0 {
			panic(valueError("Missing ']' in format string"))
		}
		key := rest[1:end]
		if key == "" {
			panic(valueError("Empty attribute in format string"))
		}
		if n, err := strconv.ParseInt(key, 10, 64); err == nil && isDigit(key[0]) {
			v = f.m.getitem(v, Int(n))
		} else {
			v = f.m.getitem(v, Str(key))
		}
		rest = rest[end+1:]
	}
	return v
}

// ascii escapes what is not ASCII, as Python's ascii does to a repr.
func ascii(s string) string {
	if isASCII(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			b.WriteString(asciiEscape(r))
		}
	}
	return b.String()
}

func asciiEscape(r rune) string {
	switch {
	case r <= 0xff:
		return fmt.Sprintf(`\x%02x`, r)
	case r <= 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}

// formatValue is Python's format(v, spec).
func (m *machine) formatValue(v Value, spec string) string {
	switch x := v.(type) {
	case Str, Markup:
		s, _ := asStr(x)
		if spec == "" {
			return s
		}
		return m.formatText(s, parseSpec(spec, "str"))
	case Int, bigInt, Bool:
		if spec == "" {
			return m.str(v)
		}
		return m.formatInt(v, parseSpec(spec, v.Type().shown()))
	case Float:
		if spec == "" {
			return m.str(v)
		}
		return m.formatFloat(float64(x), parseSpec(spec, "float"))
	case *DateTime:
		if spec == "" {
			return m.str(v)
		}
		return x.strftime(m, spec)
	case Formatter:
		s, err := x.Format(spec)
		raise(err)
		return s
	}
	if spec != "" {
		panic(typeError("unsupported format string passed to %s.__format__", v.Type().shown()))
	}
	return m.str(v)
}

// A Formatter has its own format specifications.
type Formatter interface {
	Format(spec string) (string, error)
}

// spec is a parsed format specification.
type spec struct {
	fill      string
	align     byte // 0: none given
	sign      byte
	noNegZero bool
	alt       bool
	width     int
	group     byte // ',' or '_'
	prec      int  // -1: none
	verb      rune // 0: none
	owner     string
}

// maxWidth keeps widths and precisions within reason; the memory bound
// applies as well.
const maxWidth = 1 << 26

func parseSpec(s, owner string) (p spec) {
	whole, filled := s, false
	p.prec, p.fill, p.owner = -1, " ", owner
	isAlign := func(c byte) bool { return c == '<' || c == '>' || c == '=' || c == '^' }
	if _, n := utf8.DecodeRuneInString(s); n > 0 && n < len(s) && isAlign(s[n]) {
		p.fill, p.align, s = s[:n], s[n], s[n+1:]
		filled = true
	} else if s != "" && isAlign(s[0]) {
		p.align, s = s[0], s[1:]
	}
	if s != "" && (s[0] == '+' || s[0] == '-' || s[0] == ' ') {
		p.sign, s = s[0], s[1:]
	}
	if s != "" && s[0] == 'z' {
		p.noNegZero, s = true, s[1:]
	}
	if s != "" && s[0] == '#' {
		p.alt, s = true, s[1:]
	}
	if !filled && s != "" && s[0] == '0' {
		p.fill = "0"
		if p.align == 0 && owner != "str" {
			p.align = '='
		}
		s = s[1:]
	}
	number := func(what string) (n int, given bool) {
		i := 0
		for i < len(s) && isDigit(s[i]) {
			i++
		}
		if i == 0 {
			return 0, false
		}
		n, err := strconv.Atoi(s[:i])
		if err != nil {
			panic(valueError("Too many decimal digits in format string"))
		}
		if n > maxWidth {
			panic(exceeded("a %s of %d", what, maxWidth))
		}
		s = s[i:]
		return n, true
	}
	p.width, _ = number("width")
	for s != "" && (s[0] == ',' || s[0] == '_') {
		if p.group != 0 {
			if p.group != s[0] {
				panic(valueError("Cannot specify both ',' and '_'."))
			}
			panic(valueError("Cannot specify '%c' with '%c'.", s[0], s[0]))
		}
		p.group, s = s[0], s[1:]
	}
	if s != "" && s[0] == '.' {
		s = s[1:]
		n, ok := number("precision")
		if !ok {
			panic(valueError("Format specifier missing precision"))
		}
		p.prec = n
	}
	r, n := utf8.DecodeRuneInString(s)
	if n < len(s) {
		panic(valueError("Invalid format specifier '%s' for object of type '%s'", whole, owner))
	}
	if n > 0 {
		p.verb = r
	}
	if p.group != 0 && p.verb != 0 && !strings.ContainsRune("defgEG%F", p.verb) && !(p.group == '_' && strings.ContainsRune("boxX", p.verb)) {
		if p.verb > 32 && p.verb < 128 {
			panic(valueError("Cannot specify '%c' with '%c'.", p.group, p.verb))
		}
		panic(valueError(`Cannot specify '%c' with '\x%x'.`, p.group, p.verb))
	}
	return p
}

func (p spec) unknown() *Error {
	if p.verb > 32 && p.verb < 128 {
		return valueError("Unknown format code '%c' for object of type '%s'", p.verb, p.owner)
	}
	return valueError(`Unknown format code '\x%x' for object of type '%s'`, p.verb, p.owner)
}

func (m *machine) formatText(s string, p spec) string {
	if p.verb != 0 && p.verb != 's' {
		panic(p.unknown())
	}
	switch {
	case p.sign == ' ':
		panic(valueError("Space not allowed in string format specifier"))
	case p.sign != 0:
		panic(valueError("Sign not allowed in string format specifier"))
	case p.noNegZero:
		panic(valueError("Negative zero coercion (z) not allowed in string format specifier"))
	case p.alt:
		panic(valueError("Alternate form (#) not allowed in string format specifier"))
	case p.align == '=':
		panic(valueError("'=' alignment not allowed in string format specifier"))
	case p.group != 0:
		panic(valueError("Cannot specify '%c' with 's'.", p.group))
	}
	if p.prec >= 0 && runeLen(s) > p.prec {
		s = string([]rune(s)[:p.prec])
	}
	return m.align(s, p, '<')
}

func (m *machine) align(s string, p spec, otherwise byte) string {
	side := p.align
	if side == 0 {
		side = otherwise
	}
	n := p.width - runeLen(s)
	if n <= 0 {
		return s
	}
	m.allocMany(int64(len(p.fill)), int64(n))
	left := 0
	switch side {
	case '>', '=':
		left = n
	case '^':
		left = n / 2
	}
	return strings.Repeat(p.fill, left) + s + strings.Repeat(p.fill, n-left)
}

// number lays out sign, prefix and digits; zero padding goes between them,
// and takes part in the grouping.
func (m *machine) number(sign, digits, tail string, p spec, size int) string {
	if p.align == '=' && p.fill == "0" && p.group != 0 {
		body := groupDigits(digits, p.group, size)
		want := p.width - len(sign) - len(tail)
		m.alloc(max(want, 0))
		for runeLen(body) < want {
			digits = "0" + digits
			body = groupDigits(digits, p.group, size)
		}
		// A group never starts with its separator.
		return sign + body + tail
	}
	if p.group != 0 {
		digits = groupDigits(digits, p.group, size)
	}
	if p.align == '=' {
		n := p.width - runeLen(sign) - runeLen(digits) - runeLen(tail)
		if n > 0 {
			m.allocMany(int64(len(p.fill)), int64(n))
			return sign + strings.Repeat(p.fill, n) + digits + tail
		}
		return sign + digits + tail
	}
	return m.align(sign+digits+tail, p, '>')
}

func groupDigits(s string, sep byte, size int) string {
	if len(s) <= size {
		return s
	}
	var b strings.Builder
	for i := range len(s) {
		if i > 0 && (len(s)-i)%size == 0 {
			b.WriteByte(sep)
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func signOf(negative bool, sign byte) string {
	if negative {
		return "-"
	}
	if sign == '+' || sign == ' ' {
		return string(sign)
	}
	return ""
}

func (m *machine) formatInt(v Value, p spec) string {
	switch p.verb {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		return m.formatFloat(m.float(v), p)
	}
	if p.prec >= 0 {
		panic(valueError("Precision not allowed in integer format specifier"))
	}
	if p.noNegZero {
		panic(valueError("Negative zero coercion (z) not allowed in format specifier with integer"))
	}
	b, _ := asBig(v)
	if p.verb == 'c' {
		if p.sign != 0 {
			panic(valueError("Sign not allowed with integer format specifier 'c'"))
		}
		if p.alt {
			panic(valueError("Alternate form (#) not allowed with integer format specifier 'c'"))
		}
		if !b.IsInt64() || b.Sign() < 0 || b.Int64() > unicode.MaxRune {
			panic(Errorf("OverflowError", "%%c arg not in range(0x110000)"))
		}
		return m.align(string(rune(b.Int64())), p, '<')
	}
	abs := new(big.Int).Abs(b)
	sign := signOf(b.Sign() < 0, p.sign)
	size, digits, prefix := 4, "", ""
	switch p.verb {
	case 0, 'd', 'n':
		digits, size = intText(NewInt(abs)), 3
	case 'b':
		digits, prefix = abs.Text(2), "0b"
	case 'o':
		digits, prefix = abs.Text(8), "0o"
	case 'x':
		digits, prefix = abs.Text(16), "0x"
	case 'X':
		digits, prefix = strings.ToUpper(abs.Text(16)), "0X"
	default:
		panic(p.unknown())
	}
	if p.alt {
		sign += prefix
	}
	return m.number(sign, digits, "", p, size)
}

func (m *machine) formatFloat(f float64, p spec) string {
	if p.verb != 0 && !strings.ContainsRune("eEfFgGn%", p.verb) {
		panic(p.unknown())
	}
	m.alloc(max(p.prec, 0))
	body := floatDigitsOf(math.Abs(f), p)
	negative := math.Signbit(f) && !math.IsNaN(f)
	if negative && p.noNegZero && strings.Trim(body, "0.e+-%") == "" {
		negative = false
	}
	sign := signOf(negative, p.sign)
	if math.IsInf(f, 0) || math.IsNaN(f) {
		if p.group != 0 {
			p.group = 0
		}
		return m.number(sign, body, "", p, 3)
	}
	i := strings.IndexAny(body, ".eE%")
	if i < 0 {
		i = len(body)
	}
	return m.number(sign, body[:i], body[i:], p, 3)
}

// floatDigitsOf writes a float that is not negative by verb and precision.
func floatDigitsOf(f float64, p spec) string {
	verb, prec := p.verb, p.prec
	if math.IsInf(f, 0) || math.IsNaN(f) {
		s := "inf"
		if math.IsNaN(f) {
			s = "nan"
		}
		if verb == 'E' || verb == 'F' || verb == 'G' {
			s = strings.ToUpper(s)
		}
		if verb == '%' {
			s += "%"
		}
		return s
	}
	switch verb {
	case '%':
		if prec < 0 {
			prec = 6
		}
		s := strconv.FormatFloat(f*100, 'f', prec, 64)
		if p.alt && prec == 0 {
			s += "."
		}
		return s + "%"
	case 'f', 'F':
		if prec < 0 {
			prec = 6
		}
		s := strconv.FormatFloat(f, 'f', prec, 64)
		if p.alt && prec == 0 {
			s += "."
		}
		return s
	case 'e', 'E':
		if prec < 0 {
			prec = 6
		}
		s := strconv.FormatFloat(f, byte(verb), prec, 64)
		if p.alt && prec == 0 {
			s = strings.Replace(s, string(verb), "."+string(verb), 1)
		}
		return s
	case 0:
		if prec < 0 {
			return floatRepr(f)
		}
		return generalFloat(f, max(prec, 1), p.alt, true, false)
	}
	if prec < 0 {
		prec = 6
	}
	return generalFloat(f, max(prec, 1), p.alt, false, verb == 'G')
}

// generalFloat is the verb g: prec significant digits, with an exponent
// where the number is very large or small. point says to leave at least one
// digit after the point, as format does without a verb.
func generalFloat(f float64, prec int, alt, point, upperCase bool) string {
	e := strconv.FormatFloat(f, 'e', prec-1, 64)
	mant, exp, _ := strings.Cut(e, "e")
	x, _ := strconv.Atoi(exp)
	limit := prec
	if point {
		limit-- // without a verb the exponent comes one digit earlier
	}
	var s string
	if x < -4 || x >= limit {
		if !alt {
			mant = trimZeros(mant)
		}
		s = mant + "e" + exp
	} else {
		s = strconv.FormatFloat(f, 'f', max(prec-1-x, 0), 64)
		if !alt {
			s = trimZeros(s)
		} else if !strings.Contains(s, ".") {
			s += "."
		}
		if point && !strings.Contains(s, ".") {
			s += ".0"
		}
	}
	if upperCase {
		s = strings.ToUpper(s)
	}
	return s
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// percent is Python's s % v. escape, if not nil, is applied to every text
// put in: the format is Markup.
func (m *machine) percent(s string, v Value, escape func(string) string) string {
	p := &percentArgs{m: m, whole: v}
	if t, ok := v.(*Tuple); ok {
		p.items = t.Items
	} else {
		p.items = []Value{v}
	}
	_, tuple := v.(*Tuple)
	_, text := asStr(v)
	switch v.(type) {
	case *Dict, *List, *rangeValue, Bytes, *Undefined: // whatever has items
		p.mapping = true
	}
	p.mapping = p.mapping && !tuple && !text
	var b strings.Builder
	for i := 0; i < len(s); {
		j := strings.IndexByte(s[i:], '%')
		if j < 0 {
			b.WriteString(s[i:])
			break
		}
		b.WriteString(s[i : i+j])
		i += j + 1
		out, n := p.verb(s, i, escape)
		m.alloc(len(out))
		b.WriteString(out)
		i = n
	}
	if p.next < len(p.items) && !p.mapping && !p.keyed {
		panic(typeError("not all arguments converted during string formatting"))
	}
	m.alloc(b.Len())
	return b.String()
}

type percentArgs struct {
	m       *machine
	whole   Value
	items   []Value
	next    int
	mapping bool
	keyed   bool
}

func (p *percentArgs) take() Value {
	if p.next >= len(p.items) {
		panic(typeError("not enough arguments for format string"))
	}
	p.next++
	return p.items[p.next-1]
}

// verb formats what follows a percent sign at s[i:], and returns where it
// ends.
func (p *percentArgs) verb(s string, i int, escape func(string) string) (string, int) {
	at := func() byte {
		if i >= len(s) {
			panic(valueError("incomplete format"))
		}
		return s[i]
	}
	var keyed Value
	if at() == '(' {
		if !p.mapping {
			panic(typeError("format requires a mapping"))
		}
		depth, start := 1, i+1
		for i++; depth > 0; i++ {
			if i >= len(s) {
				panic(valueError("incomplete format key"))
			}
			switch s[i] {
			case '(':
				depth++
			case ')':
				depth--
			}
		}
		v, err := p.m.subscript(p.whole, Str(s[start:i-1]))
		if err != nil {
			panic(err)
		}
		keyed = v
		p.keyed = true
	}
	f := spec{fill: " ", prec: -1}
	left, zero := false, false
	for {
		switch at() {
		case '-':
			left = true
		case '+':
			f.sign = '+'
		case ' ':
			if f.sign == 0 {
				f.sign = ' '
			}
		case '#':
			f.alt = true
		case '0':
			zero = true
		default:
			goto width
		}
		i++
	}
width:
	number := func() int {
		if at() == '*' {
			i++
			n, ok := asInt(p.take())
			if !ok {
				panic(typeError("* wants int"))
			}
			return int(max(min(n, maxWidth), -maxWidth))
		}
		n := 0
		for isDigit(at()) {
			if n = n*10 + int(s[i]-'0'); n > maxWidth {
				panic(exceeded("a width of %d", maxWidth))
			}
			i++
		}
		return n
	}
	f.width = number()
	if f.width < 0 {
		left, f.width = true, -f.width
	}
	if at() == '.' {
		i++
		f.prec = max(number(), 0)
	}
	for c := at(); c == 'h' || c == 'l' || c == 'L'; c = at() {
		i++
	}
	at() // there must be a verb
	r, size := utf8.DecodeRuneInString(s[i:])
	pos := i
	i += size
	if r == '%' {
		return "%", i
	}
	v := keyed
	if v == nil {
		v = p.take()
	}
	f.verb = r
	f.align = '>'
	if left {
		f.align = '<'
	}
	clean := func(t string) string {
		if escape != nil {
			if _, ok := v.(Markup); !ok {
				t = escape(t)
			}
		}
		if f.prec >= 0 && runeLen(t) > f.prec {
			t = string([]rune(t)[:f.prec])
		}
		return p.m.align(t, f, '>')
	}
	switch r {
	case 's':
		return clean(p.m.str(v)), i
	case 'r':
		return clean(p.m.repr(v)), i
	case 'a':
		return clean(ascii(p.m.repr(v))), i
	case 'c':
		f.prec = -1
		if t, ok := asStr(v); ok {
			if runeLen(t) != 1 {
				panic(typeError("%%c requires int or char"))
			}
			return clean(t), i
		}
		n, ok := asInt(v)
		if !ok {
			panic(typeError("%%c requires int or char"))
		}
		if n < 0 || n > unicode.MaxRune {
			panic(Errorf("OverflowError", "%%c arg not in range(0x110000)"))
		}
		return clean(string(rune(n))), i
	case 'd', 'i', 'u', 'o', 'x', 'X':
		return p.integer(v, f, zero && !left), i
	case 'e', 'E', 'f', 'F', 'g', 'G':
		var x float64
		switch v := v.(type) {
		case Float, Int, Bool, bigInt:
			x = p.m.float(v)
		case *Undefined:
			panic(v.err())
		default:
			panic(typeError("must be real number, not %s", v.Type().shown()))
		}
		if zero && !left {
			f.fill, f.align = "0", '='
		}
		f.owner = "float"
		return p.m.formatFloat(x, f), i
	}
	panic(valueError("unsupported format character '%c' (0x%x) at index %d", shownChar(r), r, runeLen(s[:pos])))
}

func shownChar(r rune) rune {
	if r < 32 || r > 126 {
		return '?'
	}
	return r
}

func (p *percentArgs) integer(v Value, f spec, zero bool) string {
	var b *big.Int
	switch x := v.(type) {
	case Int, Bool, bigInt:
		b, _ = asBig(x)
	case Float:
		if strings.ContainsRune("oxX", f.verb) {
			panic(typeError("%%%c format: an integer is required, not float", f.verb))
		}
		b, _ = asBig(p.m.toInt(x, 10, false))
	case *Undefined:
		panic(x.err())
	default:
		if strings.ContainsRune("oxX", f.verb) {
			panic(typeError("%%%c format: an integer is required, not %s", f.verb, v.Type().shown()))
		}
		panic(typeError("%%%c format: a real number is required, not %s", f.verb, v.Type().shown()))
	}
	abs := new(big.Int).Abs(b)
	sign := signOf(b.Sign() < 0, f.sign)
	var digits, prefix string
	switch f.verb {
	case 'o':
		digits, prefix = abs.Text(8), "0o"
	case 'x':
		digits, prefix = abs.Text(16), "0x"
	case 'X':
		digits, prefix = strings.ToUpper(abs.Text(16)), "0X"
	default:
		digits = intText(NewInt(abs))
	}
	if f.prec > len(digits) {
		p.m.alloc(f.prec)
		digits = strings.Repeat("0", f.prec-len(digits)) + digits
	}
	if f.alt {
		sign += prefix
	}
	if zero {
		f.fill, f.align = "0", '='
	}
	f.group = 0
	return p.m.number(sign, digits, "", f, 3)
}
