package operator

import (
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"

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
