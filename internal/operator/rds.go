package operator

import (
	"context"
	"regexp"
)

// rdsCode returns the code of the RDS operators' steps.
func rdsCode(name string) code {
	if name == "rds.text" {
		return rdsText
	}
	return nil
}

// isoTime is a time as package awscall gives it.
const isoTime = `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?[+-]\d\d:\d\d$`

// rdsText is the reply as json.dumps(reply, default=str) writes it, where
// times are str() of a datetime: with a space, not a T.
func rdsText(_ context.Context, j *job) (any, error) {
	answer, _ := j.lookup("answer")
	return pythonJSON(spaced(answer, regexp.MustCompile(isoTime))), nil
}

// spaced returns v with all texts that are times written as str() does.
func spaced(v any, times *regexp.Regexp) any {
	switch v := v.(type) {
	case string:
		if times.MatchString(v) {
			return v[:len("2006-01-02")] + " " + v[len("2006-01-02T"):]
		}
	case []any:
		l := make([]any, len(v))
		for i, e := range v {
			l[i] = spaced(e, times)
		}
		return l
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = spaced(e, times)
		}
		return m
	}
	return v
}
