package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A Sink is who is told: its settings.
type Sink struct {
	Name string `json:"name"`
	// To is https://… or http://… (a webhook), file:///… (JSON lines),
	// sqs:QUEUE-URL, sns:TOPIC-ARN, or eventbridge:BUS.
	To string `json:"to"`
	// Format is "eventbridge", which is the default, or "openlineage".
	Format string `json:"format"`
	// Only names the types of events that are told, without "MWAA
	// Serverless "; none is all.
	Only []string `json:"only"`
	// Source replaces that of events.
	Source string `json:"source"`
	// KeyFile holds the key that signs for a webhook, and TokenFile a token
	// that it is shown.
	KeyFile   string `json:"keyFile"`
	TokenFile string `json:"tokenFile"`
	// GiveUp is how long an event is tried before it is a dead letter; 0 is a
	// day.
	GiveUp Duration `json:"giveUp"`
}

// A Duration is one in a file of settings, as Go writes it: 90s, 24h.
type Duration time.Duration

// UnmarshalJSON implements [json.Unmarshaler].
func (d *Duration) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: expected a duration in quotes, such as \"24h\"", text)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("%q: expected a duration, such as \"24h\"", s)
	}
	*d = Duration(v)
	return nil
}

// The formats.
const (
	Bridge  = "eventbridge"
	Lineage = "openlineage"
)

const (
	maxSinks  = 32
	giveUp    = 24 * time.Hour
	maxGiveUp = 30 * 24 * time.Hour
)

var namePattern = regexp.MustCompile(`\A[a-z0-9][a-z0-9-]{0,63}\z`)

// Parse reads a file of sinks: {"sinks": [{"name": …, "to": …}]}.
func Parse(text []byte) ([]Sink, error) {
	var in struct {
		Sinks []Sink `json:"sinks"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, flow.Errorf(flow.Invalid, "%s, at byte %d", strings.TrimPrefix(err.Error(), "json: "), d.InputOffset())
	}
	if d.More() {
		return nil, flow.Errorf(flow.Invalid, "it goes on after the JSON object")
	}
	return in.Sinks, nil
}

// ParseFlag reads NAME=TO.
func ParseFlag(text string) (Sink, error) {
	name, to, ok := strings.Cut(text, "=")
	if !ok {
		return Sink{}, flow.Errorf(flow.Invalid, "%q: expected NAME=TO, such as audit=file:///var/log/runs.jsonl", text)
	}
	return Sink{Name: name, To: to}, nil
}

// Check says what is wrong with sinks, and fills in what they leave open.
// others are the types of other services.
func Check(sinks []Sink, others ...string) error {
	if len(sinks) > maxSinks {
		return flow.Errorf(flow.Invalid, "%d sinks are more than the %d that may be", len(sinks), maxSinks)
	}
	for i := range sinks {
		s := &sinks[i]
		if !namePattern.MatchString(s.Name) {
			return flow.Errorf(flow.Invalid, "the sink %q: expected a name of up to 64 lower-case letters, digits and hyphens", s.Name)
		}
		if slices.ContainsFunc(sinks[:i], func(o Sink) bool { return o.Name == s.Name }) {
			return flow.Errorf(flow.Invalid, "the sink %s: there are two of that name", s.Name)
		}
		if err := s.check(others); err != nil {
			return flow.Errorf(flow.Invalid, "the sink %s: %w", s.Name, err)
		}
	}
	return nil
}

func (s *Sink) check(others []string) error {
	kind, rest := s.kind()
	switch kind {
	case "webhook", "sqs":
		u, err := url.Parse(rest)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
			return fmt.Errorf("to %q: expected a URL with http or https, and no user in it", s.To)
		}
	case "file":
		if !filepath.IsAbs(rest) {
			return fmt.Errorf("to %q: expected file:// and an absolute path", s.To)
		}
	case "sns":
		if !strings.HasPrefix(rest, "arn:") {
			return fmt.Errorf("to %q: expected sns: and the ARN of a topic", s.To)
		}
	case "eventbridge":
		if rest == "" {
			return fmt.Errorf("to %q: expected eventbridge: and the name or ARN of a bus, such as eventbridge:default", s.To)
		}
	default:
		return fmt.Errorf("to %q: expected https://…, file:///…, sqs:QUEUE-URL, sns:TOPIC-ARN or eventbridge:BUS", s.To)
	}
	if kind != "webhook" && (s.KeyFile != "" || s.TokenFile != "") {
		return errors.New("keyFile and tokenFile are for webhooks")
	}
	switch s.Format {
	case "":
		s.Format = Bridge
	case Bridge:
	case Lineage:
		if kind == "eventbridge" {
			return errors.New("a bus takes the format eventbridge alone")
		}
	default:
		return fmt.Errorf("format %q: expected %s or %s", s.Format, Bridge, Lineage)
	}
	kinds := append(Kinds(), others...)
	for _, name := range s.Only {
		if !slices.Contains(kinds, name) {
			return fmt.Errorf("only %q: expected names among %s", name, strings.Join(kinds, ", "))
		}
	}
	switch d := time.Duration(s.GiveUp); {
	case d == 0:
		s.GiveUp = Duration(giveUp)
	case d < time.Second || d > maxGiveUp:
		return fmt.Errorf("giveUp %s: expected 1s to %s", d, maxGiveUp)
	}
	return nil
}

// kind takes To apart.
func (s *Sink) kind() (kind, rest string) {
	scheme, rest, _ := strings.Cut(s.To, ":")
	switch scheme {
	case "http", "https":
		return "webhook", s.To
	case "file":
		return "file", strings.TrimPrefix(rest, "//")
	}
	return scheme, rest
}

// wants reports whether the sink is told of an event.
func (s *Sink) wants(e *Event) bool {
	return len(s.Only) == 0 || slices.Contains(s.Only, strings.TrimPrefix(e.DetailType, prefix))
}

// A letter is an event as a sink is sent it.
type letter struct {
	event *Event
	body  []byte
}

// letter writes an event in the sink's format; false if it has none there.
func (s *Sink) letter(e Event, namespace string) (letter, bool, error) {
	if s.Source != "" {
		e.Source = s.Source
	}
	if s.Format == Lineage {
		body, ok, err := e.lineage(namespace)
		return letter{&e, body}, ok, err
	}
	body, err := json.Marshal(e)
	return letter{&e, body}, err == nil, err
}
