package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"fairlead/internal/flow"
	"fairlead/internal/omics"
)

// absent says that an object is not there.
func (c omicsClient) absent(key string) bool {
	c.t.Helper()
	_, err := c.s3.GetObject(c.t.Context(), &awss3.GetObjectInput{Bucket: aws.String("data"), Key: &key})
	_, missing := errors.AsType[*s3types.NoSuchKey](err)
	if err != nil && !missing {
		c.t.Fatalf("%s: %v", key, err)
	}
	return missing
}

// Of three elements the second fails, once the others have ended.
const halfway = `version 1.1
import "part.wdl" as part
task make {
  input { String word  Boolean fails = false  Array[File] after = [] }
  command <<< echo ~{word} > made.txt; ~{if fails then "exit 3" else "true"} >>>
  output { File made = "made.txt"  Int n = 7 }
}
workflow main {
  call make as first { input: word = "first" }
  scatter (i in range(3)) {
    if (i != 1) { call make as even { input: word = "even ~{i}" } }
  }
  call part.p { input: word = "inner" }
  call make as last { input: word = "last", fails = true, after = flatten([select_all(even.made), [first.made, p.one]]) }
  output {
    File first_made = first.made
    Array[File?] evens = even.made
    File inner = p.one
    File never = last.made
    Int sum = first.n + 1
    Array[File] all = [first.made, last.made]
  }
}`

const part = `version 1.1
task make {
  input { String word }
  command <<< echo ~{word} > made.txt >>>
  output { File made = "made.txt" }
}
workflow p {
  input { String word }
  call make { input: word }
  output { File one = make.made }
}`

// TestOmicsPartialOutputs holds that what a run has finished is published when
// it fails, that nothing says it was all, and that its failure stays its own.
func TestOmicsPartialOutputs(t *testing.T) {
	l := newLab(t, nil)
	id := l.begin(object{"workflowId": l.archive(map[string]string{"main.wdl": halfway, "part.wdl": part})})
	if r := l.ends(id); r["status"] != "FAILED" || r["failureReason"] != "RUN_TASK_FAILED" {
		t.Fatalf("run: %v", r)
	}
	base := "out/" + id + "/"
	for name, want := range map[string]string{
		"out/first_made/made.txt": "first\n", "out/evens/0/made.txt": "even 0\n", "out/evens/2/made.txt": "even 2\n", "out/inner/made.txt": "inner\n",
	} {
		if got := l.object(base + name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"logs/outputs.json", "out/never/made.txt", "out/all/0/made.txt", "out/evens/1/made.txt"} {
		if !l.absent(base + name) {
			t.Errorf("%s is there", name)
		}
	}
	var got any
	if err := json.Unmarshal([]byte(l.object(base+"logs/partial_outputs.json")), &got); err != nil {
		t.Fatal(err)
	}
	url := "s3://data/" + base + "out/"
	want := object{
		"main.first_made": url + "first_made/made.txt", "main.evens": []any{url + "evens/0/made.txt", nil, url + "evens/2/made.txt"},
		"main.inner": url + "inner/made.txt", "main.sum": 8.0,
	}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("partial_outputs.json (-want +got):\n%s", diff)
	}
}

// TestOmicsPartialOfUnfinished holds the same of what is within a scatter and a
// called workflow that did not come to their ends, in a run that is cancelled.
func TestOmicsPartialOfUnfinished(t *testing.T) {
	l := newLab(t, nil)
	id := l.begin(object{"workflowId": l.archive(map[string]string{
		"main.wdl": `version 1.1
import "part.wdl" as part
workflow main {
  scatter (i in [0, 1]) { call part.p { input: i } }
  output { Array[File] quick = p.quick  Array[File] slow = p.slow }
}`,
		"part.wdl": `version 1.1
task make {
  input { Int wait }
  command <<< sleep ~{wait}; echo made > made.txt >>>
  output { File made = "made.txt" }
}
workflow p {
  input { Int i }
  call make as a { input: wait = 0 }
  call make as b { input: wait = 600 * i }
  output { File quick = a.made  File slow = b.made }
}`,
	})})
	l.until(func() bool {
		done := l.must(200, "GET", "/run/"+id+"/task?status=COMPLETED", nil)["items"].([]any)
		return len(done) == 3
	})
	l.must(202, "POST", "/run/"+id+"/cancel", nil)
	if r := l.ends(id); r["status"] != "CANCELLED" {
		t.Fatalf("run: %v", r)
	}
	base := "out/" + id + "/"
	for _, name := range []string{"out/quick/0/made.txt", "out/quick/1/made.txt", "out/slow/0/made.txt"} {
		if got := l.object(base + name); got != "made\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
	if !l.absent(base + "out/slow/1/made.txt") {
		t.Error("what a cancelled task would have made is there")
	}
}

// TestOmicsPartialRefused holds that a run which fails fails for its own reason
// when nothing of it can be published, and that a server may be told not to.
func TestOmicsPartialRefused(t *testing.T) {
	const text = `version 1.1
task make { command <<< echo made > made.txt >>> output { File made = "made.txt" } }
task fail { input { File f } command <<< exit 4 >>> }
workflow main {
  call make
  call fail { input: f = make.made }
  output { File made = make.made }
}`
	l := newLab(t, nil)
	id := l.begin(object{"workflowId": l.wdl(text), "outputUri": "s3://no-such-bucket/x"})
	if r := l.ends(id); r["status"] != "FAILED" || r["failureReason"] != "RUN_TASK_FAILED" || !strings.Contains(fmt.Sprint(r["statusMessage"]), "exit code 4") {
		t.Errorf("run: %v", r)
	}
	if log := l.log("run/" + id); !strings.Contains(log, "what the run has finished could not all be published: s3://no-such-bucket/x/"+id+"/out/made/made.txt does not exist") {
		t.Errorf("the run's log: %s", log)
	}

	off := newLab(t, func(o *options) { o.partial = false })
	id = off.begin(object{"workflowId": off.wdl(text)})
	off.ends(id)
	if !off.absent("out/" + id + "/out/made/made.txt") {
		t.Error("a server that is told not to publishes what is finished")
	}
}

// archive makes a workflow of several documents, as a client does, and returns
// its id.
func (c omicsClient) archive(files map[string]string) string {
	c.t.Helper()
	return c.made(files, object{})
}

// workflowOf makes a workflow of one document with something more.
func (c omicsClient) workflowOf(text string, more object) string {
	c.t.Helper()
	return c.made(map[string]string{"main.wdl": text}, more)
}

func (c omicsClient) made(files map[string]string, in object) string {
	c.t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		c.t.Fatal(err)
	}
	in["definitionZip"], in["main"], in["engine"], in["requestId"] = b.Bytes(), "main.wdl", "WDL", fmt.Sprint(time.Now().UnixNano())
	id := c.must(201, "POST", "/workflow", in)["id"].(string)
	if w := c.must(200, "GET", "/workflow/"+id, nil); w["status"] != "ACTIVE" { // at once: what is to be found is found before the answer
		c.t.Fatalf("workflow: %v", w)
	}
	return id
}

// until waits for something that a server is asked for.
func (c omicsClient) until(done func() bool) {
	c.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) { // a server of its own is asked: no clock is ours
		if time.Now().After(deadline) {
			c.t.Fatal("it does not come")
		}
	}
}

// log returns the lines of a stream.
func (l *lab) log(stream string) string {
	l.t.Helper()
	page, err := l.app.logs.Read(l.t.Context(), omics.LogGroup, stream, flow.LogRange{Limit: 1000})
	if err != nil {
		l.t.Fatalf("%s: %v", stream, err)
	}
	var b strings.Builder
	for _, e := range page.Events {
		b.WriteString(e.Text + "\n")
	}
	return b.String()
}
