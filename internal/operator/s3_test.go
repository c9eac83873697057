package operator

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"fairlead/internal/flow"
)

func s3Path(class string) string { return "airflow.providers.amazon.aws.operators.s3." + class }

// A world is an S3 of its own on a loopback port, with operators that use it.
type world struct {
	*testing.T
	o      *Operators
	url    string
	client *s3.Client
}

func newWorld(t *testing.T) world {
	t.Helper()
	s := httptest.NewServer(withTags(gofakes3.New(s3mem.New()).Server()))
	t.Cleanup(s.Close)
	w := world{T: t, url: s.URL}
	w.o = testOperators(t, func(set *Settings) { set.Endpoint = s.URL })
	w.client = s3.New(s3.Options{
		BaseEndpoint: &s.URL, UsePathStyle: true, Region: "eu-west-1",
		Credentials:                aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return someKeys, nil }),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	return w
}

var someKeys = aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret"}

// withTags adds to an S3 what the fake lacks: the tags of buckets.
func withTags(next http.Handler) http.Handler {
	var mu sync.Mutex
	tags := map[string][]byte{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, ok := r.URL.Query()["tagging"]; !ok {
			next.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bucket := strings.Trim(r.URL.Path, "/")
		switch r.Method {
		case http.MethodPut:
			tags[bucket], _ = io.ReadAll(r.Body)
		case http.MethodDelete:
			delete(tags, bucket)
			w.WriteHeader(http.StatusNoContent)
		default:
			if tags[bucket] == nil {
				w.WriteHeader(http.StatusNotFound)
				xml.NewEncoder(w).Encode(struct {
					XMLName       xml.Name `xml:"Error"`
					Code, Message string
				}{Code: "NoSuchTagSet", Message: "The TagSet does not exist"})
				return
			}
			w.Write(tags[bucket])
		}
	})
}

// do runs an S3 operator.
func (w world) do(class string, args ...any) ran {
	w.Helper()
	c := call(s3Path(class), args...)
	c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey}
	return run(w.T, w.o, c)
}

func (w world) bucket(name string, keys ...string) {
	w.Helper()
	if _, err := w.client.CreateBucket(w.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		w.Fatal(err)
	}
	for _, k := range keys {
		w.put(name, k, "text of "+k)
	}
}

func (w world) put(bucket, key, text string) {
	w.Helper()
	_, err := w.client.PutObject(w.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(text)})
	if err != nil {
		w.Fatal(err)
	}
}

// text returns an object, or the error that getting it gives.
func (w world) text(bucket, key string) string {
	out, err := w.client.GetObject(w.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return err.Error()
	}
	defer out.Body.Close()
	b, _ := io.ReadAll(out.Body)
	return string(b)
}

// keys lists a bucket, or says that it is not there.
func (w world) keys(bucket string) string {
	keys, err := keysUnder(w.Context(), w.client, bucket, "", nil)
	if err != nil {
		return "none: " + err.Error()
	}
	return strings.Join(keys, " ")
}

func TestBuckets(t *testing.T) {
	w := newWorld(t)
	got := w.do("S3CreateBucketOperator", "bucket_name", "bkt")
	expect(t, "create", got, flow.Success, "", "")
	if !strings.Contains(got.log, "Created bucket with name: bkt (request id ") || !strings.Contains(got.log, `"logger":"airflow.task.operators.`+s3Path("S3CreateBucketOperator")) {
		t.Errorf("create logs %s", got.log)
	}
	got = w.do("S3CreateBucketOperator", "bucket_name", "bkt")
	expect(t, "create again", got, flow.Success, "", "")
	if !strings.Contains(got.log, "already exists") {
		t.Errorf("create again logs %s", got.log)
	}
	expect(t, "create no name", w.do("S3CreateBucketOperator", "bucket_name", ""), flow.Failure, "bucket_name has no value", "")

	got = w.do("S3GetBucketTaggingOperator", "bucket_name", "bkt")
	expect(t, "tags of an untagged bucket", got, flow.Failure, "An error occurred (NoSuchTagSet) when calling the GetBucketTagging operation: The TagSet does not exist", "")
	if !strings.Contains(got.log, `"exc_type":"ClientError"`) {
		t.Errorf("a failed call logs %s", got.log)
	}
	expect(t, "put tags", w.do("S3PutBucketTaggingOperator", "bucket_name", "bkt", "tag_set", map[string]string{"z": "1", "a": "2"}, "key", "k", "value", "v"),
		flow.Success, "", "")
	expect(t, "get tags", w.do("S3GetBucketTaggingOperator", "bucket_name", "bkt"), flow.Success, "",
		`{"return_value":[{"Key":"a","Value":"2"},{"Key":"z","Value":"1"},{"Key":"k","Value":"v"}]}`)
	expect(t, "put a list", w.do("S3PutBucketTaggingOperator", "bucket_name", "bkt", "tag_set", []map[string]string{{"Key": "l", "Value": "m"}}), flow.Success, "", "")
	expect(t, "get the list", w.do("S3GetBucketTaggingOperator", "bucket_name", "bkt"), flow.Success, "", `{"return_value":[{"Key":"l","Value":"m"}]}`)
	expect(t, "key alone", w.do("S3PutBucketTaggingOperator", "bucket_name", "bkt", "key", "k"), flow.Failure, "key and value must be given together", "")
	expect(t, "bad tags", w.do("S3PutBucketTaggingOperator", "bucket_name", "bkt", "tag_set", 7), flow.Failure, "tag_set must be", "")
	expect(t, "delete tags", w.do("S3DeleteBucketTaggingOperator", "bucket_name", "bkt"), flow.Success, "", "")
	expect(t, "no tags left", w.do("S3GetBucketTaggingOperator", "bucket_name", "bkt"), flow.Failure, "NoSuchTagSet", "")
	for _, class := range []string{"S3GetBucketTaggingOperator", "S3PutBucketTaggingOperator", "S3DeleteBucketTaggingOperator"} {
		got := w.do(class, "bucket_name", "absent")
		expect(t, class+" of no bucket", got, flow.Success, "", "")
		if !strings.Contains(got.log, `"level":"warning"`) {
			t.Errorf("%s of no bucket logs %s, want a warning", class, got.log)
		}
	}

	w.put("bkt", "k", "x")
	expect(t, "delete a full bucket", w.do("S3DeleteBucketOperator", "bucket_name", "bkt"), flow.Failure, "An error occurred (BucketNotEmpty) when calling the DeleteBucket operation", "")
	expect(t, "delete by force", w.do("S3DeleteBucketOperator", "bucket_name", "bkt", "force_delete", true), flow.Success, "", "")
	expect(t, "delete again", w.do("S3DeleteBucketOperator", "bucket_name", "bkt"), flow.Success, "", "")
	if got := w.keys("bkt"); !strings.Contains(got, "NoSuchBucket") {
		t.Errorf("after the deletion the bucket has %s", got)
	}
}

func TestCreateObject(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt")
	expect(t, "create", w.do("S3CreateObjectOperator", "s3_bucket", "bkt", "s3_key", "k", "data", "höhe"), flow.Success, "", "")
	expect(t, "again", w.do("S3CreateObjectOperator", "s3_bucket", "bkt", "s3_key", "k", "data", "x"), flow.Failure, "The key k already exists.", "")
	if got := w.text("bkt", "k"); got != "höhe" {
		t.Errorf("object k is %q, want %q", got, "höhe")
	}
	expect(t, "replace", w.do("S3CreateObjectOperator", "s3_key", "s3://bkt/k", "data", "höhe", "replace", true, "encoding", "latin-1", "encrypt", true, "acl_policy", "private"), flow.Success, "", "")
	if got := w.text("bkt", "k"); got != "h\xf6he" {
		t.Errorf("object k is %q, want it in Latin 1", got)
	}
	expect(t, "compress", w.do("S3CreateObjectOperator", "s3_bucket", "bkt", "s3_key", "dir/a b+c.gz", "data", "zip", "compression", "gzip"), flow.Success, "", "")
	r, err := gzip.NewReader(strings.NewReader(w.text("bkt", "dir/a b+c.gz")))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); string(got) != "zip" || err != nil {
		t.Errorf("the compressed object holds %q, %v", got, err)
	}
	for _, tt := range []struct {
		args   []any
		reason string
	}{
		{[]any{"s3_bucket", "bkt", "s3_key", "x", "data", "x", "compression", "bz2"}, "can currently be compressed in gzip only"},
		{[]any{"s3_bucket", "bkt", "s3_key", "x", "data", "ö", "encoding", "ascii"}, "cannot be written in ascii"},
		{[]any{"s3_bucket", "bkt", "s3_key", "x", "data", "x", "encoding", "klingon"}, "unknown encoding: klingon"},
		{[]any{"s3_bucket", "bkt", "s3_key", "x", "data", map[string]int{"a": 1}}, "data must be text"},
		{[]any{"s3_bucket", "bkt", "s3_key", "s3://bkt/x", "data", "x"}, "s3_key should be a relative path"},
		{[]any{"s3_key", "x", "data", "x"}, "Please provide a bucket name"},
		{[]any{"s3_bucket", "none", "s3_key", "x", "data", "x"}, "An error occurred (NoSuchBucket) when calling the PutObject operation"},
	} {
		expect(t, tt.args, w.do("S3CreateObjectOperator", tt.args...), flow.Failure, tt.reason, "")
	}
}

func TestCopyObject(t *testing.T) {
	w := newWorld(t)
	w.bucket("from", "dir/a b+ü.txt")
	w.bucket("dest")
	expect(t, "copy", w.do("S3CopyObjectOperator", "source_bucket_name", "from", "source_bucket_key", "dir/a b+ü.txt",
		"dest_bucket_key", "s3://dest/x/y"), flow.Success, "", "")
	if got, want := w.text("dest", "x/y"), "text of dir/a b+ü.txt"; got != want {
		t.Errorf("the copy is %q, want %q", got, want)
	}
	expect(t, "copy by URL", w.do("S3CopyObjectOperator", "source_bucket_key", "https://from.s3.eu-west-1.amazonaws.com/dir/a%20b+%C3%BC.txt",
		"dest_bucket_name", "dest", "dest_bucket_key", "z", "acl_policy", "no-acl"), flow.Success, "", "")
	expect(t, "no source", w.do("S3CopyObjectOperator", "source_bucket_key", "s3://from/none", "dest_bucket_key", "s3://dest/x"), flow.Failure, "when calling the CopyObject operation", "")
	expect(t, "bucket twice", w.do("S3CopyObjectOperator", "source_bucket_name", "from", "source_bucket_key", "s3://from/k", "dest_bucket_key", "s3://dest/x"),
		flow.Failure, "source_bucket_key should be a relative path", "")
	if got, want := w.keys("dest"), "x/y z"; got != want {
		t.Errorf("the target has %q, want %q", got, want)
	}
}

func TestDeleteObjects(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "a/1", "a/2", "b/1", "c", "d")
	const class = "S3DeleteObjectsOperator"
	old := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	for _, tt := range []struct {
		args         []any
		verdict      flow.Verdict
		reason, left string
	}{
		{[]any{"keys", []string{"c", "missing"}}, flow.Success, "", "a/1 a/2 b/1 d"},
		{[]any{"keys", "d"}, flow.Success, "", "a/1 a/2 b/1"},
		{[]any{"keys", []string{}}, flow.Success, "", "a/1 a/2 b/1"},
		{[]any{"keys", ""}, flow.Success, "", "a/1 a/2 b/1"},
		{[]any{"prefix", "a/", "to_datetime", old}, flow.Success, "", "a/1 a/2 b/1"},
		{[]any{"prefix", "a/", "from_datetime", old}, flow.Success, "", "b/1"},
		{[]any{"prefix", "none"}, flow.Success, "", "b/1"},
		{[]any{}, flow.Failure, "Either keys or at least one of", "b/1"},
		{[]any{"keys", "x", "prefix", "a"}, flow.Failure, "Either keys or at least one of", "b/1"},
		{[]any{"from_datetime", "soon"}, flow.Failure, "from_datetime must be a date and time", "b/1"},
		{[]any{"prefix", ""}, flow.Success, "", ""},
	} {
		expect(t, tt.args, w.do(class, append(tt.args, "bucket", "bkt")...), tt.verdict, tt.reason, "")
		if got := w.keys("bkt"); got != tt.left {
			t.Errorf("after %q the bucket has %q, want %q", tt.args, got, tt.left)
		}
	}
}

func TestListing(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt", "a/1.csv", "a/2.txt", "a/x/3.csv", "b/4", "top")
	for _, tt := range []struct {
		class string
		args  []any
		want  string
	}{
		{"S3ListOperator", nil, `["a/1.csv","a/2.txt","a/x/3.csv","b/4","top"]`},
		{"S3ListOperator", []any{"prefix", "a/"}, `["a/1.csv","a/2.txt","a/x/3.csv"]`},
		{"S3ListOperator", []any{"prefix", "a/", "delimiter", "/"}, `["a/1.csv","a/2.txt"]`},
		{"S3ListOperator", []any{"prefix", "a/*.csv", "apply_wildcard", true}, `["a/1.csv","a/x/3.csv"]`},
		{"S3ListOperator", []any{"prefix", "a/*.csv"}, `[]`},
		{"S3ListOperator", []any{"prefix", "zzz"}, `[]`},
		{"S3ListPrefixesOperator", []any{"prefix", "", "delimiter", "/"}, `["a/","b/"]`},
		{"S3ListPrefixesOperator", []any{"prefix", "a/", "delimiter", "/"}, `["a/x/"]`},
	} {
		expect(t, tt, w.do(tt.class, append(tt.args, "bucket", "bkt")...), flow.Success, "", `{"return_value":`+tt.want+`}`)
	}
	expect(t, "no bucket", w.do("S3ListOperator", "bucket", "none"), flow.Failure, "An error occurred (NoSuchBucket) when calling the ListObjectsV2 operation", "")
}

func TestListsOfManyPages(t *testing.T) {
	w := newWorld(t)
	w.bucket("bkt")
	for i := range 1003 {
		w.put("bkt", fmt.Sprintf("k%04d", i), "")
	}
	got := w.do("S3ListOperator", "bucket", "bkt")
	var keys []string
	if err := json.Unmarshal(got.Outputs[ReturnValue], &keys); err != nil || len(keys) != 1003 {
		t.Errorf("S3ListOperator of 1003 keys gives %d, %v", len(keys), err)
	}
	expect(t, "delete", w.do("S3DeleteBucketOperator", "bucket_name", "bkt", "force_delete", true), flow.Success, "", "")
}

func TestNoCredentials(t *testing.T) {
	w := newWorld(t)
	expect(t, "without credentials", run(t, w.o, call(s3Path("S3ListOperator"), "bucket", "bkt")), flow.Failure,
		"calling the ListObjectsV2 operation: Unable to locate credentials (", "")
}

func TestKnownButAbsent(t *testing.T) {
	o := testOperators(t, nil)
	later := absent{&Spec{Class: "LaterOperator"}}
	want := "LaterOperator is an operator of the service, but this version of Fairlead cannot run it"
	_, err := later.Command(Call{})
	_, perr := later.Poke(t.Context(), Call{}, nil, nil)
	for _, err := range []error{err, perr} {
		if out := Outcome(err); out.Verdict != flow.Fatal || !strings.Contains(out.Reason, want) {
			t.Errorf("absent: %s %q, want fatal %q", out.Verdict, out.Reason, want)
		}
	}
	base := "airflow.providers.amazon.aws.operators.ecs.EcsBaseOperator"
	expect(t, base, run(t, o, call(base)), flow.Fatal, "abstract base class", "")
	athena := "airflow.providers.amazon.aws.operators.athena.AthenaOperator"
	sensor := "airflow.providers.amazon.aws.sensors.athena.AthenaSensor"
	for _, path := range []string{"my.own.Operator", sensor, "airflow.operators.empty.EmptyOperator"} {
		if r, ok := o.Runner(path); ok {
			t.Errorf("Runner(%q) = %v, want none", path, r)
		}
	}
	for path, want := range map[string]bool{
		athena: true, sensor: true, base: false, bashPath: true, s3Path("S3ListOperator"): true,
		"airflow.operators.empty.EmptyOperator": true, keySensorPath: true, "my.own.Operator": false,
	} {
		if got := Default().Implemented(path); got != want {
			t.Errorf("Implemented(%q) = %v, want %v", path, got, want)
		}
	}
}

func TestPerformRefuses(t *testing.T) {
	for _, in := range []string{"", "{", `{"Path":"x"}`, `{"Path":"` + bashPath + `"}`, `{"Path":"` + keySensorPath + `"}`} {
		var result, log bytes.Buffer
		if err := Perform(t.Context(), strings.NewReader(in), &result, &log); err == nil || result.Len() > 0 {
			t.Errorf("Perform(%q) = %v with report %q, want an error and no report", in, err, result.String())
		}
	}
}
