package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// cached has a task with a file, one that needs it, and one that a run may ask
// to fail. Each signs a ledger on the machine when it runs.
const cached = `version 1.1
task part {
  input { File list  Int n  String ledger }
  command <<< echo "part ~{n}" >>~{ledger}; sed -n "~{n + 1}p" ~{list} >said; chmod +x said; mkdir -p d/empty; cp said d/ >>>
  output { File said = "said"  Int size = 1 }
}
task join {
  input { Array[File] parts  Boolean fail  String ledger }
  command <<< echo join >>~{ledger}; cat ~{sep(" ", parts)}; ~{if fail then "false" else "true"} >>>
  output { String all = read_string(stdout()) }
}
workflow main {
  input { File list  Boolean fail = false  String ledger }
  scatter (i in range(2)) { call part { input: list, n = i, ledger } }
  call join { input: parts = part.said, fail, ledger }
  output { Array[File] said = part.said  String all = join.all }
}`

// cacheTasks returns the tasks of a run as a text: name, status and whether
// they came from the cache.
func (c omicsClient) cacheTasks(run string) string {
	var out []string
	for _, item := range c.must(200, "GET", "/run/"+run+"/task", nil)["items"].([]any) {
		t := item.(object)
		out = append(out, fmt.Sprintf("%v %v %v", t["name"], t["status"], t["cacheHit"]))
		if got := c.must(200, "GET", fmt.Sprintf("/run/%s/task/%v", run, t["taskId"]), nil); got["cacheHit"] != t["cacheHit"] || got["cacheS3Uri"] != t["cacheS3Uri"] || (got["cacheS3Uri"] != nil) != got["cacheHit"].(bool) {
			c.t.Errorf("task: %v, in the list %v", got, t)
		}
	}
	return strings.Join(out, ", ")
}

// keys returns those of objects below a prefix.
func (c omicsClient) keys(prefix string) []string {
	c.t.Helper()
	out, err := c.s3.ListObjectsV2(c.t.Context(), &awss3.ListObjectsV2Input{Bucket: aws.String("data"), Prefix: &prefix})
	if err != nil {
		c.t.Fatal(err)
	}
	var keys []string
	for _, o := range out.Contents {
		keys = append(keys, *o.Key)
	}
	return keys
}

func lines(t *testing.T, file string) string {
	data, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return fmt.Sprint(strings.Count(string(data), "part"), " ", strings.Count(string(data), "join"))
}

// TestRunCache follows a cache through runs that fail, succeed and find changes.
func TestRunCache(t *testing.T) {
	l := newLab(t, func(o *options) { o.isolation = "none" })
	ledger := filepath.Join(t.TempDir(), "ledger")
	l.upload("in/names.txt", "ada\nbob\n")
	w := l.wdl(cached)
	cache := l.must(201, "POST", "/runCache", object{"cacheS3Location": "s3://data/cache/", "requestId": "c1"})["id"].(string)
	run := func(more object) (string, object) {
		params := object{"list": "s3://data/in/names.txt", "ledger": ledger}
		for k, v := range more {
			if k == "fail" || k == "list" {
				params[k] = v
				delete(more, k)
			}
		}
		in := object{"workflowId": w, "parameters": params, "cacheId": cache}
		for k, v := range more {
			in[k] = v
		}
		id := l.begin(in)
		r := l.ends(id)
		if r["cacheId"] != cache {
			t.Errorf("run: %v", r)
		}
		return id, r
	}
	check := func(what, id, tasks, ran string) {
		t.Helper()
		if got := l.cacheTasks(id); got != tasks {
			t.Errorf("%s: tasks %s, want %s", what, got, tasks)
		}
		if got := lines(t, ledger); got != ran {
			t.Errorf("%s: parts and joins that have run: %s, want %s", what, got, ran)
		}
	}

	// A run that succeeds leaves nothing where failures alone are kept.
	id, r := run(nil)
	if r["status"] != "COMPLETED" || r["cacheBehavior"] != "CACHE_ON_FAILURE" {
		t.Fatalf("run: %v", r)
	}
	check("first", id, "join COMPLETED false, part-0-0 COMPLETED false, part-0-1 COMPLETED false", "2 1")
	if got := l.keys("cache/"); len(got) > 0 {
		t.Errorf("the cache has %v", got)
	}

	// One that fails leaves what has succeeded.
	id, r = run(object{"fail": true})
	if r["status"] != "FAILED" {
		t.Fatalf("run: %v", r)
	}
	check("failed", id, "join FAILED false, part-0-0 COMPLETED false, part-0-1 COMPLETED false", "4 2")
	failed := l.keys("cache/")
	if len(failed) != 6 {
		t.Errorf("the cache has %v, want two entries, manifests and pointers", failed)
	}
	for _, key := range failed {
		if strings.Contains(key, "/keys/") {
			continue
		}
		if parts := strings.Split(key, "/"); parts[2] != id || !strings.HasPrefix(parts[3], id) || len(parts[1]) != 36 || len(strings.TrimSuffix(parts[4], ".json")) != 36 {
			t.Errorf("%s, want cache/UUID/%s/TASK/ENTRY", key, id)
		}
		if !strings.HasSuffix(key, ".json") {
			continue
		}
		var m entryText
		if err := json.Unmarshal([]byte(l.object(key)), &m); err != nil || len(m.Files) != 1 || m.Version != 2 || !strings.Contains(m.ARN, "runCache/"+cache+"/cacheEntry/") || m.Files[0].ETag == "" {
			t.Errorf("%s: %+v, %v", key, m, err)
		}
	}

	// The next takes it.
	id, r = run(object{"cacheBehavior": "CACHE_ALWAYS"})
	if r["status"] != "COMPLETED" || r["cacheBehavior"] != "CACHE_ALWAYS" {
		t.Fatalf("run: %v", r)
	}
	check("after a failure", id, "join COMPLETED false, part-0-0 COMPLETED true, part-0-1 COMPLETED true", "4 3")
	if got := l.object("out/" + id + "/out/said/1/said"); got != "bob\n" {
		t.Errorf("said: %q", got)
	}
	log := l.object("out/" + id + "/logs/engine.log")
	for _, want := range []string{"part-0-0 (", "cache hit: s3://data/cache/", "cache miss: no entry", "cached: s3://data/cache/"} {
		if !strings.Contains(log, want) {
			t.Errorf("engine.log has no %q:\n%s", want, log)
		}
	}
	id, _ = run(object{"cacheBehavior": "CACHE_ALWAYS"})
	check("all is there", id, "join COMPLETED true, part-0-0 COMPLETED true, part-0-1 COMPLETED true", "4 3")
	if got := strings.Join(strings.Fields(l.object("out/"+id+"/logs/outputs.json")), ""); !strings.Contains(got, `"main.all":"ada\nbob"`) {
		t.Errorf("outputs: %s", got)
	}

	// The contents of files count, not where they are.
	l.upload("in/2/names.txt", "ada\nbob\n")
	l.upload("in/3/names.txt", "ada\ncid\n")
	id, _ = run(object{"list": "s3://data/in/2/names.txt"})
	check("the same elsewhere", id, "join COMPLETED true, part-0-0 COMPLETED true, part-0-1 COMPLETED true", "4 3")
	id, _ = run(object{"list": "s3://data/in/3/names.txt"})
	check("another file", id, "join COMPLETED false, part-0-0 COMPLETED false, part-0-1 COMPLETED false", "6 4")

	// What somebody has changed, removed or broken is made again.
	for i, spoil := range []func(key string){
		func(key string) { l.upload(key, "eve\n") },
		func(key string) {
			if _, err := l.s3.DeleteObject(t.Context(), &awss3.DeleteObjectInput{Bucket: aws.String("data"), Key: &key}); err != nil {
				t.Fatal(err)
			}
		},
		func(key string) { l.upload(filepath.Dir(filepath.Dir(key))+".json", "{") },
	} {
		for _, key := range l.keys("cache/") {
			if strings.HasSuffix(key, "/said") {
				spoil(key)
			}
		}
		id, r = run(object{"cacheBehavior": "CACHE_ALWAYS"})
		if r["status"] != "COMPLETED" {
			t.Fatalf("run: %v", r)
		}
		check(fmt.Sprintf("spoilt %d", i), id, "join COMPLETED true, part-0-0 COMPLETED false, part-0-1 COMPLETED false", fmt.Sprintf("%d 4", 8+2*i))
		if got := l.object("out/" + id + "/out/said/0/said"); got != "ada\n" {
			t.Errorf("said: %q", got)
		}
	}
}

// TestRunWDLCache runs a document twice with a directory as its cache, from
// another place the second time.
func TestRunWDLCache(t *testing.T) {
	cache := t.TempDir()
	files := map[string]string{"main.wdl": "version 1.1\n" + `task t {
  input { File f }
  command <<< date +%N >out >>>
  output { String out = read_string("out")  File kept = "out" }
}
task u { command <<< exit 1 >>> }
workflow w {
  input { File f  Boolean fail = false }
  call t { input: f }
  if (fail) { call u }
  output { String out = t.out  String again = read_string(t.kept) }
}`, "f": "text"}
	out := func(inputs, taken string) string {
		got, said, err := runText(t, wdlJob{inputs: inputs, cache: cache}, files)
		if !strings.Contains(said, taken+" taken from the cache\n") {
			t.Errorf("it says\n%s\nwant %q", said, taken)
		}
		if strings.Contains(inputs, "fail") != (err != nil) {
			t.Fatalf("%s: %s: %v", inputs, said, err)
		}
		return got
	}
	_ = out(`{"w.f": "f", "w.fail": true}`, "tasks") // what has succeeded is kept
	first := out(`{"w.f": "f"}`, "1 tasks")
	if second := out(`{"w.f": "f"}`, "1 of 1 tasks"); second != first || !strings.Contains(first, `"w.again"`) {
		t.Errorf("got %s, and then %s", first, second)
	}
	kept, err := filepath.Glob(filepath.Join(cache, "*", "*", "*", "work", "out"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("the cache has %v, %v", kept, err)
	}
	if err := os.WriteFile(kept[0], []byte("1234"), 0o600); err != nil {
		t.Fatal(err)
	}
	if third := out(`{"w.f": "f"}`, "0 of 1 tasks"); third == first || strings.Contains(third, "1234") {
		t.Errorf("of an entry that has changed: %s, as %s", third, first)
	}
}

// TestRunCacheNames has tasks read files by names that come in texts: what they
// read counts, though the texts are the same in each run.
func TestRunCacheNames(t *testing.T) {
	cache := t.TempDir()
	const tasks = `
task list { input { Array[File] fs } command <<< cp ~{write_lines(fs)} list >>> output { File list = "list" } }
task copy { input { File f } command <<< cp ~{f} c >>> output { File c = "c" } }
task total { input { File list } command <<< cat $(cat ~{list}) >>> output { String all = read_string(stdout()) } }
task named { input { String name } command <<< cat ~{name} >>> output { String all = read_string(stdout()) } }
task here { command <<< pwd >here; echo ok >"$PWD/file" >>> output { File here = "here"  File file = "file" } }
task there { input { File here  File file } command <<< cat $(cat ~{here})/file >>> output { String all = read_string(stdout()) } }
`
	const all = "version 1.1" + tasks + `workflow w {
  input { Array[File] fs }
  call list { input: fs }
  call copy { input: f = fs[0] }
  File written = write_lines([copy.c])
  call total { input: list = list.list }
  call total as direct { input: list = written }
  call named { input: name = "~{copy.c}" }
  output { Array[String] all = [total.all, direct.all, named.all] }
}`
	file := filepath.Join(t.TempDir(), "file")
	run := func(text, inputs string) string {
		t.Helper()
		got, said, err := runText(t, wdlJob{inputs: inputs, cache: cache}, map[string]string{"main.wdl": text})
		if err != nil {
			t.Fatalf("%s\n%v", said, err)
		}
		return got
	}
	for _, text := range []string{"1", "2", "1"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, want := run(all, fmt.Sprintf(`{"w.fs": [%q]}`, file)), fmt.Sprintf(`{ "w.all": [ "%s", "%[1]s", "%[1]s" ] }`, text); got != want {
			t.Errorf("of a file with %s: %s", text, got)
		}
	}
	if keys, err := filepath.Glob(filepath.Join(cache, "keys", "*", "*")); err != nil || len(keys) != 10 {
		t.Errorf("the cache has %d keys, want 5 of each text, and none of the last run: %v", len(keys), err)
	}
	// Files that name the place where they were made are good there alone.
	const before, after = "workflow w { ", "call here call there { input: here = here.here, file = here.file } output { String all = there.all } }"
	for _, text := range []string{before + after, before + after, before + "call here as another " + after} {
		if got := run("version 1.1"+tasks+text, "{}"); got != `{ "w.all": "ok" }` {
			t.Errorf("%s: %s", text, got)
		}
	}
}
