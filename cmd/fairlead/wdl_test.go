package main

import (
	"bytes"
	"crypto/md5" //nolint:gosec // the suite names contents by it
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A wdlCase is one test of the conformance suite.
type wdlCase struct {
	ID       string
	Versions []string
	Inputs   struct{ Dir, WDL, JSON string }
	Fail     bool
	Outputs  map[string]struct {
		Type  any
		Value any
	}
}

// elsewhere are the tests that cannot pass here.
var elsewhere = map[string]string{
	"miniwdl_self_test":                    "needs the network",
	"as_map":                               "wants {\"b\":\"2\",\"a\":\"1\",\"c\":\"3\"} of a map of numbers in another order",
	"string_placeholders_conditionals_1_0": "wants what no specification says",
}

var versionLine = regexp.MustCompile(`(?m)^version .*$`)

// TestWDLConformance runs the conformance suite: each test under each version
// that it is for. None needs a container or the network but those that are
// named.
func TestWDLConformance(t *testing.T) {
	suite, err := filepath.Abs(filepath.Join("..", "..", "..", "shared", "cases", "wdl-ucsc"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(suite, "manifest.json"))
	if err != nil {
		t.Skip("the suite is not here: ", err)
	}
	if testing.Short() {
		t.Skip("runs some 150 workflows")
	}
	var manifest struct{ Tests []wdlCase }
	if err := json.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range manifest.Tests {
		for _, version := range c.Versions {
			if why := elsewhere[c.ID]; why != "" {
				t.Logf("%s is not run: %s", c.ID, why)
				continue
			}
			if version == "draft-2" || version == "1.2" {
				continue // the suite's documents are of 1.0, and 1.2 is development here
			}
			ran++
			t.Run(c.ID+"/"+version, func(t *testing.T) {
				t.Parallel()
				c.run(t, suite, version)
			})
		}
	}
	if ran < 140 {
		t.Errorf("%d tests; want those of all versions", ran)
	}
}

func (c *wdlCase) run(t *testing.T, suite, version string) {
	// Paths in inputs are relative to the suite.
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(suite)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run.py"), []byte("# of the suite\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(filepath.Join(dir, c.Inputs.Dir), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(name) != ".wdl" {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.Contains(string(text), "version "+version) || filepath.Base(name) == "converted.wdl" {
			return nil
		}
		text = versionLine.ReplaceAll(text, []byte("version "+version))
		if filepath.Base(name) == c.Inputs.WDL { // which may be an input of itself
			return os.WriteFile(filepath.Join(dir, c.Inputs.Dir, "converted.wdl"), text, 0o600)
		}
		return os.WriteFile(name, text, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, c.Inputs.Dir, "converted.wdl")
	if _, err := os.Stat(file); err != nil {
		file = filepath.Join(dir, c.Inputs.Dir, c.Inputs.WDL)
	}
	job := wdlJob{
		file: file, inputs: filepath.Join(dir, c.Inputs.Dir, c.Inputs.JSON), base: dir,
		dir: filepath.Join(dir, "result"),
	}
	out, said, err := runJob(t, "prefer", job)
	if c.Fail {
		if err == nil {
			t.Errorf("it succeeded with %s; want it to fail", out)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	for name, want := range c.Outputs {
		have, ok := got[name]
		if !ok {
			t.Errorf("there is no output %s in %s", name, out)
			continue
		}
		if why := differs(dir, have, want.Value); why != "" {
			t.Errorf("output %s: %s\n got %v\nwant %v", name, why, have, want.Value)
		}
	}
}

// differs says how an output is not what the suite wants.
func differs(dir string, have, want any) string {
	switch want := want.(type) {
	case map[string]any:
		if sum, ok := want["md5sum"].(string); ok {
			return differsFile(dir, have, func(data []byte) bool {
				got := md5.Sum(data) //nolint:gosec // see above
				return hex.EncodeToString(got[:]) == sum
			})
		}
		if pattern, ok := want["regex"].(string); ok {
			// Python's $ comes before a last line end, too, and it has references.
			re, err := regexp.Compile(strings.ReplaceAll(pattern, `\1`, `\s?`))
			if err != nil {
				return err.Error()
			}
			return differsFile(dir, have, func(data []byte) bool { return re.Match(bytes.TrimSuffix(data, []byte("\n"))) })
		}
		if listing, ok := want["listing"].([]any); ok {
			return differsDir(have, listing)
		}
		got, ok := have.(map[string]any)
		if !ok || len(got) != len(want) {
			return "no such object"
		}
		for k, v := range want {
			if why := differs(dir, got[k], v); why != "" {
				return k + ": " + why
			}
		}
		return ""
	case []any:
		got, ok := have.([]any)
		if !ok || len(got) != len(want) {
			return "no array of as many"
		}
		for i := range want {
			if why := differs(dir, got[i], want[i]); why != "" {
				return fmt.Sprintf("%d: %s", i, why)
			}
		}
		return ""
	case float64:
		if got, ok := have.(float64); ok && math.Abs(got-want) < 1e-9 {
			return ""
		}
	}
	if have == want {
		return ""
	}
	return "another value"
}

func differsFile(dir string, have any, fits func([]byte) bool) string {
	name, _ := have.(string)
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	data, err := os.ReadFile(name)
	switch {
	case err != nil:
		return err.Error()
	case !fits(data):
		return fmt.Sprintf("the file holds %q", data[:min(len(data), 200)])
	}
	return ""
}

// differsDir says how a directory does not hold what it should.
func differsDir(have any, listing []any) string {
	name, _ := have.(string)
	for _, it := range listing {
		entry := it.(map[string]any)
		at := filepath.Join(name, entry["basename"].(string))
		info, err := os.Stat(at)
		if err != nil {
			return err.Error()
		}
		if info.IsDir() != (entry["type"] == "Directory") {
			return at + " is of another kind"
		}
		if inner, ok := entry["listing"].([]any); ok {
			if why := differsDir(at, inner); why != "" {
				return why
			}
		}
	}
	return ""
}

// runText runs a document with others beside it, and returns its outputs and
// what it said.
func runText(t *testing.T, job wdlJob, files map[string]string) (outputs, said string, err error) {
	t.Helper()
	return runTextIn(t, "prefer", job, files)
}

// runTextIn runs a document with as much isolation as is asked for.
func runTextIn(t *testing.T, isolation string, job wdlJob, files map[string]string) (outputs, said string, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	job.file, job.dir, job.base = filepath.Join(dir, "main.wdl"), filepath.Join(dir, "result"), dir
	out, said, err := runJob(t, isolation, job)
	return strings.ReplaceAll(strings.Join(strings.Fields(out), " "), dir, "DIR"), said, err
}

// runJob carries out "fairlead run" of a document, and returns what it printed
// and said.
func runJob(t *testing.T, isolation string, job wdlJob) (out, said string, err error) {
	t.Helper()
	opt := defaultOptions()
	opt.listen, opt.data, opt.isolation = "127.0.0.1:0", "", isolation
	var outputs, errs bytes.Buffer
	cmd := runCommand()
	cmd.SetContext(t.Context())
	cmd.SetOut(&outputs)
	cmd.SetErr(&errs)
	err = runWDL(cmd, opt, job)
	return outputs.String(), errs.String(), err
}

// TestRunWDL runs documents for what they give, or why they fail.
func TestRunWDL(t *testing.T) {
	task := func(command, outputs, more string) string {
		return "version 1.1\ntask t {\n  input { Int n = 1 File? f }\n  command <<< " + command + " >>>\n  output { " + outputs + " }\n" + more + "\n}\n"
	}
	for _, tt := range []struct {
		name   string
		files  map[string]string
		inputs string
		target string
		want   string // of the outputs
		fails  string // what is said of the failure
	}{
		{"the only task", map[string]string{"main.wdl": task("echo $((~{n} * 2))", "Int twice = read_int(stdout())", "")}, `{"t.n": 21}`, "", `{ "t.twice": 42 }`, ""},
		{"a file is read", map[string]string{"main.wdl": task("cat ~{f}; wc -c < ~{f} >&2", "String s = read_string(stdout()) String e = read_string(stderr())", ""), "x.txt": "abc"}, `{"t.f": "x.txt"}`, "t", `{ "t.s": "abc", "t.e": "3" }`, ""},
		{"a file is kept", map[string]string{"main.wdl": task("echo hi > 'a b.txt'", `File f2 = "a b.txt"`, "")}, "", "", `{ "t.f2": "DIR/result/out/f2/a b.txt" }`, ""},
		{"no such target", map[string]string{"main.wdl": task("true", "", "")}, "", "u", "", `no workflow or task "u"`},
		{"no such input", map[string]string{"main.wdl": task("true", "", "")}, `{"t.m": 1}`, "", "", `has no input "t.m"`},
		{"an input of another type", map[string]string{"main.wdl": task("true", "", "")}, `{"t.n": [1]}`, "", "", `input t.n: expected Int, found an Array`},
		{"a file that is not there", map[string]string{"main.wdl": task("cat ~{f}", "", "")}, `{"t.f": "nothing.txt"}`, "", "", "INPUT_URI_NOT_FOUND"},
		{"a command that fails", map[string]string{"main.wdl": task("echo oh no >&2; exit 3", "", "")}, "", "", "", "t failed at attempt 1: RUN_TASK_FAILED: the command ended with exit code 3: oh no"},
		{
			"what is finished is kept", map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  call a\n  call b { input: f = a.f }\n  output { File one = a.f  File two = b.g }\n}\ntask a {\n  command <<< echo 1 > one.txt >>>\n  output { File f = \"one.txt\" }\n}\ntask b {\n  input { File f }\n  command <<< exit 3 >>>\n  output { File g = \"two.txt\" }\n}\n"},
			"", "", "", "outputs that were finished are in ",
		},
		{"an exit code that is success", map[string]string{"main.wdl": task("exit 3", "Boolean ok = true", `  runtime { returnCodes: [0, 3] }`)}, "", "", `{ "t.ok": true }`, ""},
		{"an output that is not made", map[string]string{"main.wdl": task("true", `File g = "g.txt"`, "")}, "", "", "", "output g: the command has not made"},
		{"an optional output that is not made", map[string]string{"main.wdl": task("true", `File? g = "g.txt"`, "")}, "", "", `{ "t.g": null }`, ""},
		{"an output elsewhere", map[string]string{"main.wdl": task("true", `File g = "/etc/hostname"`, "")}, "", "", "", "not in the task's working directory"},
		{"an output that links elsewhere", map[string]string{"main.wdl": task("ln -s /etc/passwd g", `File g = "g"`, "")}, "", "", "", "leads out of the run's directory"},
		{"what links elsewhere is not read", map[string]string{"main.wdl": task("ln -s /etc/passwd g", `String g = read_string("g")`, "")}, "", "", "", "leads out of the run's directory"},
		{"links to inputs are outputs", map[string]string{"main.wdl": task("ln -s ~{f} g; echo 2 > h; ln -s $PWD/h i", `File g = "g" Array[File] all = glob("[gi]") String s = read_string(all[1])`, ""), "x.txt": "abc"}, `{"t.f": "x.txt"}`, "", `{ "t.g": "DIR/result/out/g/x.txt", "t.all": [ "DIR/result/out/all/0/x.txt", "DIR/result/out/all/1/h" ], "t.s": "2" }`, ""},
		{"names that are printed are of files", map[string]string{"main.wdl": task("echo 1 > a; echo 2 > b; ls -d $PWD/?", `Array[File] all = read_lines(stdout()) Int n2 = read_int(all[1])`, "")}, "", "", `{ "t.all": [ "DIR/result/out/all/0/a", "DIR/result/out/all/1/b" ], "t.n2": 2 }`, ""},
		{"a pipe is no file", map[string]string{"main.wdl": task("mkfifo g", `String g = read_string("g")`, "")}, "", "", "", "g is neither a file nor a directory"},
		{"inputs are not for writing", map[string]string{"main.wdl": task("echo x >> ~{f}", "", ""), "x.txt": "abc"}, `{"t.f": "x.txt"}`, "", "", "Read-only file system"},
		{
			"a call in a scatter that fails",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  scatter (i in range(2)) { if (i > 0) { call t { input: n = i } } }\n}\ntask t {\n  input { Int n }\n  command <<< exit 4 >>>\n}\n"},
			"", "", "", "t[1] failed at attempt 1: RUN_TASK_FAILED: the command ended with exit code 4\n",
		},
		{"a fault in an expression", map[string]string{"main.wdl": task("true", `Int g = 1 / (n - 1)`, "")}, "", "", "", "RUN_TASK_FAILED: main.wdl:5:20: division by zero"},
		{
			"workflows in workflows, with inputs of their calls",
			map[string]string{
				"main.wdl": "version 1.1\nimport \"sub.wdl\" as sub\nworkflow w {\n  input { Int k = 2 }\n  scatter (i in range(k)) {\n    Int j = i * 10\n    if (j > 0) { call sub.s { input: a = j } }\n  }\n  output { Array[Int?] r = s.b  Array[Int] js = j }\n}\n",
				"sub.wdl":  "version 1.1\nworkflow s {\n  input { Int a }\n  Int twice = a * 2\n  call t { input: n = twice }\n  output { Int b = t.out + twice }\n}\ntask t {\n  input { Int n Int more = 0 }\n  command <<< echo $((~{n} + ~{more})) >>>\n  output { Int out = read_int(stdout()) }\n}\n",
			},
			`{"w.k": 3, "w.s.t.more": 5}`, "", `{ "w.r": [ null, 45, 85 ], "w.js": [ 0, 10, 20 ] }`, "",
		},
		{
			"values of files in the workflow",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  File f = write_lines([\"a\", \"b\"])\n  scatter (line in read_lines(f)) { String up = line + \"!\" }\n  call t { input: f = f }\n  output { Array[String] ups = up  Int n = t.n }\n}\ntask t {\n  input { File f }\n  command <<< wc -l < ~{f} >>>\n  output { Int n = read_int(stdout()) }\n}\n"},
			"", "", `{ "w.ups": [ "a!", "b!" ], "w.n": 2 }`, "",
		},
		{
			"what is optional within an output and is not made", map[string]string{"main.wdl": task("touch a", `Array[File?] fs = ["a", "b"] Int n2 = length(select_all(fs)) Map[String, File?] m = {"c": "c"}`, "")}, "", "",
			`{ "t.fs": [ "DIR/result/out/fs/0/a", null ], "t.n2": 1, "t.m": { "c": null } }`, "",
		},
		{"what is not optional within an output and is not made", map[string]string{"main.wdl": task("touch a", `Array[File] fs = ["a", "b"]`, "")}, "", "", "", "output fs: the command has not made"},
		{
			"None for a default counts where the type has it",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  input { Int? x = 1 Int? z = 1 }\n  Int? none = None\n  call t { input: a = none, b = none }\n  output { Array[Int?] r = [x, z, t.c, t.d] }\n}\ntask t {\n  input { Int a = 5 Int? b = 6 }\n  command <<< >>>\n  output { Int c = a Int? d = b }\n}\n"},
			`{"w.x": null}`, "", `{ "w.r": [ null, 1, 5, null ] }`, "",
		},
		{
			"a declaration that nothing uses, and that fails",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  Map[String, Int] m = {\"a\": 1}\n  if (true) { scatter (k in [\"a\", \"b\"]) { Int n = m[k] } }\n  output { Int one = 1 }\n}\n"},
			"", "", "", `the map has no key "b"`,
		},
		{
			"what a task knows of itself",
			map[string]string{"main.wdl": "version 1.2\ntask t {\n  meta { about: \"x\" }\n  command <<< echo '~{task.name} ~{task.attempt} ~{task.cpu} ~{task.meta.about}~{task.return_code}~{task.container}'; exit 3 >>>\n  requirements { return_codes: [0, 3]  memory: \"2 GiB\" }\n  output { String s = read_string(stdout())  Int code = task.return_code  Int m = task.memory }\n}\n"},
			"", "", `{ "t.s": "t 0 1.000000 x", "t.code": 3, "t.m": 2147483648 }`, "",
		},
		{"a mistake in what a task knows of itself", map[string]string{"main.wdl": "version 1.2\ntask t {\n  command <<< echo ~{task.nam} >>>\n}\n"}, "", "", "", `has no member "nam"`},
		{
			"attributes of tasks among the inputs",
			map[string]string{
				"main.wdl": "version 1.2\nimport \"sub.wdl\" as sub\nworkflow w {\n  scatter (i in [1]) { call sub.s }\n  output { Array[Int] m = s.m }\n}\n",
				"sub.wdl":  "version 1.2\nworkflow s {\n  call t\n  output { Int m = t.m }\n}\ntask t {\n  command <<< >>>\n  requirements { memory: \"1 GiB\" }\n  output { Int m = task.memory }\n}\n",
			},
			`{"w.s.t.requirements.memory": "3 GiB", "w.s.t.hints.nobody": {"reads": "this"}}`, "", `{ "w.m": [ 3221225472 ] }`, "",
		},
		{"attributes of the task that is run", map[string]string{"main.wdl": task("exit 3", "Boolean ok = true", "")}, `{"t.runtime.returnCodes": 3}`, "", `{ "t.ok": true }`, ""},
		{"inputs of a task by their own names", map[string]string{"main.wdl": task("cat ~{f}", "Int m = n String s = read_string(stdout())", ""), "x.txt": "abc"}, `{"n": 2, "f": {"type": "File", "location": "x.txt"}}`, "", `{ "t.m": 2, "t.s": "abc" }`, ""},
		{"attributes of no task", map[string]string{"main.wdl": task("exit 3", "Boolean ok = true", "")}, `{"t.u.runtime.returnCodes": 3}`, "", "", `has no input "t.u.runtime.returnCodes"`},
		{
			"a file beside the document, which a default names",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  input { File f = \"x.txt\" }\n  call t { input: f = f }\n  output { String s = t.s }\n}\ntask t {\n  input { File f }\n  command <<< cat ~{f} >>>\n  output { String s = read_string(stdout()) }\n}\n", "x.txt": "abc"},
			"", "", `{ "w.s": "abc" }`, "",
		},
		{
			"names of files in texts of the workflow",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  call t as a { input: names = [] }\n  String option = \"\" + a.out\n  File list = write_lines([a.out])\n  call t as b { input: names = [option, read_string(list), a.name] }\n  output { String s = read_string(b.out) }\n}\ntask t {\n  input { Array[String] names }\n  command <<< cat ~{sep=\" \" names} /dev/null > out; [ -s out ] || echo hi > out; echo $PWD/out >&2 >>>\n  output { File out = \"out\" String name = read_string(stderr()) }\n}\n"},
			"", "", `{ "w.s": "hi\nhi\nhi" }`, "",
		},
		{
			"a scatter over nothing, and a condition that does not hold",
			map[string]string{"main.wdl": "version 1.1\nworkflow w {\n  scatter (i in range(0)) { call t as a { input: n = i } }\n  if (false) { call t as b { input: n = 1 } }\n  output { Array[Int] x = a.m  Int? y = b.m }\n}\ntask t {\n  input { Int n }\n  command <<< true >>>\n  output { Int m = n }\n}\n"},
			"", "", `{ "w.x": [], "w.y": null }`, "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.fails == "Read-only file system" {
				needNamespaces(t)
			}
			got, said, err := runText(t, wdlJob{inputs: tt.inputs, target: tt.target}, tt.files)
			switch {
			case tt.fails != "":
				if err == nil || !strings.Contains(said, tt.fails) {
					t.Errorf("got %s, %v and\n%s\nwant a failure with %q", got, err, said, tt.fails)
				}
			case err != nil || got != tt.want:
				t.Errorf("got %s, %v\n%s\nwant %s", got, err, said, tt.want)
			}
		})
	}
}

// TestRunWDLPlain has plain processes read, write, link to and print names of
// files, and write to an input: what they are given is a copy.
func TestRunWDLPlain(t *testing.T) {
	dir := t.TempDir()
	input := filepath.Join(dir, "x.txt")
	if err := os.WriteFile(input, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := `version 1.1
task t {
  input { File f }
  command <<< cat ~{f}; echo theirs > ~{f}; ln -s ~{f} g; echo 2 > h; ls -d $PWD/h >&2 >>>
  output { String s = read_string(stdout()) File g = "g" Int n = read_int(read_string(stderr())) }
}
`
	got, said, err := runTextIn(t, "none", wdlJob{inputs: fmt.Sprintf(`{"t.f": %q}`, input)}, map[string]string{"main.wdl": text})
	if want := `{ "t.s": "mine", "t.g": "DIR/result/out/g/x.txt", "t.n": 2 }`; err != nil || got != want {
		t.Errorf("got %s, %v\n%s\nwant %s", got, err, said, want)
	}
	if data, err := os.ReadFile(input); err != nil || string(data) != "mine" {
		t.Errorf("after a task wrote to its input the file that was given holds %q (%v); want mine", data, err)
	}
}

// TestLinksOfTasksAreNotFollowed has a task put links to a file of this machine
// where its files are read: among what it prints, and in a directory that it
// gives.
func TestLinksOfTasksAreNotFollowed(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, []byte("hidden-words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, command, outputs string }{
		{"printed", "rm .stdout .stderr; ln -s " + secret + " .stdout; ln -s " + secret + " .stderr", "String s = read_string(stdout()) String e = read_string(stderr())"},
		{"printed by what fails", "rm .stderr; ln -s " + secret + " .stderr; exit 1", "String e = read_string(stderr())"},
		{"in a directory", "mkdir d; echo plain > d/plain; ln -s " + secret + " d/link", `Directory d = "d"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			job := wdlJob{file: filepath.Join(t.TempDir(), "main.wdl"), dir: filepath.Join(t.TempDir(), "result")}
			text := "version development\ntask t {\n  command <<< " + tt.command + " >>>\n  output { " + tt.outputs + " }\n}\n"
			if err := os.WriteFile(job.file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			opt := defaultOptions()
			opt.listen, opt.data = "127.0.0.1:0", dataDir(t.TempDir())
			var said bytes.Buffer
			cmd := runCommand()
			cmd.SetContext(t.Context())
			cmd.SetOut(&said)
			cmd.SetErr(&said)
			_ = runWDL(cmd, opt, job) // it may fail, or leave the link out
			if strings.Contains(said.String(), "hidden-words") {
				t.Errorf("it prints what the link leads to:\n%s", &said)
			}
			for _, root := range []string{string(opt.data), job.dir} {
				err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
					if err != nil || !d.Type().IsRegular() || strings.HasSuffix(name, "command") {
						return nil //nolint:nilerr // what is not there has nothing in it
					}
					data, err := os.ReadFile(name)
					if bytes.Contains(data, []byte("hidden-words")) {
						t.Errorf("%s holds what the link leads to", name)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
}
