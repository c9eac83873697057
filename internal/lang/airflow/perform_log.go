package airflow

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/lang/jinja"
	"fairlead/internal/mask"
)

// A taskLog takes the server's own lines of an attempt's log, in the form of
// the service: one JSON object a line. The zero taskLog keeps nothing.
type taskLog struct {
	path    string
	secrets []string
	masker  *mask.Masker // of the secrets; nil without any, and after a rest
}

// hide has three asterisks written in place of each of the texts.
func (l *taskLog) hide(texts []string) { l.secrets, l.masker = texts, mask.New(texts) }

// rest lets go of what takes kilobytes and is made anew by the next line.
func (l *taskLog) rest() { l.masker = nil }

// mask returns a text without what is to be hidden.
func (l *taskLog) mask(text string) string {
	if l.masker == nil && len(l.secrets) > 0 {
		l.masker = mask.New(l.secrets)
	}
	return l.masker.Text(text)
}

// write appends one line. A log that cannot be written must not fail the
// task, so errors are dropped: the lines that matter come from the task
// itself.
func (l *taskLog) write(level, logger, event string, more map[string]any) {
	if l.path == "" {
		return
	}
	line := map[string]any{
		"timestamp": time.Now().UTC().Format("2006-01-02T15:04:05.000000Z"),
		"level":     level, "event": event, "logger": logger,
	}
	maps.Copy(line, more)
	data, err := json.Marshal(line)
	if err != nil {
		return
	}
	if hidden := []byte(l.mask(string(data))); json.Valid(hidden) {
		data = hidden
	} else if data, err = json.Marshal(map[string]any{"timestamp": line["timestamp"], "level": level, "event": l.mask(event), "logger": logger}); err != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(append(data, '\n'))
}

// errorType names the Python exception that an error stands for.
func errorType(err error) string {
	if e, ok := errors.AsType[*jinja.Error](err); ok {
		return e.Type
	}
	return "AirflowException"
}

// pyFloat prints a float as Python does.
func pyFloat(f float64) string {
	form := byte('f')
	if abs := math.Abs(f); abs >= 1e16 || abs != 0 && abs < 1e-4 {
		form = 'g'
	}
	s := strconv.FormatFloat(f, form, -1, 64)
	if !strings.ContainsAny(s, ".en") {
		s += ".0"
	}
	return s
}
