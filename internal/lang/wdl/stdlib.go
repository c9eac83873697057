package wdl

import (
	"errors"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// apply calls a function of the standard library.
func (v *Evaluator) apply(e *Apply) (Value, error) {
	args := make([]Value, len(e.Args))
	for i, a := range e.Args {
		x, err := v.Expr(a)
		if err != nil {
			return nil, err
		}
		if i < len(e.Use.Params) {
			if x, err = v.Rules.Convert(x, e.Use.Params[i]); err != nil {
				return nil, at(a, err)
			}
		}
		args[i] = x
	}
	out, err := v.call(e.Name.Text, args)
	if err != nil {
		return nil, at(e, fmt.Errorf("%s(): %w", e.Name.Text, err))
	}
	if err := v.charge(e, out); err != nil {
		return nil, err
	}
	out, err = v.Rules.Convert(out, e.Use.Result)
	return out, at(e, err)
}

// charge counts what a function has made, so that many calls do not make more
// than one may.
func (v *Evaluator) charge(e *Apply, out Value) error {
	switch out := out.(type) {
	case *List:
		v.steps += len(out.Items)
	case *Dict:
		v.steps += len(out.Keys)
	case string:
		v.steps += len(out) / 64
	}
	if v.steps > maxSteps {
		return fault(e, "the evaluation takes more than %d steps", maxSteps)
	}
	return nil
}

// call is the library. The arguments are of the types of a signature; what
// they may be in spite of that, where a type is not known before, is said
// where it matters.
func (v *Evaluator) call(name string, a []Value) (Value, error) {
	switch name {
	case "floor", "ceil", "round":
		return rounded(name, a[0])
	case "min", "max":
		c, err := compare(a[0], a[1])
		if (c <= 0) == (name == "min") {
			return a[0], err
		}
		return a[1], err
	case "sub", "find", "matches":
		return match(name, a)
	case "basename":
		base := path.Base(str(a[0]))
		if len(a) > 1 {
			base = strings.TrimSuffix(base, str(a[1]))
		}
		return base, nil
	case "sep":
		all, err := texts(items(a[1]))
		return strings.Join(all, str(a[0])), err
	case "prefix":
		return mapped(a[1], func(s string) string { return str(a[0]) + s })
	case "suffix":
		return mapped(a[1], func(s string) string { return s + str(a[0]) })
	case "quote":
		return mapped(a[0], func(s string) string { return `"` + s + `"` })
	case "squote":
		return mapped(a[0], func(s string) string { return "'" + s + "'" })
	case "join_paths":
		return joinPaths(a)
	case "glob":
		names, err := v.Files.Glob(str(a[0]))
		return strs(names, func(s string) Value { return Path{Name: s} }), err
	case "stdout", "stderr":
		name, err := v.Files.Output(name == "stderr")
		return Path{Name: name}, err
	case "size":
		return v.size(a)
	case "defined":
		return a[0] != nil, nil
	}
	if strings.HasPrefix(name, "read_") {
		return v.read(name, a)
	}
	if strings.HasPrefix(name, "write_") {
		return v.write(name, a)
	}
	return collect(name, a)
}

// str returns an argument that is a text or a path.
func str(v Value) string {
	s, _ := text(v)
	return s
}

// items returns an argument that is an array.
func items(v Value) *List {
	if l, ok := v.(*List); ok {
		return l
	}
	return &List{}
}

func strs[T any](in []T, f func(T) Value) *List {
	out := &List{Items: make([]Value, len(in))}
	for i, x := range in {
		out.Items[i] = f(x)
	}
	return out
}

func mapped(v Value, f func(string) string) (Value, error) {
	all, err := texts(items(v))
	if err != nil {
		return nil, err
	}
	return strs(all, func(s string) Value { return f(s) }), nil
}

func rounded(name string, v Value) (Value, error) {
	f, ok := float(v)
	if !ok {
		return nil, fmt.Errorf("expected a number, found %s", kindOf(v))
	}
	switch name {
	case "floor":
		f = math.Floor(f)
	case "ceil":
		f = math.Ceil(f)
	default: // halves go up
		f = math.Floor(f + 0.5)
	}
	if !(math.Abs(f) < 1<<63) {
		return nil, errOverflow
	}
	return int64(f), nil
}

var backReference = regexp.MustCompile(`\\([0-9])`)

// match is sub, find and matches. Patterns are POSIX extended regular
// expressions with the classes that tools have added since; in what replaces
// them, \1 is the first group.
func match(name string, a []Value) (Value, error) {
	re, err := regexp.Compile(str(a[1]))
	if err != nil {
		return nil, fmt.Errorf("the pattern %s: %s", quote(str(a[1])), strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	s := str(a[0])
	switch name {
	case "matches":
		return re.MatchString(s), nil
	case "find":
		if at := re.FindStringIndex(s); at != nil {
			return s[at[0]:at[1]], nil
		}
		return nil, nil
	}
	with := backReference.ReplaceAllString(strings.ReplaceAll(str(a[2]), "$", "$$"), "$${$1}")
	if n := len(re.FindAllStringIndex(s, -1)); len(s)+n*len(with) > longest {
		return nil, fmt.Errorf("a text of more than %d bytes", longest)
	}
	return re.ReplaceAllString(s, with), nil
}

func joinPaths(a []Value) (Value, error) {
	var parts []string
	for _, x := range a {
		if l, ok := x.(*List); ok {
			more, err := texts(l)
			if err != nil {
				return nil, err
			}
			parts = append(parts, more...)
			continue
		}
		parts = append(parts, str(x))
	}
	for i, p := range parts[min(1, len(parts)):] {
		if strings.HasPrefix(p, "/") {
			return nil, fmt.Errorf("part %d, %s, is absolute; only the first may be", i+2, quote(p))
		}
	}
	return path.Join(parts...), nil
}

// units are the bytes in each unit that size knows.
var units = map[string]float64{
	"B": 1, "K": 1e3, "KB": 1e3, "M": 1e6, "MB": 1e6, "G": 1e9, "GB": 1e9, "T": 1e12, "TB": 1e12,
	"Ki": 1 << 10, "KiB": 1 << 10, "Mi": 1 << 20, "MiB": 1 << 20, "Gi": 1 << 30, "GiB": 1 << 30, "Ti": 1 << 40, "TiB": 1 << 40,
}

// unitNamed returns the bytes in a unit, whatever the case of its letters.
func unitNamed(name string) (float64, bool) {
	n, ok := units[name]
	for known, bytes := range units {
		if !ok && strings.EqualFold(known, name) {
			n, ok = bytes, true
		}
	}
	return n, ok
}

func (v *Evaluator) size(a []Value) (Value, error) {
	unit := 1.0
	if len(a) > 1 {
		var ok bool
		if unit, ok = unitNamed(str(a[1])); !ok {
			return nil, fmt.Errorf("no unit: %s; expected B, KB, MB, GB, TB, KiB, MiB, GiB or TiB", quote(str(a[1])))
		}
	}
	total := int64(0)
	_, err := Paths(a[0], func(p Path) (Value, error) {
		n, err := v.Files.Size(p.Name)
		total += n
		return p, err
	})
	return float64(total) / unit, err
}

// collect is the part of the library that is about arrays, maps and structs.
func collect(name string, a []Value) (Value, error) {
	switch name {
	case "select_first":
		for _, x := range items(a[0]).Items {
			if x != nil {
				return x, nil
			}
		}
		if len(a) > 1 {
			return a[1], nil
		}
		return nil, absence{errors.New("all items are None")}
	case "select_all":
		out := &List{}
		for _, x := range items(a[0]).Items {
			if x != nil {
				out.Items = append(out.Items, x)
			}
		}
		return out, nil
	case "length":
		return length(a[0])
	case "range":
		return span(a[0].(int64))
	case "transpose":
		return transpose(items(a[0]))
	case "zip":
		return zip(items(a[0]), items(a[1]))
	case "unzip":
		left, right := &List{}, &List{}
		for _, x := range items(a[0]).Items {
			left.Items, right.Items = append(left.Items, x.(*Couple).Left), append(right.Items, x.(*Couple).Right)
		}
		return &Couple{left, right}, nil
	case "cross":
		return cross(items(a[0]), items(a[1]))
	case "flatten":
		out := &List{}
		for _, x := range items(a[0]).Items {
			if len(out.Items)+len(items(x).Items) > maxItems {
				return nil, errMany
			}
			out.Items = append(out.Items, items(x).Items...)
		}
		return out, nil
	case "chunk":
		return chunk(items(a[0]), a[1].(int64))
	case "contains":
		for _, x := range items(a[0]).Items {
			if equal(x, a[1]) {
				return true, nil
			}
		}
		return false, nil
	case "contains_key":
		return containsKey(a[0], a[1]), nil
	}
	return ofMaps(name, a)
}

// ofMaps is the part of the library that is about maps.
func ofMaps(name string, a []Value) (Value, error) {
	switch name {
	case "keys":
		if rec, ok := a[0].(*Record); ok {
			return strs(rec.Names, func(s string) Value { return s }), nil
		}
		return &List{Items: dict(a[0]).Keys}, nil
	case "values":
		return &List{Items: dict(a[0]).Values}, nil
	case "as_pairs":
		d := dict(a[0])
		return zip(&List{Items: d.Keys}, &List{Items: d.Values})
	case "as_map":
		var ks, vs []Value
		seen := map[Value]bool{}
		for _, x := range items(a[0]).Items {
			pair := x.(*Couple)
			if seen[pair.Left] {
				return nil, fmt.Errorf("the key %s is there twice", quote(str(pair.Left)))
			}
			seen[pair.Left] = true
			ks, vs = append(ks, pair.Left), append(vs, pair.Right)
		}
		return NewDict(ks, vs), nil
	case "collect_by_key":
		var ks []Value
		lists := map[Value]*List{}
		for _, x := range items(a[0]).Items {
			pair := x.(*Couple)
			if lists[pair.Left] == nil {
				lists[pair.Left] = &List{}
				ks = append(ks, pair.Left)
			}
			l := lists[pair.Left]
			l.Items = append(l.Items, pair.Right)
		}
		return NewDict(ks, strs(ks, func(k Value) Value { return lists[k] }).Items), nil
	}
	return nil, errors.New("there is no such function")
}

func dict(v Value) *Dict {
	if d, ok := v.(*Dict); ok {
		return d
	}
	return &Dict{}
}

var errMany = fmt.Errorf("an array of more than %d items", maxItems)

func length(v Value) (Value, error) {
	switch v := v.(type) {
	case *List:
		return int64(len(v.Items)), nil
	case *Dict:
		return int64(len(v.Keys)), nil
	case *Record:
		return int64(len(v.Names)), nil
	case string:
		return int64(len([]rune(v))), nil
	}
	return nil, fmt.Errorf("%s has no length", kindOf(v))
}

func span(n int64) (Value, error) {
	switch {
	case n < 0:
		return nil, fmt.Errorf("expected 0 or more, found %d", n)
	case n > maxItems:
		return nil, errMany
	}
	t := Of(Int)
	out := &List{Items: make([]Value, n), item: &t}
	for i := range out.Items {
		out.Items[i] = int64(i)
	}
	return out, nil
}

func transpose(rows *List) (Value, error) {
	if len(rows.Items) == 0 {
		return rows, nil
	}
	n := len(items(rows.Items[0]).Items)
	out := make([]*List, n)
	for i := range out {
		out[i] = &List{}
	}
	for k, row := range rows.Items {
		items := items(row).Items
		if len(items) != n {
			return nil, fmt.Errorf("the first row has %d items and row %d has %d", n, k+1, len(items))
		}
		for i, x := range items {
			out[i].Items = append(out[i].Items, x)
		}
	}
	return strs(out, func(l *List) Value { return l }), nil
}

func zip(a, b *List) (Value, error) {
	if len(a.Items) != len(b.Items) {
		return nil, fmt.Errorf("arrays of %d and %d items; expected as many", len(a.Items), len(b.Items))
	}
	out := &List{Items: make([]Value, len(a.Items))}
	for i := range out.Items {
		out.Items[i] = &Couple{a.Items[i], b.Items[i]}
	}
	return out, nil
}

func cross(a, b *List) (Value, error) {
	if len(b.Items) > 0 && len(a.Items) > maxItems/len(b.Items) {
		return nil, errMany
	}
	out := &List{Items: make([]Value, 0, len(a.Items)*len(b.Items))}
	for _, x := range a.Items {
		for _, y := range b.Items {
			out.Items = append(out.Items, &Couple{x, y})
		}
	}
	return out, nil
}

func chunk(l *List, n int64) (Value, error) {
	if n < 1 {
		return nil, fmt.Errorf("expected chunks of 1 item or more, found %d", n)
	}
	out := &List{}
	for items := l.Items; len(items) > 0; {
		k := int(min(n, int64(len(items))))
		out.Items = append(out.Items, &List{Items: items[:k:k]})
		items = items[k:]
	}
	return out, nil
}

// containsKey also follows several keys, each into what the one before led to.
func containsKey(v, key Value) bool {
	path := []Value{key}
	if l, ok := key.(*List); ok {
		path = l.Items
	}
	for _, k := range path {
		var ok bool
		switch in := v.(type) {
		case *Dict:
			v, ok = in.Find(k)
		case *Record:
			v, ok = in.Find(str(k))
		}
		if !ok {
			return false
		}
	}
	return true
}

// read is the part of the library that reads files.
func (v *Evaluator) read(name string, a []Value) (Value, error) {
	data, err := v.Files.Read(str(a[0]), maxRead)
	if err != nil {
		return nil, err
	}
	s := string(data)
	switch name {
	case "read_string":
		return strings.TrimRight(s, "\r\n"), nil
	case "read_int":
		n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s holds no Int: %s", quote(str(a[0])), quote(strings.TrimSpace(s)))
		}
		return n, nil
	case "read_float":
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return nil, fmt.Errorf("%s holds no Float: %s", quote(str(a[0])), quote(strings.TrimSpace(s)))
		}
		return f, nil
	case "read_boolean":
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%s holds neither true nor false: %s", quote(str(a[0])), quote(strings.TrimSpace(s)))
	case "read_json":
		return ParseJSON(data)
	case "read_lines":
		return strs(splitLines(s), func(s string) Value { return s }), nil
	}
	rows := splitLines(s)
	cells := make([][]string, len(rows))
	for i, row := range rows {
		cells[i] = strings.Split(row, "\t")
	}
	return table(name, a, cells)
}

// splitLines returns the lines of a text without their ends.
func splitLines(s string) []string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.TrimRight(line, "\r\n"))
	}
	return out
}

// table is what read_tsv, read_map and read_object(s) make of cells.
func table(name string, a []Value, cells [][]string) (Value, error) {
	asText := func(s string) Value { return s }
	switch name {
	case "read_map":
		var ks, vs []Value
		seen := map[string]bool{}
		for i, row := range cells {
			if len(row) != 2 {
				return nil, fmt.Errorf("line %d has %d columns; expected 2", i+1, len(row))
			}
			if seen[row[0]] {
				return nil, fmt.Errorf("line %d: the key %s is there twice", i+1, quote(row[0]))
			}
			seen[row[0]] = true
			ks, vs = append(ks, row[0]), append(vs, row[1])
		}
		return NewDict(ks, vs), nil
	case "read_tsv":
		if len(a) == 1 || len(a) == 2 && a[1] == false {
			return strs(cells, func(row []string) Value { return strs(row, asText) }), nil
		}
	}
	names, first := []string(nil), 1
	if len(a) > 2 { // read_tsv: are there names in the file, and the names
		names, _ = texts(items(a[2]))
		if a[1] == false {
			first = 0
		}
	}
	if len(cells) < first {
		if name == "read_object" {
			return nil, errors.New("the file is empty; expected one line of names and one of values")
		}
		return &List{}, nil
	}
	if names == nil {
		names = cells[0]
	}
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return nil, fmt.Errorf("the name %s is there twice", quote(n))
		}
	}
	objects := &List{}
	for i, row := range cells[first:] {
		if len(row) != len(names) {
			return nil, fmt.Errorf("line %d has %d columns; there are %d names", first+i+1, len(row), len(names))
		}
		objects.Items = append(objects.Items, &Record{names, strs(row, asText).Items})
	}
	if name == "read_object" {
		if len(objects.Items) != 1 {
			return nil, fmt.Errorf("%d lines; expected one of names and one of values", len(cells))
		}
		return objects.Items[0], nil
	}
	return objects, nil
}

// write is the part of the library that writes files.
func (v *Evaluator) write(name string, a []Value) (Value, error) {
	var b []byte
	var err error
	line := func(cells []string) {
		b = append(append(b, strings.Join(cells, "\t")...), '\n')
	}
	switch name {
	case "write_json":
		if v.Rules.Version >= V11 {
			if err := keyed(a[0]); err != nil {
				return nil, err
			}
		}
		b, err = jsonStyle{", ", ": "}.append(nil, a[0])
	case "write_lines":
		var all []string
		all, err = texts(items(a[0]))
		for _, s := range all {
			b = append(append(b, s...), '\n')
		}
	case "write_map":
		for i, k := range dict(a[0]).Keys {
			line([]string{str(k), str(dict(a[0]).Values[i])})
		}
	case "write_object":
		err = records([]Value{a[0]}, true, line)
	case "write_objects":
		err = records(items(a[0]).Items, true, line)
	case "write_tsv":
		header := len(a) > 1 && a[1] == true
		rows := items(a[0]).Items
		if len(a) > 2 && header {
			names, _ := texts(items(a[2]))
			for i, row := range rows {
				if n, err := length(row); err != nil || n != int64(len(names)) {
					return nil, fmt.Errorf("row %d has %v columns; there are %d names", i+1, n, len(names))
				}
			}
			line(names)
			header = false
		}
		if len(rows) > 0 {
			if _, ok := rows[0].(*Record); ok {
				err = records(rows, header, line)
				break
			}
		}
		for _, row := range rows {
			cells, rowErr := texts(items(row))
			err = errors.Join(err, rowErr)
			line(cells)
		}
	default:
		return nil, errors.New("there is no such function")
	}
	if err != nil {
		return nil, err
	}
	file, err := v.Files.Write(b)
	return Path{Name: file}, err
}

// keyed complains of a map within a value whose keys are no texts: JSON would
// not tell them from texts.
func keyed(v Value) error {
	var all []Value
	switch v := v.(type) {
	case *Dict:
		for _, k := range v.Keys {
			switch k.(type) {
			case string, Path:
			default:
				return fmt.Errorf("the keys of a JSON object are texts, and a map has %s: use as_pairs(), or keys that are Strings", kindOf(k))
			}
		}
		all = v.Values
	case *List:
		all = v.Items
	case *Couple:
		all = []Value{v.Left, v.Right}
	case *Record:
		all = v.Values
	}
	for _, x := range all {
		if err := keyed(x); err != nil {
			return err
		}
	}
	return nil
}

// records writes objects as a table, with a line of their names if there is to
// be one.
func records(rows []Value, header bool, line func([]string)) error {
	for i, row := range rows {
		rec, ok := row.(*Record)
		if !ok {
			return fmt.Errorf("row %d: expected an Object, found %s", i+1, kindOf(row))
		}
		if i == 0 && header {
			line(rec.Names)
		}
		first := rows[0].(*Record)
		if len(rec.Names) != len(first.Names) {
			return fmt.Errorf("object %d has other members than the first", i+1)
		}
		cells := make([]string, len(first.Names))
		for k, name := range first.Names {
			x, ok := rec.Find(name)
			if !ok {
				return fmt.Errorf("object %d has other members than the first", i+1)
			}
			s, ok := text(x)
			if !ok && x != nil {
				return fmt.Errorf("member %s: a table has values without parts; found %s", name, kindOf(x))
			}
			cells[k] = s
		}
		line(cells)
	}
	return nil
}
