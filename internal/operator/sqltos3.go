package operator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// uploadQuery writes the result of a query to one object or several, as pandas
// would write it.
func uploadQuery(ctx context.Context, a *action, c *s3.Client) error {
	query, bucket, key := a.needed("query"), a.needed("s3_bucket"), a.needed("s3_key")
	write, ends, err := frameWriter(a)
	if err != nil {
		return err
	}
	split, err := splitter(a)
	if err != nil {
		return err
	}
	conn, err := a.connect(ctx, "sql_conn_id")
	if err != nil {
		return err
	}
	if conn, err = conn.with(a); err != nil {
		return err
	}
	var params any
	if raw := a.raw("parameters"); raw != nil {
		if params, err = parseJSON(string(raw)); err != nil {
			return Errorf("SqlToS3Operator: parameters: %v", err)
		}
	}
	f, err := conn.query(ctx, query, params)
	if err != nil {
		return err
	}
	a.log("info", "Data from SQL obtained: %d rows", f.rows)
	for _, end := range []string{".json.gz", ".csv.gz", ".json", ".csv", ".parquet"} {
		if stem, ok := strings.CutSuffix(key, end); ok {
			key = stem
			break
		}
	}
	parts, err := split(f)
	if err != nil {
		return err
	}
	for _, p := range parts {
		body, err := write(p.frame)
		if err != nil {
			return err
		}
		name := key + ends
		if p.name != "" {
			name = key + "_" + p.name + ends
		}
		if err := putObject(ctx, a, c, &s3.PutObjectInput{Bucket: &bucket, Key: &name}, body, a.flag("replace")); err != nil {
			return err
		}
	}
	return nil
}

// with is the connection with what the hook's parameters change of it.
func (c connection) with(a *action) (connection, error) {
	hook, err := a.mapping("sql_hook_params")
	if err != nil {
		return c, err
	}
	for _, name := range slices.Sorted(maps.Keys(hook)) {
		v, ok := hook[name].(string)
		switch {
		case ok && (name == "database" || name == "schema"):
			c.schema = v
		case truthy(hook[name]):
			return c, a.unknown("sql_hook_params", name, "database", "schema")
		}
	}
	return c, nil
}

// mapping returns an argument that is a mapping or None.
func (a *action) mapping(name string) (map[string]any, error) {
	raw := a.raw(name)
	if raw == nil {
		return nil, nil
	}
	v, err := parseJSON(string(raw))
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		a.wrong(name, "a mapping", raw)
		return nil, a.err
	}
	return m, nil
}

// unknown refuses a member of a mapping that would be the argument of a Python
// function.
func (a *action) unknown(arg, name string, known ...string) error {
	return &Error{Fatal: true, Message: fmt.Sprintf("%s: %s of %s is not supported here; these are: %s", a.spec.Class, clip(name, 80), arg, strings.Join(known, ", "))}
}

// frameWriter returns what writes a frame in the form that the arguments ask
// for, and the ending of its name.
func frameWriter(a *action) (write func(*frame) ([]byte, error), ends string, err error) {
	if a.text("df_type") != "pandas" {
		return nil, "", &Error{Fatal: true, Message: "SqlToS3Operator: df_type must be pandas: the operator cannot write what polars has"}
	}
	for _, name := range []string{"read_kwargs", "read_pd_kwargs"} {
		read, err := a.mapping(name)
		if err != nil {
			return nil, "", err
		}
		for _, k := range slices.Sorted(maps.Keys(read)) {
			if k != "coerce_float" || !truthy(read[k]) {
				return nil, "", a.unknown(name, k, "coerce_float: true")
			}
		}
	}
	given, err := a.mapping("df_kwargs")
	if err == nil && given == nil {
		given, err = a.mapping("pd_kwargs")
	}
	if err != nil || a.err != nil {
		return nil, "", orFirst(a.err, err)
	}
	if _, ok := given["path_or_buf"]; ok {
		return nil, "", Errorf("The argument path_or_buf is not allowed, please remove it")
	}
	zip := given["compression"] == "gzip"
	if zip {
		given = maps.Clone(given)
		delete(given, "compression")
	}
	switch format := strings.ToLower(a.text("file_format")); format {
	case "csv":
		write, err = a.csvWriter(given)
	case "json":
		write, err = a.jsonWriter(given)
	case "parquet":
		err = &Error{Fatal: true, Message: "SqlToS3Operator: file_format parquet is not supported here; csv and json are"}
	default:
		err = &Error{Fatal: true, Message: "The argument file_format doesn't support " + clip(format, 80) + " value."}
	}
	ends = "." + strings.ToLower(a.text("file_format"))
	if !zip || err != nil {
		return write, ends, err
	}
	plain := write
	return func(f *frame) ([]byte, error) {
		text, err := plain(f)
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = w.Write(text) // a buffer takes everything
		w.Close()
		return b.Bytes(), nil
	}, ends + ".gz", nil
}

func orFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// csvWriter reads the arguments of pandas.DataFrame.to_csv.
func (a *action) csvWriter(given map[string]any) (func(*frame) ([]byte, error), error) {
	form := newCSVForm()
	var columns []string
	floats := ""
	for _, name := range slices.Sorted(maps.Keys(given)) {
		v := given[name]
		text, isText := v.(string)
		single := isText && len([]rune(text)) == 1
		yes, isFlag := v.(bool)
		list, isList := texts(v)
		ok := true
		switch name {
		case "sep":
			form.separator, ok = text, single
		case "na_rep":
			form.absent, ok = text, isText
		case "quotechar":
			form.quote, ok = text, single
		case "escapechar":
			form.escape, ok = text, single || v == nil
		case "lineterminator", "line_terminator":
			form.end, ok = text, isText && text != ""
		case "index_label":
			form.label, ok = text, isText || v == nil
		case "date_format":
			form.moment, ok = text, isText || v == nil
		case "float_format":
			floats = text
			_, err := percentFloat(text, 1)
			ok = isText && err == nil || v == nil
		case "header":
			form.header, form.names, ok = yes || isList, list, isFlag || isList
		case "index":
			form.index, ok = yes, isFlag
		case "doublequote":
			form.double, ok = yes, isFlag
		case "columns":
			columns, ok = list, isList || v == nil
		case "quoting":
			n, err := strconv.Atoi(pythonText(v))
			form.quoting, ok = n, err == nil && n >= quoteMinimal && n <= quoteNone
		case "encoding", "mode", "chunksize":
			// A text that is written at once is UTF-8, whatever these say.
		default:
			return nil, a.unknown("df_kwargs", name, "sep", "na_rep", "float_format", "columns", "header", "index", "index_label", "compression: gzip",
				"quoting", "quotechar", "lineterminator", "date_format", "doublequote", "escapechar")
		}
		if !ok {
			return nil, &Error{Fatal: true, Message: fmt.Sprintf("SqlToS3Operator: df_kwargs: %s cannot be %s", name, clip(pythonRepr(v), 80))}
		}
	}
	return func(f *frame) ([]byte, error) {
		f, err := f.choose(columns)
		if err != nil {
			return nil, err
		}
		if form.names != nil && len(form.names) != len(f.columns) {
			return nil, Errorf("Writing %d cols but got %d aliases", len(f.columns), len(form.names))
		}
		if floats != "" {
			f = f.formatted(floats)
		}
		return f.csv(&form)
	}, nil
}

// texts returns a list of texts.
func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	l := []string{}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, false
		}
		l = append(l, s)
	}
	return l, true
}

// choose returns a frame with the columns of the given names, or all.
func (f *frame) choose(names []string) (*frame, error) {
	if names == nil {
		return f, nil
	}
	p := &frame{rows: f.rows}
	for _, name := range names {
		i := f.column(name)
		if i < 0 {
			return nil, Errorf("the query has no column %s", clip(name, 80))
		}
		p.columns = append(p.columns, f.columns[i])
	}
	return p, nil
}

// percentFloat is Python's format % n, of a format such as "%.2f".
func percentFloat(format string, n float64) (string, error) {
	start := strings.IndexByte(format, '%')
	end := -1
	if start >= 0 {
		end = start + strings.IndexAny(format[start:], "feEgG")
	}
	if end <= start || strings.Trim(format[start+1:end], "+-# 0123456789.") != "" || end-start > 10 || strings.Contains(format[end+1:], "%") {
		return "", Errorf("%s is no format of a float", pythonRepr(clip(format, 80)))
	}
	return format[:start] + fmt.Sprintf(format[start:end+1], n) + format[end+1:], nil
}

// formatted returns a frame whose floats are written in a format of their own.
func (f *frame) formatted(format string) *frame {
	p := &frame{rows: f.rows}
	for _, c := range f.columns {
		cells := slices.Clone(c.cells)
		for i, v := range cells {
			if n, ok := v.(float64); ok {
				if s, err := percentFloat(format, n); err == nil {
					cells[i] = s
				}
			}
		}
		p.columns = append(p.columns, column{c.name, c.kind, cells})
	}
	return p
}

// jsonWriter reads the arguments of pandas.DataFrame.to_json.
func (a *action) jsonWriter(given map[string]any) (func(*frame) ([]byte, error), error) {
	form := newJSONForm()
	for _, name := range slices.Sorted(maps.Keys(given)) {
		v := given[name]
		text, isText := v.(string)
		yes, isFlag := v.(bool)
		var ok bool
		switch name {
		case "orient":
			form.orient, ok = text, slices.Contains([]string{"columns", "index", "records", "split", "values"}, text)
		case "lines":
			form.lines, ok = yes, isFlag
		case "date_format":
			form.iso, ok = text == "iso", isText && (text == "iso" || text == "epoch")
		case "date_unit":
			form.unit, ok = text, slices.Contains([]string{"s", "ms", "us", "ns"}, text)
		case "force_ascii":
			form.ascii, ok = yes, isFlag
		case "index":
			form.index, ok = yes, isFlag
		case "double_precision":
			n, err := strconv.Atoi(pythonText(v))
			form.digits, ok = n, err == nil && n >= 0 && n <= 15
		case "mode":
			ok = text == "w"
		default:
			return nil, a.unknown("df_kwargs", name, "orient", "date_format", "double_precision", "force_ascii", "date_unit", "lines", "compression: gzip", "index")
		}
		if !ok {
			return nil, &Error{Fatal: true, Message: fmt.Sprintf("SqlToS3Operator: df_kwargs: %s cannot be %s", name, clip(pythonRepr(v), 80))}
		}
	}
	switch {
	case form.lines && form.orient != "records":
		return nil, &Error{Fatal: true, Message: "'lines' keyword only valid when 'orient' is records"}
	case given["index"] == false && (form.orient == "index" || form.orient == "columns"):
		return nil, &Error{Fatal: true, Message: "'index=False' is only valid when 'orient' is 'split', 'table', 'records', or 'values'."}
	}
	return func(f *frame) ([]byte, error) {
		for i, c := range f.columns {
			if f.column(c.name) != i && form.orient != "split" && form.orient != "values" {
				return nil, Errorf("DataFrame columns must be unique for orient='%s'.", form.orient)
			}
		}
		return f.json(&form), nil
	}, nil
}

// A framePart is what becomes one object.
type framePart struct {
	name  string
	frame *frame
}

// splitter returns what parts a frame into those of the objects.
func splitter(a *action) (func(*frame) ([]framePart, error), error) {
	rows := a.number("max_rows_per_file")
	groups, err := a.mapping("groupby_kwargs")
	if err != nil || a.err != nil {
		return nil, orFirst(a.err, err)
	}
	switch {
	case rows != 0 && len(groups) > 0:
		return nil, &Error{Fatal: true, Message: "SqlToS3Operator arguments max_rows_per_file and groupby_kwargs can not be both specified. Please choose one."}
	case rows != 0 && rows != float64(int(rows)) || rows < 0:
		return nil, &Error{Fatal: true, Message: "SqlToS3Operator: max_rows_per_file must be a whole number above 0"}
	case rows != 0:
		return func(f *frame) ([]framePart, error) { return f.chunks(int(rows)), nil }, nil
	case len(groups) == 0:
		return func(f *frame) ([]framePart, error) { return []framePart{{"", f}}, nil }, nil
	}
	var by []string
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		v := groups[name]
		list, isList := texts(v)
		text, isText := v.(string)
		switch {
		case name == "by" && isText:
			by = []string{text}
		case name == "by" && isList && len(list) == 1:
			by = list
		case (name == "sort" || name == "dropna") && v == true, name == "as_index" || name == "group_keys":
		default:
			return nil, a.unknown("groupby_kwargs", name+" "+clip(pythonRepr(v), 80), "by: a column")
		}
	}
	if by == nil {
		return nil, &Error{Fatal: true, Message: "SqlToS3Operator: groupby_kwargs must have by"}
	}
	return func(f *frame) ([]framePart, error) { return f.groups(by[0]) }, nil
}

// chunks parts a frame into such of so many rows. The first has no name.
func (f *frame) chunks(size int) []framePart {
	var parts []framePart
	for start := 0; start < f.rows; start += size {
		var rows []int
		for r := start; r < min(start+size, f.rows); r++ {
			rows = append(rows, r)
		}
		name := ""
		if start > 0 {
			name = strconv.Itoa(start / size)
		}
		parts = append(parts, framePart{name, f.part(rows)})
	}
	return parts
}

// groups parts a frame by the values of a column, in their order; rows without
// one are left out.
func (f *frame) groups(by string) ([]framePart, error) {
	i := f.column(by)
	if i < 0 {
		return nil, Errorf("the query has no column %s", clip(by, 80))
	}
	c := &f.columns[i]
	rows := map[any][]int{}
	for r, v := range c.cells {
		if v != nil {
			rows[v] = append(rows[v], r)
		}
	}
	form := newCSVForm()
	shown := c.shown(&form)
	var parts []framePart
	for _, v := range slices.SortedFunc(maps.Keys(rows), compareCells) {
		name := shown(v)
		if !truthyCell(v) {
			name = "" // the provider takes a name that is false for none
		}
		parts = append(parts, framePart{name, f.part(rows[v])})
	}
	return parts, nil
}

func truthyCell(v any) bool {
	switch v.(type) {
	case bool, int64, float64, string:
		return truthy(json.Number(fmt.Sprint(v))) && v != "" && v != false
	}
	return true
}

// compareCells orders the values of a column.
func compareCells(a, b any) int {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(int64); ok {
			return int(min(max(x-y, -1), 1))
		}
	case float64:
		if y, ok := b.(float64); ok {
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		}
	case date:
		if y, ok := b.(date); ok {
			return x.Compare(y.Time)
		}
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
