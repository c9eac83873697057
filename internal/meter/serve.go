package meter

import (
	"net/http"
	"strconv"
	"time"
)

// Committed counts a transaction of so many writes: how long it took, and how
// long the commit at its end.
func (m *Meter) Committed(writes int, took, sync time.Duration) {
	m.commitWrites.observe(float64(writes))
	m.commitTime.observe(took.Seconds())
	m.synced.observe(sync.Seconds())
}

// Spawned counts an attempt whose process took this long to be there.
func (m *Meter) Spawned(took time.Duration) { m.spawnTime.observe(took.Seconds()) }

// Logged counts the bytes of an attempt's log.
func (m *Meter) Logged(bytes int64) { m.logBytes.add(float64(max(0, bytes))) }

// Serve counts the requests that h answers for a service. operation names
// what a request asks for, by one of a few words.
func (m *Meter) Serve(service string, operation func(*http.Request) string, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		seen := &answer{ResponseWriter: w}
		name := operation(r)
		// Also when h panics, to break off its answer.
		defer func() {
			code := seen.code
			if code == 0 {
				code = http.StatusOK
			}
			m.requests.add(1, service, name, strconv.Itoa(code))
			m.requestTime.observe(time.Since(began).Seconds(), service)
		}()
		h.ServeHTTP(seen, r)
	})
}

// An answer remembers the status of an answer.
type answer struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements [http.ResponseWriter].
func (a *answer) WriteHeader(code int) {
	if a.code == 0 && code >= 200 {
		a.code = code
	}
	a.ResponseWriter.WriteHeader(code)
}

// Unwrap lets [http.ResponseController] reach what is below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Flush implements [http.Flusher].
func (a *answer) Flush() {
	_ = http.NewResponseController(a.ResponseWriter).Flush() // not every writer can
}
