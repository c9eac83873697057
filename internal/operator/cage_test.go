package operator

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/exec/sandbox"
	"fairlead/internal/flow"
)

// TestInACage runs one of each kind of operator in a real cage, where the
// code package, the stand-in and this program are shown in their own places.
func TestInACage(t *testing.T) {
	d, err := sandbox.New(sandbox.Options{Root: t.TempDir()})
	if err != nil {
		t.Skip("no cages here:", err)
	}
	w := newWorld(t)
	w.bucket("bkt", "a")
	o := testOperators(t, func(s *Settings) { s.Unmounted, s.Path, s.Endpoint = false, "", w.url })
	code := writeCode(t)
	if err := os.WriteFile(filepath.Join(code, "job.sh"), []byte("pwd; ls tidy.py\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, noPython := osexec.LookPath("/usr/bin/python3")
	for _, tt := range []struct {
		name, path, want string
		args             []any
	}{
		{"bash", bashPath, `{"return_value":"tidy.py"}`, []any{"bash_command", "bash job.sh "}},
		{"bash elsewhere", bashPath, `{"return_value":"/tmp"}`, []any{"bash_command", "pwd", "cwd", "/tmp"}},
		{"python", pythonPath, `{"return_value":3}`, []any{"python_callable", "tidy.add", "op_args", []int{1}}},
		{"s3", s3Path("S3ListOperator"), `{"return_value":["a"]}`, []any{"bucket", "bkt"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.path == pythonPath && noPython != nil {
				t.Skip("no python3 that a cage shows")
			}
			c := call(tt.path, tt.args...)
			c.Code = code
			c.Env = map[string]string{"AWS_ACCESS_KEY_ID": someKeys.AccessKeyID, "AWS_SECRET_ACCESS_KEY": someKeys.SecretAccessKey}
			r, _ := o.Runner(tt.path)
			spec, err := r.Command(c)
			if err != nil {
				t.Fatal(err)
			}
			spec.ID = strings.ReplaceAll(tt.name, " ", "-")
			spec.Log = filepath.Join(t.TempDir(), "log")
			x, err := d.Run(t.Context(), spec, "", func(string) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			log, _ := os.ReadFile(spec.Log)
			expect(t, tt.name, ran{Outcome: r.Finish(c, x), log: string(log)}, flow.Success, "", tt.want)
			if tt.path == pythonPath && !Reported(x) || tt.path == bashPath && Reported(x) {
				t.Errorf("Reported(%+v) = %v", x, Reported(x))
			}
		})
	}
}

// state is a module whose function says what a task finds.
const state = `
import importlib.metadata, importlib.util, locale, os, resource, shutil, signal, site, sys, sysconfig, time, random
def find():
    thing = importlib.util.find_spec("thing")
    parts = [sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, sys._base_executable, sys._home, sys.path,
        site.PREFIXES, site.getsitepackages(), site.ENABLE_USER_SITE, sysconfig.get_paths(), shutil.which("python"), getattr(sys, "hooked", None),
        thing and (thing.origin, importlib.metadata.version("thing")), sys.argv, list(sys.flags), sorted(os.environ.items()), os.getcwd(), sys.stdin.read(),
        [(s.encoding, s.errors, s.line_buffering, s.seekable(), s.name, s.mode) for s in (sys.stdout, sys.stderr, sys.stdin)],
        locale.getlocale(), time.tzname, str(signal.getsignal(signal.SIGTERM)), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        os.umask(0), [resource.getrlimit(n) for n in range(9)], os.listdir("/proc/self/fd")[:-1], sorted(os.listdir("/")), os.getpid() == os.getsid(0),
        [l for l in open("/proc/self/status") if l[:3] in ("Cap", "NoN", "Sec", "Uid", "Gid", "NSp", "Sig") and l[:4] != "SigQ"], os.path.exists(os.readlink("/proc/self/exe"))]
    random.seed(None)
    return {"parent": os.getppid(), "chance": random.random(), "rest": repr(parts)}
`

// TestWarmPython has a task say what it finds in a process that is forked from
// one that waits, and in one that has started Python.
func TestWarmPython(t *testing.T) { testWarmPython(t, false) }

// TestWarmPythonInAnEnvironment does so with what a requirements.txt has installed.
func TestWarmPythonInAnEnvironment(t *testing.T) {
	if osexec.Command("/usr/bin/python3", "-m", "pip", "--version").Run() != nil {
		t.Skip("the system's python3 has no pip")
	}
	testWarmPython(t, true)
}

// required writes a package that requires one with a module, and a line that Python
// carries out at its start.
func required(t *testing.T, code string) {
	t.Helper()
	const wheel = "thing-1.0-py3-none-any.whl"
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range map[string]string{
		"thing.py":                     "NAME = 'thing one'\n",
		"thing.pth":                    "import sys; sys.hooked = True\n",
		"thing-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
		"thing-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"thing-1.0.dist-info/RECORD":   "thing.py,,\nthing.pth,,\nthing-1.0.dist-info/METADATA,,\nthing-1.0.dist-info/WHEEL,,\nthing-1.0.dist-info/RECORD,,\n",
	} {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{wheel: b.Bytes(), "requirements.txt": []byte("--no-index\n./" + wheel + "\n")} {
		if err := os.WriteFile(filepath.Join(code, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func testWarmPython(t *testing.T, requires bool) {
	d, err := sandbox.New(sandbox.Options{Root: t.TempDir()})
	if err != nil {
		t.Skip("no cages here:", err)
	}
	if _, err := osexec.LookPath("/usr/bin/python3"); err != nil {
		t.Skip("no python3 that a cage shows")
	}
	o := testOperators(t, func(s *Settings) { s.Unmounted, s.Path = false, "" })
	code := t.TempDir()
	if err := os.WriteFile(filepath.Join(code, "state.py"), []byte(state), 0o644); err != nil {
		t.Fatal(err)
	}
	environment := ""
	if requires {
		required(t, code)
		log := filepath.Join(t.TempDir(), "log")
		environment, err = o.Environment(t.Context(), Installation{
			Code: code, Driver: d, Log: log, Say: func(_, _, text string) { t.Log(text) },
		})
		if err != nil || environment == "" {
			text, _ := os.ReadFile(log)
			t.Fatalf("the environment is %q, %v; its log:\n%s", environment, err, text)
		}
	}
	r, _ := o.Runner(pythonPath)
	n := 0
	find := func(warm bool) (found struct {
		Parent int
		Chance float64
		Rest   string
	}) {
		c := call(pythonPath, "python_callable", "state.find")
		c.Environment = environment
		c.Code, c.Env = code, map[string]string{"SECRET": "word", "TZ": "Asia/Tokyo"}
		spec, err := r.Command(c)
		if err != nil {
			t.Fatal(err)
		}
		n++
		spec.ID, spec.Log = fmt.Sprint("a", n), filepath.Join(t.TempDir(), "log")
		spec.Limits = exec.Limits{Memory: 1 << 30, Files: 500, PIDs: 50}
		if !warm {
			spec.Warm = nil
		}
		x, err := d.Run(t.Context(), spec, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		out := r.Finish(c, x)
		if out.Verdict != flow.Success {
			t.Fatalf("%+v", out)
		}
		if err := json.Unmarshal(out.Outputs["return_value"], &found); err != nil {
			t.Fatal(err)
		}
		return found
	}
	want := find(false)
	if sees := strings.Contains(want.Rest, "thing.py"); sees != requires {
		t.Errorf("the task sees the package: %t, want %t; it found:\n%s", sees, requires, want.Rest)
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 500 {
		if got := find(true); got.Parent == 0 {
			if got.Rest != want.Rest {
				t.Errorf("warm:\n%s\nwant:\n%s", got.Rest, want.Rest)
			}
			if again := find(true); again.Rest != want.Rest || again.Chance == got.Chance {
				t.Errorf("another: %s, chance %v; want the same, and another chance than %v", again.Rest, again.Chance, got.Chance)
			}
			return
		}
		<-tick.C
	}
	t.Skip("no warm processes here")
}

// BenchmarkPythonInACage runs a function that does nothing: in a process that
// is forked from one that waits, and in one that starts Python.
func BenchmarkPythonInACage(b *testing.B) {
	for _, warm := range []bool{true, false} {
		b.Run(fmt.Sprintf("warm=%t", warm), func(b *testing.B) {
			d, err := sandbox.New(sandbox.Options{Root: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			o, err := New(Settings{Dir: b.TempDir(), Self: "/bin/true"})
			if err != nil {
				b.Fatal(err)
			}
			code := b.TempDir()
			if err := os.WriteFile(filepath.Join(code, "house.py"), []byte("def nothing(): pass\n"), 0o644); err != nil {
				b.Fatal(err)
			}
			r, _ := o.Runner(pythonPath)
			n := 0
			var cpu time.Duration
			one := func() {
				c := call(pythonPath, "python_callable", "house.nothing")
				c.Code = code
				spec, err := r.Command(c)
				if err != nil {
					b.Fatal(err)
				}
				n++
				spec.ID, spec.Log = fmt.Sprint("a", n), filepath.Join(code, "log")
				if !warm {
					spec.Warm = nil
				}
				x, err := d.Run(b.Context(), spec, "", nil)
				if err != nil || x.Code != 0 {
					b.Fatalf("got %+v, %v", x, err)
				}
				cpu += x.CPU
				if err := d.Forget(spec.ID); err != nil {
					b.Fatal(err)
				}
			}
			for range 20 { // compiles the stand-in, and starts what waits
				one()
			}
			var took []float64
			for b.Loop() {
				began := time.Now()
				one()
				took = append(took, float64(time.Since(began).Microseconds())/1000)
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "p50-ms")
			b.ReportMetric(took[len(took)*99/100], "p99-ms")
			b.ReportMetric(took[len(took)/10], "p10-ms")
			b.ReportMetric(float64(cpu.Microseconds())/1000/float64(n), "cpu-ms")
		})
	}
}
