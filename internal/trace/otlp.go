package trace

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Settings say where spans go.
type Settings struct {
	// Endpoint is a collector's URL, to which /v1/traces is added unless
	// Whole is set.
	Endpoint string
	Whole    bool
	Headers  map[string]string
	Service  string // the name of what tells
	Version  string
}

// FromEnv reads the variables that OpenTelemetry defines; endpoint, if not
// empty, goes before them. Without one it is false: nothing is told.
func FromEnv(endpoint string, look func(string) string) (Settings, bool, error) {
	s := Settings{Endpoint: endpoint, Service: "fairlead", Headers: map[string]string{}}
	if whole := look("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"); endpoint == "" && whole != "" {
		s.Endpoint, s.Whole = whole, true
	} else if endpoint == "" {
		s.Endpoint = look("OTEL_EXPORTER_OTLP_ENDPOINT")
	}
	if s.Endpoint == "" || strings.EqualFold(look("OTEL_SDK_DISABLED"), "true") {
		return s, false, nil
	}
	u, err := url.Parse(s.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return s, false, fmt.Errorf("the endpoint %q of OTLP: expected a URL with http or https, such as http://127.0.0.1:4318", s.Endpoint)
	}
	if name := look("OTEL_SERVICE_NAME"); name != "" {
		s.Service = name
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		for pair := range strings.SplitSeq(look(name), ",") {
			key, value, ok := strings.Cut(pair, "=")
			if !ok {
				continue
			}
			if value, err = url.PathUnescape(strings.TrimSpace(value)); err != nil {
				return s, false, fmt.Errorf("%s: the value of %s is not as in a URL", name, strings.TrimSpace(key))
			}
			s.Headers[strings.TrimSpace(key)] = value
		}
	}
	return s, true, nil
}

// The bounds of what waits to be sent, and of one request.
const (
	maxWaiting = 8192
	maxBatch   = 512
	sendEvery  = time.Second
	sendTime   = 10 * time.Second
	tries      = 3
)

// An Exporter sends spans.
type Exporter struct {
	set    Settings
	client *http.Client
	log    *slog.Logger

	mu      sync.Mutex
	waiting []Span
	lost    int
}

// New returns an exporter. Spans are sent by [Exporter.Run] or
// [Exporter.Flush].
func New(s Settings, log *slog.Logger) *Exporter {
	if !s.Whole {
		s.Endpoint = strings.TrimSuffix(s.Endpoint, "/") + "/v1/traces"
	}
	return &Exporter{set: s, client: &http.Client{Timeout: sendTime}, log: log}
}

// Add takes spans over. It never waits; where too many wait, new ones are
// lost. A nil Exporter takes nothing.
func (e *Exporter) Add(spans ...Span) {
	if e == nil || len(spans) == 0 {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	room := min(len(spans), maxWaiting-len(e.waiting))
	e.waiting = append(e.waiting, spans[:room]...)
	e.lost += len(spans) - room
}

// Run sends spans until ctx is done, and then what is left.
func (e *Exporter) Run(ctx context.Context) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
			defer cancel()
			e.Flush(last)
			return
		case <-tick.C:
			e.Flush(ctx)
		}
	}
}

// Flush sends what waits.
func (e *Exporter) Flush(ctx context.Context) {
	for ctx.Err() == nil {
		e.mu.Lock()
		n := min(len(e.waiting), maxBatch)
		batch := e.waiting[:n:n]
		e.waiting = e.waiting[n:]
		lost := e.lost
		e.lost = 0
		e.mu.Unlock()
		if lost > 0 {
			e.log.WarnContext(ctx, "too many spans wait for the collector; some are lost", "lost", lost)
		}
		if n == 0 {
			return
		}
		if err := e.send(ctx, encode(e.set, batch)); err != nil {
			e.log.WarnContext(ctx, "spans are lost", "lost", n, "err", err)
		}
	}
}

// send tries a few times where the collector says that it may work later.
func (e *Exporter) send(ctx context.Context, body []byte) error {
	for try := 1; ; try++ {
		again, err := e.post(ctx, body)
		if err == nil || !again || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(try) * 500 * time.Millisecond):
		}
	}
}

func (e *Exporter) post(ctx context.Context, body []byte) (again bool, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.set.Endpoint, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	r.Header.Set("Content-Type", "application/x-protobuf")
	for key, value := range e.set.Headers {
		r.Header.Set(key, value)
	}
	resp, err := e.client.Do(r)
	if err != nil {
		return true, err
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 512)) // what of it there is
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		again = true
	}
	return again, fmt.Errorf("%s says %s: %.200q", e.set.Endpoint, resp.Status, said)
}

// encode writes an ExportTraceServiceRequest in the wire format of Protocol
// Buffers: the numbers are those of OTLP's fields.
func encode(s Settings, spans []Span) []byte {
	resource := message(1, attribute("service.name", s.Service), attribute("service.version", s.Version))
	scope := message(1, text(1, "fairlead"), text(2, s.Version))
	parts := [][]byte{scope}
	for i := range spans {
		parts = append(parts, spans[i].encode())
	}
	return message(1, resource, message(2, parts...))
}

func (s *Span) encode() []byte {
	const internal, client = 1, 3
	kind := uint64(internal)
	if s.Client {
		kind = client
	}
	parts := [][]byte{data(1, s.Trace[:]), data(2, s.ID[:])}
	if s.Parent != [8]byte{} {
		parts = append(parts, data(4, s.Parent[:]))
	}
	parts = append(parts, text(5, s.Name), varint(6, kind), moment(7, s.Start), moment(8, s.End))
	for _, a := range s.Attributes {
		parts = append(parts, data(9, join(text(1, a.Key), message(2, text(1, a.Value)))))
	}
	const ok, failed = 1, 2
	status := varint(3, ok)
	if s.Failed {
		status = join(text(2, s.Message), varint(3, failed))
	}
	return message(2, append(parts, data(15, status))...)
}

// attribute is a KeyValue as the first field of what it stands in.
func attribute(key, value string) []byte {
	return message(1, text(1, key), message(2, text(1, value)))
}

// Fields of the wire format: a tag, which has the field's number and one of
// three forms, and a value.
const (
	asVarint = 0
	asFixed  = 1
	asBytes  = 2
)

func tag(field, form uint64) []byte { return binary.AppendUvarint(nil, field<<3|form) }

func varint(field, v uint64) []byte { return binary.AppendUvarint(tag(field, asVarint), v) }

func moment(field uint64, t time.Time) []byte {
	return binary.LittleEndian.AppendUint64(tag(field, asFixed), uint64(max(t.UnixNano(), 0)))
}

func data(field uint64, v []byte) []byte {
	return append(binary.AppendUvarint(tag(field, asBytes), uint64(len(v))), v...)
}

func text(field uint64, s string) []byte {
	return data(field, []byte(strings.ToValidUTF8(s, "\uFFFD")))
}

func message(field uint64, parts ...[]byte) []byte { return data(field, join(parts...)) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
