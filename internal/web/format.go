package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fairlead/internal/flow"
)

// An instant is a time as a page shows it, and as machines read it.
type instant struct{ Text, ISO string }

// moment shows a time to the second, in UTC; nothing for the zero time.
func moment(t time.Time) instant {
	if t.IsZero() {
		return instant{}
	}
	return instant{t.UTC().Format("2006-01-02 15:04:05"), t.UTC().Format(time.RFC3339Nano)}
}

// took is the time from start to end, or to now if there is no end yet;
// empty without a start.
func took(start, end, now time.Time) string {
	switch {
	case start.IsZero():
		return ""
	case end.IsZero():
		end = now
	}
	return lasting(end.Sub(start))
}

// lasting shows a duration to about three digits.
func lasting(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return strconv.FormatFloat(float64(d.Truncate(100*time.Millisecond))/1e9, 'f', 1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d m %02d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %02d m", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d d %02d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// round shows a duration that somebody chose, such as a timeout.
func round(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// clip cuts s to at most n bytes, between characters, and shows that it did.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// count says how many there are of something.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// names joins up to three ids and says how many more there are.
func names[S ~string](ids []S) string {
	const most = 3
	var b strings.Builder
	for i, id := range ids {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(ids)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	return b.String()
}

// maxValue bounds one value that a page shows.
const maxValue = 16 << 10

// A value is a named piece of JSON to show.
type value struct {
	Name, Text string
	Cut        int // bytes that are not shown
}

// shown indents JSON that is long; what is not JSON is shown as it is.
func shown(name string, raw json.RawMessage) value {
	text := string(raw)
	var b bytes.Buffer
	// Indenting may multiply the size of deeply nested text.
	short := len(raw) <= 100 && !bytes.ContainsRune(raw, '\n')
	if !short && len(raw) <= maxValue && json.Indent(&b, raw, "", "  ") == nil && b.Len() <= maxValue {
		text = b.String()
	}
	head := clip(text, maxValue)
	return value{clip(name, 256), head, max(0, len(text)-len(head))}
}

// members returns the members of a JSON object in their order; one nameless
// value if it is something else, and nothing if it is empty.
func members(raw json.RawMessage) []value {
	if len(bytes.TrimSpace(raw)) == 0 || string(raw) == "null" {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') || !json.Valid(raw) {
		return []value{shown("", raw)}
	}
	var all []value
	for dec.More() {
		name, err := dec.Token()
		var v json.RawMessage
		if err != nil || dec.Decode(&v) != nil {
			return []value{shown("", raw)}
		}
		all = append(all, shown(fmt.Sprint(name), v))
	}
	return all
}

func workflowURL(w flow.WorkflowID) string { return "/workflows/" + url.PathEscape(string(w)) }

func versionURL(w flow.WorkflowID, v flow.VersionID) string {
	return workflowURL(w) + "/versions/" + url.PathEscape(string(v))
}

func runURL(w flow.WorkflowID, run flow.RunID) string {
	return "/runs/" + url.PathEscape(string(w)) + "/" + url.PathEscape(string(run))
}

func taskURL(r flow.Run, task flow.TaskID, attempt int) string {
	return runURL(r.Workflow, r.ID) + "/" + url.PathEscape(string(task)) + "/" + strconv.Itoa(attempt)
}

// follow is the address of the next page of a list.
func follow(base, member, token string) string {
	if token == "" {
		return ""
	}
	sep := "?"
	if strings.Contains(base, "?") {
		sep = "&"
	}
	return base + sep + member + "=" + url.QueryEscape(token)
}
