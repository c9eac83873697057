package airflow

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"fairlead/internal/operator"
)

// arguments are what a task hands to its operator's constructor.
type arguments struct {
	task    *task
	values  map[string]*value
	unknown []pair
	file    pair // python_callable_file
	name    pair // python_callable_name
	sensor  []pair
}

// take sorts one key of a task: an argument, a sensor's setting, a key that
// nobody heeds, or one that the constructor would refuse.
func (a *arguments) take(c *compiler, key, v *value, path string) {
	t, spec, name := a.task, a.task.spec, key.text
	switch {
	case serviceOwned(name):
		c.ignore(key, path, ignoredWhy(name, v))
	case spec != nil && spec.Sensor && sensorKey(name):
		a.sensor = append(a.sensor, pair{key, v})
	case t.python() && name == "python_callable_file":
		a.file = pair{key, v}
	case t.python() && name == "python_callable_name":
		a.name = pair{key, v}
	case spec != nil && hasArg(spec, name):
		a.put(c, key, v, path)
		c.checkType(argOf(spec, name), v, path)
	case taskIgnored(name):
		c.ignore(key, path, ignoredWhy(name, v))
	case t.act.Custom, spec != nil && spec.Open:
		a.put(c, key, v, path)
	case t.ok:
		a.unknown = append(a.unknown, pair{key, v})
	}
}

func (a *arguments) put(c *compiler, key, v *value, path string) {
	a.values[key.text] = v
	if o := opaqueIn(v); o != nil {
		c.fault(o, path, say{message: fmt.Sprintf("objects of %s cannot be constructed here", Clip(o.text, 100)),
			fix: "write a plain value; of classes there are datetime.timedelta, datetime.datetime, datetime.date and the builtins"})
	}
}

// opaqueIn returns an object of a class that only Python has, if v holds one.
func opaqueIn(v *value) *value {
	if v.kind == opaque {
		return v
	}
	for _, it := range v.items {
		if o := opaqueIn(it); o != nil {
			return o
		}
	}
	for _, p := range v.pairs {
		if o := opaqueIn(p.value); o != nil {
			return o
		}
	}
	return nil
}

func hasArg(s *operator.Spec, name string) bool {
	return slices.ContainsFunc(s.Args, func(a operator.Arg) bool { return a.Name == name })
}

func argOf(s *operator.Spec, name string) operator.Arg {
	return s.Args[slices.IndexFunc(s.Args, func(a operator.Arg) bool { return a.Name == name })]
}

// python reports whether the task calls a Python function of the package.
func (t *task) python() bool { return t.spec != nil && t.spec.Class == "PythonOperator" }

// arguments finishes a task's arguments as the operator's constructor would:
// first what is missing, then what is unknown.
func (c *compiler) arguments(a *arguments) {
	t := a.task
	if t.python() {
		c.callable(a)
	}
	if t.spec != nil {
		c.missing(a)
		c.refuse(a)
		if t.spec.Sensor {
			t.act.Sensor = c.sensor(t, a.sensor)
		}
		if t.spec.Class == "BashOperator" {
			c.bash(a)
		}
	}
	if len(a.values) > 0 {
		t.act.Args = make(map[string]json.RawMessage, len(a.values))
		t.act.ArgLines = make(map[string]int, len(a.values))
		for name, v := range a.values {
			if t.act.Custom {
				t.act.Args[name] = v.typed(nil)
			} else {
				t.act.Args[name] = v.json(nil)
			}
			t.act.ArgLines[name] = v.line
		}
	}
}

// madeUp reports whether other arguments stand in for one that is absent.
func (a *arguments) madeUp(arg operator.Arg) bool {
	for _, other := range arg.Unless {
		if a.values[other] == nil {
			return false
		}
	}
	return len(arg.Unless) > 0
}

func (c *compiler) missing(a *arguments) {
	t := a.task
	var names []string
	for _, arg := range t.spec.Args {
		if arg.Required && a.values[arg.Name] == nil && !a.madeUp(arg) && !serviceOwned(arg.Name) && (!t.python() || arg.Name != "python_callable") {
			names = append(names, arg.Name)
		}
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = pyQuote(n)
	}
	word := "argument"
	if len(names) > 1 {
		word = "arguments"
	}
	s := say{public: fmt.Sprintf("missing keyword %s %s", word, strings.Join(quoted, ", ")),
		message: fmt.Sprintf("%s needs %s", t.class, strings.Join(names, ", "))}
	// A misspelt argument is both missing and unknown.
	for _, u := range a.unknown {
		if n := c.nearest(u.key.text, names); n != "" {
			s.fix = fmt.Sprintf("write %s for %s", n, Clip(u.key.text, 60))
			break
		}
	}
	if s.fix == "" {
		s.fix = "add " + strings.Join(names, ", ")
	}
	c.fault(t.key, t.path, s)
}

// refuse reports the keys that the constructor does not take. The public text
// names all of them, and stands on the first.
func (c *compiler) refuse(a *arguments) {
	if len(a.unknown) == 0 {
		return
	}
	t := a.task
	all := value{kind: mapping, pairs: a.unknown}
	public := fmt.Sprintf("Invalid arguments were passed to %s (task_id: %s). Invalid arguments were:\n**kwargs: %s", t.class, t.id, all.repr())
	var free []string
	for _, arg := range t.spec.Args {
		if a.values[arg.Name] == nil {
			free = append(free, arg.Name)
		}
	}
	free = append(free, "dependencies", "retries", "retry_delay", "execution_timeout", "trigger_rule", "params")
	if t.spec.Sensor {
		free = append(free, sensorKeys()...)
	}
	for _, u := range a.unknown {
		s := say{public: public, message: fmt.Sprintf("%s takes no %s", t.class, Clip(u.key.text, 100))}
		public = ""
		switch h, n := hint(u.key.text), c.nearest(u.key.text, free); {
		case h != "":
			s.fix = h
		case n != "":
			s.fix = "write " + n
		case sensorKey(u.key.text):
			s.fix = "remove it: only sensors take it"
		default:
			s.fix = "remove it"
		}
		c.fault(u.key, join(t.path, u.key.text), s)
	}
}

// hint says what to write for keys of other dialects and tools.
func hint(key string) string {
	switch key {
	case "upstream_tasks", "upstream", "upstreams", "depends_on", "upstream_task_ids", "needs", "after", "dependency", "depends":
		return "write dependencies: a list of upstream task ids"
	case "downstream", "downstream_tasks", "downstream_task_ids":
		return "name this task in the dependencies of the tasks after it"
	case "execution_timeout_secs", "execution_timeout_sec", "timeout_seconds":
		return "write execution_timeout: {__type__: datetime.timedelta, seconds: n}"
	case "retry_delay_sec", "retry_delay_secs", "retry_delay_seconds":
		return "write retry_delay: a number of seconds"
	case "sla_secs":
		return "remove it: there are no SLAs"
	case "is_setup", "is_teardown", "on_failure_fail_dagrun":
		return "remove it and give the cleanup task trigger_rule: all_done"
	}
	return ""
}

// checkType warns of a value that the argument cannot mean. Python would
// accept it here and fail at run time. Any text passes, since it may be a
// template.
func (c *compiler) checkType(arg operator.Arg, v *value, path string) {
	if len(arg.Enum) > 0 {
		c.checkEnum(arg, v, path)
		return
	}
	types := strings.FieldsFunc(arg.Type, func(r rune) bool { return r == '|' || r == '/' })
	has := func(names ...string) bool {
		return slices.ContainsFunc(types, func(t string) bool { return slices.Contains(names, t) })
	}
	if slices.ContainsFunc(types, func(t string) bool {
		return !slices.Contains([]string{"str", "int", "float", "bool", "list", "dict"}, t)
	}) {
		return
	}
	fits := true
	fix := ""
	switch v.kind {
	case null:
		fits = arg.Nullable || string(arg.Default) == "null"
	case boolean:
		fits = has("bool", "int", "float")
		fix = "quote it if text is meant"
	case integer:
		fits = has("int", "float", "bool")
		fix = "quote it"
	case float:
		fits = has("float", "int")
		fix = "quote it"
	case date, datetime:
		fits = has("str")
	case list:
		fits = has("list")
	case mapping:
		fits = has("dict")
	case text:
		fits = !has("bool") || len(types) > 1 || v.text == "" || strings.Contains(v.text, "{")
		if !fits {
			fix = "write true or false, without quotes"
		}
	}
	if fits || v.reported() {
		return
	}
	c.caution(v, path, say{message: fmt.Sprintf("%s is of type %s; %s will probably fail when the task runs", arg.Name, strings.Join(types, " or "), v.what()), fix: fix})
}

// checkEnum warns of a value that is not one of those the operator knows.
func (c *compiler) checkEnum(arg operator.Arg, v *value, path string) {
	if v.kind == null || v.kind == text && strings.Contains(v.text, "{") {
		return
	}
	var names []string
	for _, e := range arg.Enum {
		if string(v.json(nil)) == string(e) {
			return
		}
		names = append(names, fromJSON(e).plain())
	}
	s := say{message: fmt.Sprintf("%s is one of %s, not %s", arg.Name, strings.Join(names, ", "), v.repr())}
	if n := c.nearest(v.plain(), names); n != "" {
		s.fix = "write " + n
	}
	c.caution(v, path, s)
}

// callable settles which function a PythonOperator calls: python_callable, or
// dag-factory's pair of a file and a name.
func (c *compiler) callable(a *arguments) {
	t := a.task
	const public = "Failed to create task. PythonOperator, BranchPythonOperator and PythonSensor requires `python_callable_name` and `python_callable_file` parameters."
	fn := a.values["python_callable"]
	at := join(t.path, "python_callable")
	switch {
	case fn != nil && fn.truthy():
		if fn.kind != text {
			c.fault(fn, at, say{message: fmt.Sprintf("python_callable must be text, module.function, not %s", fn.what())})
			return
		}
		if !dotted(fn.text) {
			c.fault(fn, at, say{public: Clip(fn.text, 200) + " doesn't look like a module path", message: fmt.Sprintf("%s is not module.function", fn.repr()),
				fix: "write the module of the code package and the function, such as tidy.run"})
			return
		}
		for _, p := range []pair{a.name, a.file} {
			if p.key != nil {
				a.unknown = append(a.unknown, p)
			}
		}
	case a.name.key == nil && a.file.key == nil:
		c.fault(t.key, t.path, say{public: public, message: "PythonOperator needs python_callable", fix: "add python_callable: module.function"})
		return
	case a.name.key == nil || a.file.key == nil:
		c.fault(t.key, t.path, say{public: public, message: "python_callable_name and python_callable_file belong together", fix: "write python_callable: module.function instead"})
		return
	default:
		fn = c.fromFile(a)
		if fn == nil {
			return
		}
		a.values["python_callable"] = fn
	}
	if !c.opts.HasCode {
		c.fault(fn, at, say{message: fmt.Sprintf("PythonOperator calls %s from a code package, and there is none", Clip(fn.text, 100)), fix: "give the workflow a code package with the module"})
	}
}

// dagsFolder is where the service unpacks a code package.
const dagsFolder = "/usr/local/airflow/dags/"

// fromFile turns a function's file and name into module.function.
func (c *compiler) fromFile(a *arguments) *value {
	t, file, name := a.task, a.file.value, a.name.value
	at := join(t.path, "python_callable_file")
	if file.kind != text || name.kind != text {
		bad := file
		if file.kind == text {
			bad, at = name, join(t.path, "python_callable_name")
		}
		c.fault(bad, at, say{message: fmt.Sprintf("expected text, not %s", bad.what())})
		return nil
	}
	if !path.IsAbs(file.text) {
		c.fault(file, at, say{public: "`python_callable_file` must be absolute path", message: fmt.Sprintf("%s is no absolute path", file.repr()),
			fix: "write python_callable: module.function instead"})
		return nil
	}
	module, inside := strings.CutPrefix(path.Clean(file.text), dagsFolder)
	module, py := strings.CutSuffix(module, ".py")
	fn := strings.ReplaceAll(module, "/", ".") + "." + name.text
	if !inside || !py || !dotted(fn) {
		c.fault(file, at, say{message: fmt.Sprintf("%s is not a module of the code package, which is at %s", file.repr(), dagsFolder), fix: "write python_callable: module.function instead"})
		return nil
	}
	return &value{kind: text, text: fn, line: file.line, column: file.column}
}

// bash tells of the trap in commands that end like a file's name.
func (c *compiler) bash(a *arguments) {
	cmd := a.values["bash_command"]
	if cmd == nil || cmd.kind != text {
		return
	}
	for _, ext := range []string{".sh", ".bash"} {
		if strings.HasSuffix(cmd.text, ext) {
			c.remark(cmd, join(a.task.path, "bash_command"), say{message: "a command that ends in " + ext + " is read as the name of a template file", fix: "end it with a space to run it as written"})
		}
	}
}
