package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/lang/jinja"
)

func renderCommand() *cobra.Command {
	var context string
	var lines bool
	cmd := &cobra.Command{
		Use:   "render [TEMPLATE]",
		Short: "Render a template as a task would",
		Long: `Prints what a template of an operator's argument renders to:

  fairlead render '{{ macros.ds_add(ds, 7) }}/{{ params.who }}' \
      --context '{"logical_date": "2026-11-21", "params": {"who": "you"}}'

The context is a JSON object, or a file with one, with any of the members
logical_date (now), params, xcom ({task id: {key: value}}), dag_id, run_id,
task_id, try_number (1), map_index (-1), extras (false; true offers names that
the service does not document) and conf.

Without a template it reads JSON lines {"name": …, "template": …, "context":
…}, whose templates may be structures of lists and maps, and answers each with
a line: name and result, or name, error_type, error_message and error_line.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in := cmd.InOrStdin()
			if len(args) == 0 && !lines {
				if f, ok := in.(*os.File); ok && isTerminal(f) {
					return usagef("render needs a template, or JSON lines on standard input")
				}
				lines = true
			}
			if !lines {
				return renderOne(cmd, args[0], context)
			}
			if len(args) > 0 || context != "" {
				return usagef("with JSON lines, template and context stand in the lines")
			}
			return answerLines(in, cmd.OutOrStdout(), renderLine)
		},
	}
	cmd.Flags().StringVar(&context, "context", "", "a JSON object, or a file with one")
	cmd.Flags().BoolVar(&lines, "jsonl", false, "read JSON lines from standard input")
	return cmd
}

func renderOne(cmd *cobra.Command, template, context string) error {
	raw, err := readContext(context)
	if err != nil {
		return err
	}
	vars, err := newContext(raw, true)
	if err != nil {
		return usagef("--context: %v", err)
	}
	text, err := vars.RenderText(template)
	if e, ok := errors.AsType[*jinja.Error](err); ok {
		fmt.Fprintln(cmd.ErrOrStderr(), e)
		return exitError(1)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// readContext returns the JSON that --context gives or names.
func readContext(context string) ([]byte, error) {
	text := strings.TrimSpace(context)
	if text == "" || strings.HasPrefix(text, "{") {
		return []byte(text), nil
	}
	f, err := os.Open(context)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxLine+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", context, err)
	}
	if len(raw) > maxLine {
		return nil, fmt.Errorf("%s has more than %d bytes", context, maxLine)
	}
	return raw, nil
}

// A renderContext is what a template is told, as written.
type renderContext struct {
	Logical  string                                `json:"logical_date"`
	DagID    string                                `json:"dag_id"`
	RunID    string                                `json:"run_id"`
	TaskID   string                                `json:"task_id"`
	Try      int                                   `json:"try_number"`
	MapIndex int                                   `json:"map_index"`
	Params   json.RawMessage                       `json:"params"`
	XCom     map[string]map[string]json.RawMessage `json:"xcom"`
	Extras   bool                                  `json:"extras"`
	Conf     json.RawMessage                       `json:"conf"`
}

// newContext reads a context; what it leaves out is as in the first attempt
// of a task of a run that starts now. A strict reading refuses members that
// mean nothing.
func newContext(raw []byte, strict bool) (*airflow.Variables, error) {
	c := renderContext{DagID: "dag", RunID: "run", TaskID: "task", Try: 1, MapIndex: -1}
	if len(raw) > 0 {
		d := json.NewDecoder(bytes.NewReader(raw))
		if strict {
			d.DisallowUnknownFields()
		}
		if err := d.Decode(&c); err != nil {
			return nil, fmt.Errorf("the context is not as expected: %w", err)
		}
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return nil, errors.New("something follows the context's object")
		}
	}
	logical := time.Now()
	if c.Logical != "" {
		t, err := momentOf(c.Logical, time.UTC)
		if err != nil {
			return nil, fmt.Errorf("logical_date: %w", err)
		}
		logical = t
	}
	for _, m := range []struct {
		name string
		raw  json.RawMessage
	}{{"params", c.Params}, {"conf", c.Conf}} {
		if len(m.raw) > 0 && m.raw[0] != '{' && string(m.raw) != "null" {
			return nil, fmt.Errorf("%s is not a JSON object", m.name)
		}
	}
	return &airflow.Variables{
		Logical: logical, DagID: c.DagID, RunID: c.RunID, TaskID: c.TaskID, Try: c.Try, MapIndex: c.MapIndex,
		Params: c.Params, Extras: c.Extras, Conf: c.Conf,
		XCom: func(task, key string) (json.RawMessage, bool) {
			v, ok := c.XCom[task][key]
			return v, ok
		},
	}, nil
}

// A rendered is the answer to one line.
type rendered struct {
	Name    string          `json:"name,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Type    string          `json:"error_type,omitempty"`
	Message string          `json:"error_message,omitempty"`
	Line    int             `json:"error_line,omitempty"`
}

// invalidInput is the type of the errors that are about a line, not about
// its template.
const invalidInput = "InvalidInput"

func renderLine(line []byte, bad error) any {
	if bad != nil {
		return rendered{Type: invalidInput, Message: bad.Error()}
	}
	var in struct {
		Name              string
		Template, Context json.RawMessage
	}
	err := json.Unmarshal(line, &in)
	out := rendered{Name: in.Name}
	fail := func(err error) rendered {
		out.Type, out.Message = invalidInput, err.Error()
		if e, ok := errors.AsType[*jinja.Error](err); ok {
			out.Type, out.Message, out.Line = e.Type, e.Message, e.Line
		}
		return out
	}
	switch {
	case err != nil:
		return fail(err)
	case in.Template == nil:
		return fail(errors.New("the line has no template"))
	}
	vars, err := newContext(in.Context, false)
	if err != nil {
		return fail(err)
	}
	result, err := vars.Render(in.Template)
	if err != nil {
		return fail(err)
	}
	out.Result = result
	return out
}
