package operator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// A frame is the result of a query, as a pandas.DataFrame has it.
type frame struct {
	columns []column
	rows    int
}

// A column has a cell for each row: nil, bool, int64, float64, string, [date],
// [time.Time], or [jsonCell].
type column struct {
	name  string
	kind  columnKind
	cells []any
}

// A columnKind is what pandas makes of a column, as far as it shows.
type columnKind int

const (
	objects columnKind = iota // each cell by itself
	floats                    // whole numbers too, which pandas would have as floats
	moments                   // without a zone
	zoned                     // in UTC
)

// A date is a day without a time.
type date struct{ time.Time }

// A jsonCell is the text of a JSON value.
type jsonCell string

// settle makes of each column what the provider and pandas make of it: whole
// and broken numbers together are floats, and floats with gaps that are all
// whole are whole.
func (f *frame) settle() {
	for i := range f.columns {
		c := &f.columns[i]
		mixed, broken := false, c.kind == floats
		for _, v := range c.cells {
			switch v.(type) {
			case nil, int64:
			case float64:
				broken = true
			default:
				mixed = true
			}
		}
		if mixed || !broken {
			continue
		}
		gaps, whole := false, true
		for j, v := range c.cells {
			if n, ok := v.(int64); ok {
				v = float64(n)
			}
			if n, ok := v.(float64); !ok || math.IsNaN(n) {
				v, gaps = nil, true
			} else if n != math.Trunc(n) || math.Abs(n) >= 1<<63 {
				whole = false
			}
			c.cells[j] = v
		}
		for j, v := range c.cells {
			if n, ok := v.(float64); ok && gaps && whole {
				c.cells[j] = int64(n)
			}
		}
	}
}

// part returns the rows with the given numbers.
func (f *frame) part(rows []int) *frame {
	p := &frame{rows: len(rows)}
	for _, c := range f.columns {
		cells := make([]any, len(rows))
		for i, r := range rows {
			cells[i] = c.cells[r]
		}
		p.columns = append(p.columns, column{c.name, c.kind, cells})
	}
	return p
}

// column returns the place of a column, or -1.
func (f *frame) column(name string) int {
	return slices.IndexFunc(f.columns, func(c column) bool { return c.name == name })
}

// How Python's csv module quotes.
const (
	quoteMinimal = iota
	quoteAll
	quoteNonNumeric
	quoteNone
)

// A csvForm is how a frame is written as CSV: the arguments of
// pandas.DataFrame.to_csv.
type csvForm struct {
	separator, absent, quote, escape, end, label, moment string
	header, index, double                                bool
	names                                                []string // in place of those of the columns
	quoting                                              int
}

func newCSVForm() csvForm {
	return csvForm{separator: ",", quote: `"`, end: "\n", header: true, index: true, double: true}
}

// csv writes a frame as pandas does.
func (f *frame) csv(form *csvForm) ([]byte, error) {
	var b bytes.Buffer
	shown := make([]func(any) string, len(f.columns))
	for i := range f.columns {
		shown[i] = f.columns[i].shown(form)
	}
	var row []csvCell
	if form.header {
		if form.index {
			row = append(row, csvCell{text: form.label})
		}
		for i := range f.columns {
			name := f.columns[i].name
			if form.names != nil {
				name = form.names[i]
			}
			row = append(row, csvCell{text: name})
		}
		if err := form.row(&b, row); err != nil {
			return nil, err
		}
	}
	for r := range f.rows {
		row = row[:0]
		if form.index {
			row = append(row, csvCell{strconv.Itoa(r), true})
		}
		for i := range f.columns {
			v := f.columns[i].cells[r]
			if v == nil {
				row = append(row, csvCell{text: form.absent})
				continue
			}
			switch v.(type) {
			case int64, float64, bool:
				row = append(row, csvCell{shown[i](v), true})
			default:
				row = append(row, csvCell{text: shown[i](v)})
			}
		}
		if err := form.row(&b, row); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// A csvCell is a field before it is quoted.
type csvCell struct {
	text   string
	number bool
}

// row writes one line, as Python's csv.writer does.
func (form *csvForm) row(b *bytes.Buffer, row []csvCell) error {
	for i, c := range row {
		if i > 0 {
			b.WriteString(form.separator)
		}
		// What ends a field or a line has it quoted; a quote does if it is
		// doubled within, and not if it is escaped.
		breaks := strings.Contains(c.text, form.separator) || strings.ContainsAny(c.text, form.end)
		quotes := strings.Contains(c.text, form.quote)
		quoted := form.quoting == quoteAll || form.quoting == quoteNonNumeric && !c.number ||
			form.quoting == quoteMinimal && (breaks || quotes && form.double || c.text == "" && len(row) == 1)
		if form.quoting == quoteNone && c.text == "" && len(row) == 1 {
			return Errorf("single empty field record must be quoted")
		}
		text := c.text
		if form.escape != "" {
			text = strings.ReplaceAll(text, form.escape, form.escape+form.escape)
		}
		escaped := "" // what needs an escape before it
		switch {
		case quoted && form.double:
			text = strings.ReplaceAll(text, form.quote, form.quote+form.quote)
		case quoted, !breaks:
			escaped = form.quote
		default:
			escaped = form.separator + form.quote + form.end
		}
		for _, r := range escaped {
			if !strings.ContainsRune(text, r) {
				continue
			}
			if form.escape == "" {
				return Errorf("need to escape, but no escapechar set")
			}
			text = strings.ReplaceAll(text, string(r), form.escape+string(r))
		}
		if quoted {
			text = form.quote + text + form.quote
		}
		b.WriteString(text)
	}
	b.WriteString(form.end)
	return nil
}

// shown returns how the cells of a column are written in CSV. All moments of a
// column have the same form, that of the finest.
func (c *column) shown(form *csvForm) func(any) string {
	layout := "2006-01-02"
	if c.kind == moments || c.kind == zoned {
		for _, v := range c.cells {
			t, ok := v.(time.Time)
			switch {
			case !ok:
			case t.Nanosecond()%1e6 != 0:
				layout = "2006-01-02 15:04:05.000000"
			case t.Nanosecond() != 0 && !strings.HasSuffix(layout, "0"):
				layout = "2006-01-02 15:04:05.000"
			case (t.Hour() != 0 || t.Minute() != 0 || t.Second() != 0) && layout == "2006-01-02":
				layout = "2006-01-02 15:04:05"
			}
		}
		if c.kind == zoned {
			if layout == "2006-01-02" {
				layout = "2006-01-02 15:04:05"
			}
			layout += "-07:00"
		}
	}
	return func(v any) string {
		switch v := v.(type) {
		case float64:
			return pandasFloat(v)
		case date:
			return v.Format("2006-01-02")
		case time.Time:
			if form.moment != "" {
				return strftime(v, form.moment)
			}
			return v.Format(layout)
		case jsonCell:
			return reprOfJSON(string(v))
		}
		return pythonText(v)
	}
}

// pandasFloat is how a float stands in CSV.
func pandasFloat(n float64) string {
	switch {
	case math.IsInf(n, 1):
		return "inf"
	case math.IsInf(n, -1):
		return "-inf"
	}
	return pythonFloat(n)
}

// strftime is Python's, for the directives that moments need.
func strftime(t time.Time, format string) string {
	var b strings.Builder
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		layout := map[byte]string{
			'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'f': "000000", 'y': "06", 'j': "002", 'b': "Jan", 'B': "January",
			'a': "Mon", 'A': "Monday", 'I': "03", 'p': "PM", 'z': "-0700", 'F': "2006-01-02", 'T': "15:04:05", '%': "%",
		}[format[i]]
		switch {
		case layout == "":
			b.WriteString(format[i-1 : i+1])
		case format[i] == 'f':
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1000)
		default:
			b.WriteString(t.Format(layout))
		}
	}
	return b.String()
}

// reprOfJSON is Python's repr() of a JSON value, keys in their order.
func reprOfJSON(text string) string {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var b strings.Builder
	if err := convert(d, &b, func(v any) string {
		if n, ok := v.(json.Number); ok && strings.ContainsAny(n.String(), ".eE") {
			if x, err := n.Float64(); err == nil {
				return pythonFloat(x)
			}
		}
		return pythonRepr(v)
	}, ", ", ": "); err != nil {
		return text
	}
	return b.String()
}

// convert writes the next value of d with its scalars in another form.
func convert(d *json.Decoder, b *strings.Builder, scalar func(any) string, comma, colon string) error {
	t, err := d.Token()
	if err != nil {
		return err
	}
	open, ok := t.(json.Delim)
	if !ok {
		b.WriteString(scalar(t))
		return nil
	}
	b.WriteRune(rune(open))
	for n := 0; d.More(); n++ {
		if n > 0 {
			b.WriteString(comma)
		}
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			b.WriteString(scalar(key) + colon)
		}
		if err := convert(d, b, scalar, comma, colon); err != nil {
			return err
		}
	}
	end, err := d.Token()
	if err != nil {
		return err
	}
	b.WriteRune(rune(end.(json.Delim)))
	return nil
}

// A jsonForm is how a frame is written as JSON: the arguments of
// pandas.DataFrame.to_json.
type jsonForm struct {
	orient string // columns, index, records, split or values
	lines  bool
	iso    bool // moments as text
	ascii  bool
	digits int    // after the point of a float
	unit   string // s, ms, us or ns
	index  bool
}

func newJSONForm() jsonForm {
	return jsonForm{orient: "columns", ascii: true, digits: 10, unit: "ms", index: true}
}

// json writes a frame as pandas does.
func (f *frame) json(form *jsonForm) []byte {
	var b strings.Builder
	// An object or a list, whose members are written one by one.
	group := func(ends string, n int, member func(i int)) {
		b.WriteByte(ends[0])
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			member(i)
		}
		b.WriteByte(ends[1])
	}
	key := func(s string) { b.WriteString(form.text(s) + ":") }
	cell := func(row, col int) { form.cell(&b, f.columns[col].cells[row]) }
	record := func(row int) {
		group("{}", len(f.columns), func(i int) { key(f.columns[i].name); cell(row, i) })
	}
	values := func(row int) { group("[]", len(f.columns), func(i int) { cell(row, i) }) }
	switch {
	case form.lines:
		for r := range f.rows {
			record(r)
			b.WriteByte('\n')
		}
		if f.rows == 0 {
			b.WriteByte('\n')
		}
	case form.orient == "records":
		group("[]", f.rows, record)
	case form.orient == "values":
		group("[]", f.rows, values)
	case form.orient == "index":
		group("{}", f.rows, func(r int) { key(strconv.Itoa(r)); record(r) })
	case form.orient == "split":
		b.WriteString(`{"columns":`)
		group("[]", len(f.columns), func(i int) { b.WriteString(form.text(f.columns[i].name)) })
		if form.index {
			b.WriteString(`,"index":`)
			group("[]", f.rows, func(r int) { b.WriteString(strconv.Itoa(r)) })
		}
		b.WriteString(`,"data":`)
		group("[]", f.rows, values)
		b.WriteByte('}')
	default:
		group("{}", len(f.columns), func(i int) {
			key(f.columns[i].name)
			group("{}", f.rows, func(r int) { key(strconv.Itoa(r)); cell(r, i) })
		})
	}
	return []byte(b.String())
}

// cell writes one value.
func (form *jsonForm) cell(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(form.float(v))
	case date:
		form.moment(b, v.Time, "")
	case time.Time:
		zone := ""
		if v.Location() == time.UTC {
			zone = "Z"
		}
		form.moment(b, v, zone)
	case jsonCell:
		d := json.NewDecoder(strings.NewReader(string(v)))
		d.UseNumber()
		start := b.Len()
		err := convert(d, b, func(v any) string {
			switch v := v.(type) {
			case string:
				return form.text(v)
			case json.Number:
				if x, err := v.Float64(); err == nil && strings.ContainsAny(v.String(), ".eE") {
					return form.float(x)
				}
			}
			return string(encode(v))
		}, ",", ":")
		if err != nil && b.Len() == start {
			b.WriteString(form.text(string(v)))
		}
	default:
		b.WriteString(form.text(pythonText(v)))
	}
}

// moment writes a point of time: a number since 1970, or ISO text.
func (form *jsonForm) moment(b *strings.Builder, t time.Time, zone string) {
	digits := map[string]int{"s": 0, "ms": 3, "us": 6, "ns": 9}[form.unit]
	if form.iso {
		layout := "2006-01-02T15:04:05"
		if digits > 0 {
			layout += "." + strings.Repeat("0", digits)
		}
		b.WriteString(`"` + t.Format(layout) + zone + `"`)
		return
	}
	n := t.Unix()*int64(math.Pow10(digits)) + int64(t.Nanosecond())/int64(math.Pow10(9-digits))
	b.WriteString(strconv.FormatInt(n, 10))
}

// float writes a number with so many digits after the point, as the encoder of
// pandas does, which rounds by itself.
func (form *jsonForm) float(n float64) string {
	switch a := math.Abs(n); {
	case math.IsNaN(n) || math.IsInf(n, 0):
		return "null"
	case a > 1e16-1 || a != 0 && a < 1e-15:
		s := strconv.FormatFloat(n, 'g', max(form.digits, 1), 64)
		// %g of C leaves out zeros at the end.
		if mantissa, exponent, ok := strings.Cut(s, "e"); ok && strings.Contains(mantissa, ".") {
			s = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".") + "e" + exponent
		}
		return s
	default:
		scale := uint64(math.Pow10(form.digits))
		whole := uint64(a)
		rest := (a - float64(whole)) * float64(scale)
		frac := uint64(rest)
		if left := rest - float64(frac); left > 0.5 || left == 0.5 && (frac == 0 || frac%2 == 1) {
			frac++
		}
		if frac >= scale {
			frac, whole = 0, whole+1
		}
		s := strconv.FormatUint(whole, 10)
		switch {
		case form.digits == 0:
		case frac == 0:
			s += ".0"
		default:
			s += "." + strings.TrimRight(fmt.Sprintf("%0*d", form.digits, frac), "0")
		}
		if math.Signbit(n) && n != 0 {
			s = "-" + s
		}
		return s
	}
}

// text writes a text, with a backslash before each slash.
func (form *jsonForm) text(s string) string {
	quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "/", `\/`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\b", `\b`, "\f", `\f`).Replace(s) + `"`
	var b strings.Builder
	for _, r := range quoted {
		switch {
		case r < 0x20:
			fmt.Fprintf(&b, `\u%04x`, r)
		case r < utf8.RuneSelf || !form.ascii:
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(pythonASCII(string(r)), `"`))
		}
	}
	return b.String()
}
