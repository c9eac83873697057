package airflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"fairlead/internal/lang/jinja"
)

// Variables are what the templates of one task attempt may know. One
// attempt renders all of its arguments with one value, since a template may
// change what it is shown, as in Airflow.
type Variables struct {
	Logical              time.Time
	DagID, RunID, TaskID string
	Try                  int // from 1
	// MapIndex is -1 for a task that is not mapped.
	MapIndex int
	Params   json.RawMessage // a JSON object; empty means {}
	// XCom returns what a task published under a key.
	XCom func(task, key string) (json.RawMessage, bool)
	// Extras offers names that the service does not document: logical_date,
	// run_id, dag_run and ts_nodash_with_tz.
	Extras bool
	Conf   json.RawMessage // of dag_run: a JSON object; empty means {}
	Limits jinja.Limits    // of each template

	made map[string]jinja.Value
}

// environment is Jinja with Airflow's filters and macros. It never changes
// once it is made.
var environment = sync.OnceValue(func() *jinja.Env {
	e := jinja.NewEnv()
	for name, f := range dateFilters() {
		e.AddFilter(name, f)
	}
	addPendulum(e)
	addRelativeDelta(e)
	for _, t := range []*jinja.Type{typeTZUTC, typeTZFile, typeTZOffset, typeTZLocal, typePendulumZone} {
		e.AddClass(t, &jinja.Class{Methods: zoneMethods()})
	}
	addUUID(e)
	m := macros()
	for _, name := range []string{"ds_add", "ds_format", "datetime_diff_for_humans", "random"} {
		e.AddGlobal(name, m.Attrs[name])
	}
	e.AddGlobal("macros", m)
	return e
})

// RenderText renders one template. The error is a [jinja.Error].
func (v *Variables) RenderText(src string) (string, error) {
	t, err := environment().Parse(src)
	if err != nil {
		return "", err
	}
	return t.Render(v, v.Limits)
}

// Render renders every string in a JSON value that is not a key of an
// object, and leaves all else as it is written. The error is a
// [jinja.Error].
func (v *Variables) Render(raw json.RawMessage) (json.RawMessage, error) {
	if !json.Valid(raw) {
		return nil, jinja.Errorf("ValueError", "an argument is not JSON")
	}
	if bytes.IndexByte(raw, '"') < 0 {
		return raw, nil
	}
	var out bytes.Buffer
	var open []byte // the brackets around i
	key := false    // the next string is a key
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '"' {
			switch c {
			case '{', '[':
				open = append(open, c)
				key = c == '{'
			case '}', ']':
				open = open[:len(open)-1]
				key = false
			case ',':
				key = open[len(open)-1] == '{'
			}
			out.WriteByte(c)
			continue
		}
		end := i + 1
		for raw[end] != '"' {
			if raw[end] == '\\' {
				end++
			}
			end++
		}
		text := raw[i : end+1]
		i = end
		if key {
			key = false
			out.Write(text)
			continue
		}
		var src string
		if err := json.Unmarshal(text, &src); err != nil {
			return nil, fmt.Errorf("read a string of an argument: %w", err)
		}
		rendered, err := v.RenderText(src)
		if err != nil {
			return nil, err
		}
		if rendered == src {
			out.Write(text)
			continue
		}
		writeText(&out, rendered)
	}
	return out.Bytes(), nil
}

// writeText writes a JSON string without the escapes that encoding/json adds
// for HTML.
func writeText(out *bytes.Buffer, s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string cannot fail
	out.Truncate(out.Len() - 1)
}

// Lookup makes the value of a name when a template first asks for it.
func (v *Variables) Lookup(name string) (jinja.Value, bool) {
	if x, ok := v.made[name]; ok {
		return x, true
	}
	x := v.make(name)
	if x == nil {
		return nil, false
	}
	v.keep(name, x)
	return x, true
}

func (v *Variables) make(name string) jinja.Value {
	switch name {
	case "ds":
		return jinja.Str(v.Logical.UTC().Format("2006-01-02"))
	case "ds_nodash":
		return jinja.Str(v.Logical.UTC().Format("20060102"))
	case "ts":
		return jinja.Str(v.timestamp())
	case "ts_nodash":
		return jinja.Str(v.Logical.UTC().Format("20060102T150405"))
	case "params":
		return object(v.Params)
	case "ti", "task_instance":
		ti := v.taskInstance()
		v.keep("ti", ti)
		v.keep("task_instance", ti)
		return ti
	}
	if !v.Extras {
		return nil
	}
	switch name {
	case "logical_date":
		return v.logicalDate()
	case "run_id":
		return jinja.Str(v.RunID)
	case "ts_nodash_with_tz":
		return jinja.Str(strings.NewReplacer("-", "", ":", "").Replace(v.timestamp()))
	case "dag_run":
		logical, _ := v.Lookup("logical_date")
		return &jinja.Module{Name: "dag_run", Class: typeDagRun, Attrs: map[string]jinja.Value{
			"run_id": jinja.Str(v.RunID), "dag_id": jinja.Str(v.DagID), "conf": object(v.Conf), "logical_date": logical,
		}}
	}
	return nil
}

func (v *Variables) keep(name string, x jinja.Value) {
	if v.made == nil {
		v.made = map[string]jinja.Value{}
	}
	v.made[name] = x
}

func (v *Variables) logicalDate() jinja.Value {
	return jinja.NewDateTime(v.Logical.UTC(), pendulumUTC, typePendulum)
}

func (v *Variables) timestamp() string {
	t := v.Logical.UTC().Truncate(time.Microsecond)
	if t.Nanosecond() == 0 {
		return t.Format("2006-01-02T15:04:05+00:00")
	}
	return t.Format("2006-01-02T15:04:05.000000+00:00")
}

// object reads a JSON object; what is not one is taken as empty.
func object(raw json.RawMessage) jinja.Value {
	if len(raw) > 0 {
		if x, err := jinja.FromJSON(raw); err == nil {
			return x
		}
	}
	return jinja.NewDict()
}

var (
	typeTaskInstance = &jinja.Type{Name: "RuntimeTaskInstance", Module: "airflow.sdk.execution_time.task_runner"}
	typeDagRun       = &jinja.Type{Name: "DagRun", Module: "airflow.sdk.api.datamodels._generated"}
)

func (v *Variables) taskInstance() jinja.Value {
	return &jinja.Module{Name: "ti", Class: typeTaskInstance, Attrs: map[string]jinja.Value{
		"dag_id":     jinja.Str(v.DagID),
		"run_id":     jinja.Str(v.RunID),
		"task_id":    jinja.Str(v.TaskID),
		"try_number": jinja.Int(v.Try),
		"map_index":  jinja.Int(v.MapIndex),
		// The arguments after default are Airflow's; a run has no other Dag,
		// and no mapped tasks, to pull from.
		"xcom_pull": jinja.NewFunc("xcom_pull(task_ids?, key?, default?, dag_id?, include_prior_dates?, map_indexes?, run_id?)", v.pull),
	}}
}

func (v *Variables) pull(c *jinja.Call) (jinja.Value, error) {
	key := c.Str(c.Or(1, jinja.Str("return_value")))
	otherwise := c.Or(2, jinja.None)
	one := func(task string) (jinja.Value, error) {
		if v.XCom == nil {
			return otherwise, nil
		}
		raw, ok := v.XCom(task, key)
		if !ok {
			return otherwise, nil
		}
		x, err := jinja.FromJSON(raw)
		if err != nil {
			return nil, err
		}
		if x == jinja.None {
			return otherwise, nil
		}
		return x, nil
	}
	ids := c.Or(0, jinja.None)
	if ids == jinja.None {
		return one(v.TaskID)
	}
	if id, ok := jinja.Text(ids); ok {
		return one(id)
	}
	out := jinja.NewList()
	for _, id := range c.List(ids) {
		x, err := one(c.Str(id))
		if err != nil {
			return nil, err
		}
		out.Items = append(out.Items, x)
	}
	return out, nil
}
