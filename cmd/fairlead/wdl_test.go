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
	opt := defaultOptions()
	opt.listen, opt.data = "127.0.0.1:0", ""
	var out, errs bytes.Buffer
	cmd := runCommand()
	cmd.SetContext(t.Context())
	cmd.SetOut(&out)
	cmd.SetErr(&errs)
	err = runWDL(cmd, opt, job)
	if c.Fail {
		if err == nil {
			t.Errorf("it succeeded with %s; want it to fail", &out)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, &errs)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, &out)
	}
	for name, want := range c.Outputs {
		have, ok := got[name]
		if !ok {
			t.Errorf("there is no output %s in %s", name, &out)
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
