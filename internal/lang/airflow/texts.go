package airflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"fairlead/internal/lang/jinja"
)

// maxTexts bounds what RenderTexts reads: the templates, and all that the
// tasks of the run have published.
const maxTexts = 256 << 20

// texts is what RenderTexts reads.
type texts struct {
	Task struct {
		DagID   string          `json:"dag_id"`
		RunID   string          `json:"run_id"`
		TaskID  string          `json:"task_id"`
		Try     int             `json:"try_number"`
		Logical time.Time       `json:"logical_date"`
		Params  json.RawMessage `json:"params"`
		Conf    json.RawMessage `json:"conf"`
	} `json:"task"`
	Extras bool                                  `json:"extras"`
	XComs  map[string]map[string]json.RawMessage `json:"xcoms"`
	Texts  []string                              `json:"texts"`
}

// rendered is what RenderTexts writes: the texts, or what is wrong with the
// one at Index.
type rendered struct {
	Texts []string `json:"texts,omitempty"`
	Error string   `json:"error,omitempty"`
	Type  string   `json:"type,omitempty"` // of the exception
	Index int      `json:"index"`
}

// RenderTexts reads templates and what they may know as JSON, renders them
// one after the other and writes the result as JSON. It is how an operator
// of a code package, whose template fields only its class knows, has them
// rendered by the engine that renders all others. A template that cannot be
// rendered is a result; an error means that there is none.
func RenderTexts(in io.Reader, out io.Writer) error {
	data, err := io.ReadAll(io.LimitReader(in, maxTexts+1))
	if err != nil {
		return fmt.Errorf("read the templates: %w", err)
	}
	if len(data) > maxTexts {
		return fmt.Errorf("the templates and what they may know have more than %d bytes", maxTexts)
	}
	var t texts
	if err := json.Unmarshal(data, &t); err != nil {
		return fmt.Errorf("read the templates: %w", err)
	}
	vars := Variables{
		Logical: t.Task.Logical, DagID: t.Task.DagID, RunID: t.Task.RunID, TaskID: t.Task.TaskID, Try: t.Task.Try, MapIndex: -1,
		Params: t.Task.Params, Conf: t.Task.Conf, Extras: t.Extras,
		XCom: func(task, key string) (json.RawMessage, bool) {
			value, ok := t.XComs[task][key]
			return value, ok
		},
	}
	r := rendered{Texts: []string{}}
	for i, src := range t.Texts {
		text, err := vars.RenderText(src)
		if err != nil {
			r = rendered{Error: err.Error(), Type: "TemplateError", Index: i}
			if e, ok := errors.AsType[*jinja.Error](err); ok {
				r.Error, r.Type = e.Message, e.Type
			}
			break
		}
		r.Texts = append(r.Texts, text)
	}
	if _, err := out.Write(encode(r)); err != nil {
		return fmt.Errorf("write the rendered texts: %w", err)
	}
	return nil
}
