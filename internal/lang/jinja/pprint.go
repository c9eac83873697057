package jinja

import (
	"regexp"
	"slices"
	"strings"
)

// pformat is Python's pprint.pformat: 80 columns, keys in order.
func (m *machine) pformat(v Value) string {
	p := &printer{m: m}
	p.format(v, 0, 0, 0)
	m.alloc(p.b.Len())
	return p.b.String()
}

type printer struct {
	m *machine
	b strings.Builder
}

const pprintWidth = 80

func (p *printer) format(v Value, indent, allowance, level int) {
	p.m.step(1)
	rep := p.repr(v)
	if runeLen(rep) <= pprintWidth-indent-allowance {
		p.b.WriteString(rep)
		return
	}
	level++
	if !p.m.container(v) {
		p.b.WriteString(rep)
		return
	}
	defer p.m.leaveContainer(v)
	switch v := v.(type) {
	case *Dict:
		p.b.WriteByte('{')
		p.dict(v, indent, allowance+1, level)
		p.b.WriteByte('}')
	case *List:
		p.b.WriteByte('[')
		p.items(v.Items, indent, allowance+1, level)
		p.b.WriteByte(']')
	case *Tuple:
		if v.Class != nil {
			p.b.WriteString(rep)
			return
		}
		end := ")"
		if len(v.Items) == 1 {
			end = ",)"
		}
		p.b.WriteByte('(')
		p.items(v.Items, indent, allowance+len(end), level)
		p.b.WriteString(end)
	case *setValue:
		open, end := "{", "}"
		if v.frozen {
			open, end = "frozenset({", "})"
			indent += len("frozenset") + 1
		}
		p.b.WriteString(open)
		p.items(p.sorted(v.dict.keys()), indent, allowance+len(end), level)
		p.b.WriteString(end)
	case Str:
		p.text(string(v), rep, indent, allowance, level)
	default:
		p.b.WriteString(rep)
	}
}

// repr is repr with the keys of dicts in order.
func (p *printer) repr(v Value) string {
	switch v := v.(type) {
	case *Dict:
		if v.live == 0 {
			return "{}"
		}
		if !p.m.container(v) {
			return "<Recursion on dict with id=" + p.m.identity(v) + ">"
		}
		defer p.m.leaveContainer(v)
		var parts []string
		for _, item := range p.sortedItems(v) {
			kv := item.(*Tuple).Items
			parts = append(parts, p.repr(kv[0])+": "+p.repr(kv[1]))
		}
		return p.sum("{", parts, "}")
	case *List:
		return p.sequence(v, "[", v.Items, "]")
	case *Tuple:
		if v.Class != nil {
			return p.m.repr(v)
		}
		if len(v.Items) == 1 {
			return p.sequence(v, "(", v.Items, ",)")
		}
		return p.sequence(v, "(", v.Items, ")")
	}
	return p.m.repr(v)
}

func (p *printer) sum(open string, parts []string, end string) string {
	s := open + strings.Join(parts, ", ") + end
	p.m.alloc(len(s))
	return s
}

func (p *printer) sequence(v Value, open string, items []Value, end string) string {
	if len(items) == 0 {
		return open + end
	}
	if !p.m.container(v) {
		return "<Recursion on " + v.Type().Name + " with id=" + p.m.identity(v) + ">"
	}
	defer p.m.leaveContainer(v)
	parts := make([]string, len(items))
	for i, item := range items {
		parts[i] = p.repr(item)
	}
	return p.sum(open, parts, end)
}

// sorted orders what may not be comparable: by value where that works, else
// by the name of the class.
func (p *printer) sorted(items []Value) []Value {
	items = slices.Clone(items)
	slices.SortStableFunc(items, func(a, b Value) int { return p.order(a, b) })
	return items
}

func (p *printer) sortedItems(d *Dict) []Value {
	items := d.items()
	slices.SortStableFunc(items, func(a, b Value) int {
		return p.order(a.(*Tuple).Items[0], b.(*Tuple).Items[0])
	})
	return items
}

func (p *printer) order(a, b Value) int {
	c := 0
	if catch(func() {
		switch {
		case p.m.compare("<", a, b):
			c = -1
		case p.m.compare("<", b, a):
			c = 1
		}
	}, "TypeError") != nil {
		c = strings.Compare(p.m.repr(a.Type()), p.m.repr(b.Type()))
	}
	return c
}

func (p *printer) newline(indent int) {
	p.m.alloc(indent)
	p.b.WriteString(",\n" + strings.Repeat(" ", indent))
}

func (p *printer) dict(d *Dict, indent, allowance, level int) {
	items := p.sortedItems(d)
	for i, item := range items {
		if i > 0 {
			p.newline(indent + 1)
		}
		kv := item.(*Tuple).Items
		rep := p.repr(kv[0])
		p.b.WriteString(rep + ": ")
		room := 1
		if i == len(items)-1 {
			room = allowance
		}
		p.format(kv[1], indent+1+runeLen(rep)+2, room, level)
	}
}

func (p *printer) items(items []Value, indent, allowance, level int) {
	for i, item := range items {
		if i > 0 {
			p.newline(indent + 1)
		}
		room := 1
		if i == len(items)-1 {
			room = allowance
		}
		p.format(item, indent+1, room, level)
	}
}

var pprintWords = regexp.MustCompile(`\S*\s*`)

// text breaks a long text into several literals.
func (p *printer) text(s, rep string, indent, allowance, level int) {
	if level == 1 {
		indent++
		allowance++
	}
	room := pprintWidth - indent
	var chunks []string
	lines := splitLines(s, true)
	for i, line := range lines {
		lastLine := i == len(lines)-1
		width := room
		if lastLine {
			width -= allowance
		}
		rep = quote(line)
		if runeLen(rep) <= width {
			chunks = append(chunks, rep)
			continue
		}
		parts := pprintWords.FindAllString(line, -1)
		if n := len(parts); n > 0 && parts[n-1] == "" {
			parts = parts[:n-1]
		}
		width, current := room, ""
		for j, part := range parts {
			p.m.alloc(len(current) + len(part))
			if lastLine && j == len(parts)-1 {
				width -= allowance
			}
			if runeLen(quote(current+part)) > width {
				if current != "" {
					chunks = append(chunks, quote(current))
				}
				current = part
			} else {
				current += part
			}
		}
		if current != "" {
			chunks = append(chunks, quote(current))
		}
	}
	if len(chunks) == 1 {
		p.b.WriteString(rep)
		return
	}
	body := strings.Join(chunks, "\n"+strings.Repeat(" ", indent))
	if level == 1 {
		body = "(" + body + ")"
	}
	p.b.WriteString(body)
}
