package meter

import (
	"bufio"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A family is a metric: its values under different labels. Write shows it in
// Prometheus's text format, version 0.0.4.
type family struct {
	name, help string
	kind       string // counter, gauge or histogram
	labels     []string
	bounds     []float64 // of the buckets of a histogram

	mu     sync.Mutex
	series map[string]*series // by the labels as they are written
}

// A series is the values under one set of labels.
type series struct {
	value   float64 // the sum, in a histogram
	count   uint64
	buckets []uint64 // how many observations were in each, but in none before
}

func newFamily(kind, name, help string, labels ...string) *family {
	return &family{name: name, help: help, kind: kind, labels: labels, series: map[string]*series{}}
}

func newHistogram(name, help string, bounds []float64, labels ...string) *family {
	f := newFamily("histogram", name, help, labels...)
	f.bounds = bounds
	if len(labels) == 0 {
		f.at(nil) // shown before the first observation
	}
	return f
}

// at returns the series under labels; f.mu is held, or f is new.
func (f *family) at(values []string) *series {
	key := labelText(f.labels, values)
	s := f.series[key]
	if s == nil {
		s = &series{buckets: make([]uint64, len(f.bounds))}
		f.series[key] = s
	}
	return s
}

// add adds v to the value under labels.
func (f *family) add(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at(values).value += v
}

// observe enters v into the histogram under labels.
func (f *family) observe(v float64, values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.at(values)
	s.value += v
	s.count++
	if i, _ := slices.BinarySearch(f.bounds, v); i < len(s.buckets) {
		s.buckets[i]++
	}
}

func (f *family) write(w *bufio.Writer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	writeHead(w, f.name, f.help, f.kind)
	for _, key := range slices.Sorted(maps.Keys(f.series)) {
		s := f.series[key]
		if f.kind != "histogram" {
			writeSample(w, f.name, key, s.value)
			continue
		}
		var below uint64
		for i, bound := range f.bounds {
			below += s.buckets[i]
			writeSample(w, f.name+"_bucket", join(key, `le="`+number(bound)+`"`), float64(below))
		}
		writeSample(w, f.name+"_bucket", join(key, `le="+Inf"`), float64(s.count))
		writeSample(w, f.name+"_sum", key, s.value)
		writeSample(w, f.name+"_count", key, float64(s.count))
	}
}

// A reading is a metric whose values are read when somebody asks.
type reading struct {
	name, help string
	kind       string
	label      string // empty: one value, under ""
	read       func() map[string]float64
}

func (r reading) write(w *bufio.Writer) {
	values := r.read()
	writeHead(w, r.name, r.help, r.kind)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		labels := ""
		if r.label != "" {
			labels = labelText([]string{r.label}, []string{name})
		}
		writeSample(w, r.name, labels, values[name])
	}
}

func writeHead(w *bufio.Writer, name, help, kind string) {
	_, _ = w.WriteString("# HELP " + name + " " + help + "\n# TYPE " + name + " " + kind + "\n") // errors show at the flush
}

func writeSample(w *bufio.Writer, name, labels string, v float64) {
	_, _ = w.WriteString(name)
	if labels != "" {
		_, _ = w.WriteString("{" + labels + "}")
	}
	_, _ = w.WriteString(" " + number(v) + "\n")
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "," + b
}

// labelText writes labels as they stand between braces.
func labelText(names, values []string) string {
	var b strings.Builder
	b.Grow(64) // most are shorter
	for i, name := range names {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		b.WriteString(`="`)
		b.WriteString(escaped.Replace(strings.ToValidUTF8(values[i], "\uFFFD")))
		b.WriteByte('"')
	}
	return b.String()
}

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
