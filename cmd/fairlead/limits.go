package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"fairlead/internal/code"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
)

// limits are bounds by name. The defaults are AWS's numbers; zero means no
// bound.
type limits map[string]int

func defaultLimits() limits {
	d, o := mwaa.DefaultLimits(), omics.DefaultLimits()
	return limits{
		"workflows":        d.Workflows,
		"versions":         d.Versions,
		"workflow-runs":    d.RunsPerWorkflow,
		"runs":             d.Runs,
		"definition-bytes": int(d.Definition),
		"code-bytes":       int(d.Code),
		"tags":             d.Tags,
		"xcom-bytes":       100 << 10,
		"page-size":        d.PageSize,
		"run-seconds":      0,

		"omics-workflows": o.Workflows,
		"omics-versions":  o.Versions,
		"omics-groups":    o.Groups,
		"omics-caches":    o.Caches,
		"omics-runs":      o.Runs,
	}
}

func (l limits) mwaa() mwaa.Limits {
	m := mwaa.DefaultLimits()
	m.Workflows, m.Versions, m.RunsPerWorkflow, m.Runs = l["workflows"], l["versions"], l["workflow-runs"], l["runs"]
	m.Definition, m.Code = int64(l.bytes("definition-bytes")), int64(l.bytes("code-bytes"))
	m.Tags, m.PageSize = max(l["tags"], 1), max(l["page-size"], 1)
	return m
}

func (l limits) omics() omics.Limits {
	m := omics.DefaultLimits()
	m.Workflows, m.Versions, m.Groups, m.Caches, m.Runs = l["omics-workflows"], l["omics-versions"], l["omics-groups"], l["omics-caches"], l["omics-runs"]
	m.Tags = max(l["tags"], 1)
	return m
}

// bytes returns a size. Where there is no bound, memory still is one.
func (l limits) bytes(name string) int {
	if l[name] == 0 {
		return 1 << 30
	}
	return l[name]
}

func codeLimits(l limits) code.Limits {
	c := code.DefaultLimits()
	c.Packed, c.Unpacked = int64(l.bytes("code-bytes")), int64(l.bytes("code-bytes"))
	return c
}

// String, Set and Type make limits a flag: name=number, comma-separated.
func (l limits) String() string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(l)) {
		parts = append(parts, fmt.Sprintf("%s=%d", k, l[k]))
	}
	return strings.Join(parts, ",")
}

// Set changes the limits that text names.
func (l limits) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if _, known := l[name]; !ok || !known {
			return fmt.Errorf("%q: expected NAME=NUMBER with a name of %s", part, strings.Join(slices.Sorted(maps.Keys(l)), ", "))
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			return fmt.Errorf("%q: %q is not a number of at least 0", part, value)
		}
		l[name] = n
	}
	return nil
}

// Type names the flag's value in the help.
func (l limits) Type() string { return "name=n,..." }
