package operator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
)

// maxArgument is Linux's bound on one argument of a process, less its NUL.
const maxArgument = 128<<10 - 1

// bash is BashOperator.
type bash struct {
	o    *Operators
	spec *Spec
}

// Command runs the text with bash -c, in the directory of the code package if
// there is one.
//
// A text that ends in .sh or .bash names a template file of the code package,
// as in Airflow; its text is run, and not rendered. If there is no such file,
// a single word is refused, while anything longer, such as "bash job.sh", is
// run as the command that it looks like: the service is said to do so, where
// Airflow itself finds no template and fails.
func (b bash) Command(c Call) (exec.Spec, error) {
	a := c.args(b.spec)
	text := a.needed("bash_command")
	cwd := a.text("cwd")
	dir, mounts := b.o.codeDir(c)
	env, err := b.env(c, a, &mounts)
	switch {
	case a.err != nil:
		return exec.Spec{}, a.err
	case err != nil:
		return exec.Spec{}, err
	case a.has("output_processor"):
		return exec.Spec{}, &Error{Fatal: true, Message: "output_processor is a Python callable, which a definition cannot give"}
	}
	if _, err := b.skips(a); err != nil {
		return exec.Spec{}, err
	}
	if suffixed(b.spec, text) {
		script, err := templateFile(c.Code, text)
		switch {
		case err == nil:
			text = script
		case !strings.ContainsAny(text, " \t\n"):
			return exec.Spec{}, err
		}
	}
	switch {
	case len(text) > maxArgument:
		return exec.Spec{}, &Error{Fatal: true, Message: fmt.Sprintf(
			"bash_command has %d bytes; at most %d fit: put the commands into a script in the code package", len(text), maxArgument)}
	case strings.Contains(text, "\x00"):
		return exec.Spec{}, &Error{Fatal: true, Message: "bash_command has a NUL byte in it"}
	}
	argv := []string{b.o.set.Bash, "-c", text}
	if cwd != "" {
		// The directory may exist in the cage only, so only bash can try it.
		const enter = `cd -- "$1" || { echo "Can not find the cwd: $1"; exit 1; }; exec "$0" -c "$2"`
		argv = []string{b.o.set.Bash, "-c", enter, b.o.set.Bash, cwd, text}
	}
	return exec.Spec{
		Argv: argv, Env: env, Dir: dir, Mounts: mounts,
		Logger: "airflow.task.hooks.airflow.providers.standard.hooks.subprocess.SubprocessHook", Level: "info",
	}, nil
}

// env returns the environment of the command: the argument env stands in for
// the usual one, or is added to it.
func (b bash) env(c Call, a *args, mounts *[]exec.Mount) ([]string, error) {
	e := b.o.environ(c)
	if v := a.raw("env"); v != nil {
		var own map[string]any
		if json.Unmarshal(v, &own) != nil {
			a.wrong("env", "a mapping of texts", v)
			return nil, a.err
		}
		if !a.flag("append_env") {
			e = environ{}
		}
		for k, v := range own {
			s, ok := v.(string)
			if !ok {
				return nil, Errorf("env: the value of %s must be text, not %s; quote it", clip(k, 80), clip(string(encode(v)), 80))
			}
			e[k] = s
		}
	}
	e.airflowContext(c.Task)
	b.o.withEnvironment(c, e, mounts)
	return e.list()
}

// skips returns the exit codes that skip the task.
func (b bash) skips(a *args) ([]int, error) {
	v := a.raw("skip_on_exit_code")
	if v == nil {
		return nil, nil
	}
	var one int
	if json.Unmarshal(v, &one) == nil {
		return []int{one}, nil
	}
	var many []int
	if json.Unmarshal(v, &many) != nil {
		a.wrong("skip_on_exit_code", "a whole number or a list of them", v)
		return nil, a.err
	}
	return many, nil
}

// Finish maps the exit code; a success publishes the last line of output.
func (b bash) Finish(c Call, x exec.Exit) flow.Outcome {
	if out, ok := cutShort(x); ok {
		return out
	}
	code := x.Code
	if x.Signal != "" {
		code = 128 - x.Code // Python counts signals downwards from zero
	}
	skips, err := b.skips(c.args(b.spec))
	switch {
	case err != nil:
		return Outcome(err)
	case slices.Contains(skips, code):
		return flow.Outcome{Verdict: flow.Skip, Reason: fmt.Sprintf("Bash command returned exit code %d. Skipping.", code)}
	case code != 0:
		return flow.Outcome{Verdict: flow.Failure, Reason: fmt.Sprintf(
			"Bash command failed. The command returned a non-zero exit code %d.", code)}
	}
	last := backslashReplace(strings.TrimRight(x.LastLine, " \t\r\n\v\f"))
	return b.o.publish(map[string]json.RawMessage{ReturnValue: encode(last)})
}

// backslashReplace writes bytes that are not UTF-8 as \xNN, as Python's error
// handler of that name does.
func backslashReplace(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, s[0])
		} else {
			b.WriteString(s[:n])
		}
		s = s[n:]
	}
	return b.String()
}

// suffixed reports whether the value names a template file of the operator.
func suffixed(s *Spec, value string) bool {
	return slices.ContainsFunc(s.Suffixes, func(end string) bool { return strings.HasSuffix(value, end) })
}

// templateFile returns the text of a file of the code package.
func templateFile(code, name string) (string, error) {
	missing := Errorf("template file not found: %q: a value with this ending names a file of the code package; to run it as a command, put a space at its end",
		clip(name, 200))
	if code == "" {
		return "", missing
	}
	root, err := os.OpenRoot(code)
	if err != nil {
		return "", fmt.Errorf("open the code package: %w", err)
	}
	defer root.Close()
	f, err := root.Open(strings.TrimPrefix(strings.TrimPrefix(name, dagsDir), "/"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", missing
	case err != nil:
		return "", Errorf("open the template file %q: %v", clip(name, 200), err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxArgument+1))
	if err != nil {
		return "", Errorf("read the template file %q: %v", clip(name, 200), err)
	}
	return string(text), nil
}
