package operator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"fairlead/internal/flow"
)

const (
	keySensorPath       = "airflow.providers.amazon.aws.sensors.s3.S3KeySensor"
	unchangedSensorPath = "airflow.providers.amazon.aws.sensors.s3.S3KeysUnchangedSensor"
)

// poke looks once and returns the log besides.
func (w world) poke(path string, mark json.RawMessage, args ...any) (Poked, string, error) {
	w.Helper()
	p, ok := w.o.Poker(path)
	if !ok {
		w.Fatalf("Poker(%q): none", path)
	}
	c := call(path, args...)
	c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey}
	var log strings.Builder
	got, err := p.Poke(w.Context(), c, mark, func(level, logger, event string) {
		log.WriteString(level + " " + event + "\n")
	})
	return got, log.String(), err
}

func TestKeySensor(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "in/2026-11-21.csv", "in/[odd]", "done")
	for _, tt := range []struct {
		args []any
		done bool
		err  string
	}{
		{args: []any{"bucket_key", "done", "bucket_name", "bkt"}, done: true},
		{args: []any{"bucket_key", "s3://bkt/done"}, done: true},
		{args: []any{"bucket_key", "s3://bkt/not yet"}},
		{args: []any{"bucket_key", "s3://none/done"}},
		{args: []any{"bucket_key", []string{"s3://bkt/done", "s3://bkt/in/[odd]"}}, done: true},
		{args: []any{"bucket_key", []string{"s3://bkt/done", "s3://bkt/no"}}},
		{args: []any{"bucket_key", "s3://bkt/in/*.csv", "wildcard_match", true}, done: true},
		{args: []any{"bucket_key", "s3://bkt/in/20??-11-[12]1.csv", "wildcard_match", true}, done: true},
		{args: []any{"bucket_key", "s3://bkt/in/*.txt", "wildcard_match", true}},
		{args: []any{"bucket_key", "*", "bucket_name", "none", "wildcard_match", true}, err: "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation"},
		{args: []any{"bucket_key", `in/\d{4}-`, "bucket_name", "bkt", "use_regex", true}, done: true},
		{args: []any{"bucket_key", `\d{4}-`, "bucket_name", "bkt", "use_regex", true}},
		{args: []any{"bucket_key", `(?=in)`, "bucket_name", "bkt", "use_regex", true}, err: "cannot be used"},
		{args: []any{"bucket_key", "s3://bkt/done", "bucket_name", "bkt"}, err: "bucket_key should be a relative path"},
		{args: []any{"bucket_key", "done"}, err: "Please provide a bucket name"},
		{args: []any{"bucket_key", []string{}}, err: "bucket_key has no value"},
		{args: []any{"bucket_key", 7}, err: "bucket_key must be"},
		{args: []any{"bucket_key", "s3://bkt/done", "check_fn", "a.b"}, err: "check_fn is a Python callable"},
	} {
		got, log, err := w.poke(keySensorPath, nil, tt.args...)
		if got.Done != tt.done || (err == nil) != (tt.err == "") || (err != nil && !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%q\n got %+v, %v\nwant done %v, error %q", tt.args, got, err, tt.done, tt.err)
		}
		if err == nil && !strings.HasPrefix(log, "info Poking for key : s3://") {
			t.Errorf("%q logs %q", tt.args, log)
		}
	}
}

func TestKeySensorFailsWhenForbidden(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	defer s.Close()
	w := world{T: t, o: testOperators(t, func(set *Settings) { set.Endpoint = s.URL })}
	_, _, err := w.poke(keySensorPath, nil, "bucket_key", "s3://bkt/k")
	const want = "An error occurred (403) when calling the HeadObject operation: Forbidden"
	if err == nil || !strings.Contains(err.Error(), want) || Outcome(err).Verdict != flow.Failure {
		t.Errorf("Poke = %v, want %q", err, want)
	}
}

func TestSensorsSignForTheCall(t *testing.T) {
	var seen []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization")) // one request at a time
		w.WriteHeader(http.StatusNotFound)
	}))
	defer s.Close()
	o := testOperators(t, func(set *Settings) {
		set.Endpoint = s.URL
		set.Credentials = func(c Call) aws.CredentialsProvider {
			if c.Task.DagID == "" {
				return nil
			}
			return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "ROLE" + c.Task.DagID, SecretAccessKey: "x"}, nil
			})
		}
	})
	p, _ := o.Poker(keySensorPath)
	poke := func(dag, region string) {
		c := call(keySensorPath, "bucket_key", "s3://bkt/k")
		c.Task.DagID = dag
		c.Env = map[string]string{"AWS_ACCESS_KEY_ID": "FROMENV", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": region}
		if _, err := p.Poke(t.Context(), c, nil, func(string, string, string) {}); err != nil {
			t.Fatal(err)
		}
	}
	poke("one", "eu-west-1")
	poke("two", "eu-west-1")
	poke("", "us-east-2")
	for i, want := range []string{"ROLEone/", "ROLEtwo/", "FROMENV/"} {
		if !strings.Contains(seen[i], "Credential="+want) {
			t.Errorf("poke %d was signed %q, want %q", i, seen[i], want)
		}
	}
	if !strings.Contains(seen[2], "/us-east-2/") {
		t.Errorf("poke 2 was signed %q, want region us-east-2", seen[2])
	}
	if len(o.clients.s3) != 2 {
		t.Errorf("%d clients were made, want one for each region", len(o.clients.s3))
	}
}

func TestUnchangedSensor(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "in/1", "other")
	args := []any{"bucket_name", "bkt", "prefix", "in/", "inactivity_period", 0, "min_objects", 2}
	step := func(mark json.RawMessage, done bool, say string) json.RawMessage {
		t.Helper()
		got, log, err := w.poke(unchangedSensorPath, mark, args...)
		if err != nil || got.Done != done || !strings.Contains(log, say) {
			t.Fatalf("Poke(%s) = done %v, mark %s, %v, log %q; want done %v and %q in the log", mark, got.Done, got.Mark, err, log, done, say)
		}
		return got.Mark
	}
	mark := step(nil, false, "New objects found")
	mark = step(mark, false, "only 1 of 2 objects")
	w.put("bkt", "in/2", "")
	mark = step(mark, false, "New objects found")
	step(mark, true, "2 objects found")

	_, _, err := w.poke(unchangedSensorPath, json.RawMessage(`{"Keys":["in/0"]}`), append(args, "allow_delete", false)...)
	if err == nil || !strings.Contains(err.Error(), "Illegal behavior: objects were deleted in between pokes: in/0") {
		t.Errorf("Poke after a deletion = %v, want an error", err)
	}
	if _, _, err := w.poke(unchangedSensorPath, nil, append(args, "inactivity_period", -1)...); verdictOf(err) != flow.Fatal {
		t.Errorf("Poke with a negative period = %v, want a fatal error", err)
	}
}

// verdictOf is the verdict of an error that may be nil.
func verdictOf(err error) flow.Verdict {
	if err == nil {
		return flow.Success
	}
	return Outcome(err).Verdict
}

func TestWatch(t *testing.T) {
	start := time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name    string
		watch   watch
		before  string // keys at the last look
		since   time.Duration
		keys    string
		now     time.Duration
		done    bool
		changed bool // the clock starts again
		err     bool
	}{
		{name: "first look", watch: watch{idle: time.Minute, least: 1}, since: -1, keys: "", now: 0, changed: true},
		{name: "new key", watch: watch{idle: time.Minute, least: 1}, before: "a", keys: "a b", now: time.Hour, changed: true},
		{name: "not long enough", watch: watch{idle: time.Hour, least: 1}, before: "a", keys: "a", now: time.Minute},
		{name: "long enough", watch: watch{idle: time.Hour, least: 1}, before: "a", keys: "a", now: time.Hour, done: true},
		{name: "too few", watch: watch{idle: time.Hour, least: 2}, before: "a", keys: "a", now: 2 * time.Hour},
		{name: "none needed", watch: watch{idle: time.Hour}, keys: "", now: time.Hour, done: true},
		{name: "key gone", watch: watch{least: 1, shrinks: true}, before: "a b", keys: "a", now: time.Hour, changed: true},
		{name: "key gone, not allowed", watch: watch{least: 1}, before: "a b", keys: "a", now: time.Hour, err: true},
		{name: "one for another", watch: watch{least: 1, shrinks: true}, before: "a b", keys: "a c", now: time.Hour, changed: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := watched{Keys: strings.Fields(tt.before), Since: start.Add(tt.since)}
			if tt.since < 0 {
				before.Since = time.Time{}
			}
			now := start.Add(tt.now)
			after, done, _, err := tt.watch.compare(before, strings.Fields(tt.keys), now)
			want := before.Since
			if tt.changed {
				want = now
			}
			if done != tt.done || (err != nil) != tt.err || !after.Since.Equal(want) {
				t.Errorf("compare(%+v, %q, %s) = since %s, done %v, %v; want since %s, done %v, error %v",
					before, tt.keys, tt.now, after.Since, done, err, want, tt.done, tt.err)
			}
			if err == nil && !slices.Equal(after.Keys, strings.Fields(tt.keys)) {
				t.Errorf("compare keeps %q, want %q", after.Keys, tt.keys)
			}
		})
	}
}

func TestErrorsKeepTheirKind(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want flow.Verdict
	}{
		{Errorf("x"), flow.Failure},
		{&Error{Message: "x", Fatal: true}, flow.Fatal},
		{&Error{Message: "x", Skip: true}, flow.Skip},
		{errors.New("x"), flow.Failure},
	} {
		if got := Outcome(tt.err); got.Verdict != tt.want || got.Reason != "x" {
			t.Errorf("Outcome(%#v) = %+v, want %s", tt.err, got, tt.want)
		}
	}
}
