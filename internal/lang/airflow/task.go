package airflow

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// The service's limits and defaults.
const (
	maxRetries     = 3
	defaultRetries = 1
	maxDelay       = 300 * time.Second
	maxTimeout     = time.Hour
)

// settings are the keys that default_args and tasks share and that act.
type settings struct {
	rule           flow.Rule
	retries        int
	delay, timeout time.Duration
}

// set reads one of the shared keys into s; ok is false when key is none of
// them. where is what Airflow names in the text about a bad trigger rule.
func (c *compiler) set(s *settings, key string, v *value, path, where string) (ok bool) {
	switch key {
	case "retries":
		s.retries = c.retries(v, path)
	case "retry_delay":
		s.delay = c.retryDelay(v, path)
	case "execution_timeout":
		s.timeout = c.timeout(v, path)
	case "trigger_rule":
		s.rule = c.rule(v, path, where)
	default:
		return false
	}
	return true
}

func (c *compiler) retries(v *value, path string) int {
	n := 0
	switch v.kind {
	case null:
		return 0
	case text:
		// Airflow takes digits in quotes too.
		i, err := strconv.Atoi(strings.TrimSpace(v.text))
		if err != nil {
			c.fault(v, path, say{public: "'retries' type must be int, not str", message: fmt.Sprintf("expected an integer from 0 to %d, not %s", maxRetries, v.repr())})
			return 0
		}
		n = i
	default:
		f, ok := v.number()
		if !ok {
			c.fault(v, path, say{public: fmt.Sprintf("'retries' type must be int, not %s", v.python()), message: fmt.Sprintf("expected an integer from 0 to %d, not %s", maxRetries, v.what())})
			return 0
		}
		n = int(min(max(f, -1), 1e6))
	}
	if n < 0 || n > maxRetries {
		c.fault(v, path, say{message: fmt.Sprintf("retries must be from 0 to %d, not %s", maxRetries, v.repr()), fix: fmt.Sprintf("write %d", min(max(n, 0), maxRetries))})
		return 0
	}
	return n
}

func (c *compiler) retryDelay(v *value, path string) time.Duration {
	sec := v.num
	if v.kind != delta {
		n, ok := v.number()
		if !ok {
			s := say{public: "unsupported type for timedelta seconds component: " + v.python(),
				message: fmt.Sprintf("retry_delay must be a number of seconds or a timedelta, not %s", v.what())}
			if f, err := strconv.ParseFloat(v.text, 64); v.kind == text && err == nil {
				s.fix = "write " + strings.TrimSuffix(floatText(f), ".0") + ", without quotes"
			} else {
				s.fix = "write a number of seconds, such as 60"
			}
			c.fault(v, path, s)
			return 0
		}
		sec = n
	}
	d := period(sec)
	if d < 0 || d > maxDelay {
		c.fault(v, path, say{message: fmt.Sprintf("retry_delay must be from 0 to %d seconds, not %s", int(maxDelay.Seconds()), floatText(sec)),
			fix: fmt.Sprintf("write %d", int(min(max(d, 0), maxDelay).Seconds()))})
		return 0
	}
	return d
}

func (c *compiler) timeout(v *value, path string) time.Duration {
	if v.kind == null {
		return maxTimeout
	}
	if v.kind != delta {
		s := say{public: fmt.Sprintf("execution_timeout must be timedelta object but passed as type: <class '%s'>", v.class()),
			message: fmt.Sprintf("execution_timeout must be a typed timedelta, not %s", v.what()), fix: "write {__type__: datetime.timedelta, minutes: 10}"}
		if n, ok := v.number(); ok && v.kind != boolean {
			s.fix = fmt.Sprintf("write {__type__: datetime.timedelta, seconds: %s}", strings.TrimSuffix(floatText(n), ".0"))
		} else if v.kind == mapping {
			s.message = "execution_timeout must be a typed timedelta; this mapping has no __type__"
			s.fix = "add __type__: datetime.timedelta to the mapping"
		}
		c.fault(v, path, s)
		return maxTimeout
	}
	d := period(v.num)
	switch {
	case d > maxTimeout:
		c.fault(v, path, say{public: fmt.Sprintf("execution_timeout (%d minutes) must be less than or equal to %d minutes", int(v.num/60), int(maxTimeout.Minutes())),
			message: fmt.Sprintf("execution_timeout is at most %d minutes", int(maxTimeout.Minutes())), fix: "write minutes: 60, or let a job service do the long work and wait for it with a sensor in mode reschedule"})
		return maxTimeout
	case d <= 0:
		c.fault(v, path, say{message: "execution_timeout must be longer than zero"})
		return maxTimeout
	}
	return d
}

// class is what Python prints of v's class.
func (v *value) class() string {
	switch v.kind {
	case date, datetime, delta:
		return "datetime." + v.python()
	case opaque:
		return v.text
	}
	return v.python()
}

// period turns a number of seconds into a duration, without overflow.
func period(sec float64) time.Duration {
	const limit = 1e9
	return time.Duration(min(max(sec, -limit), limit) * float64(time.Second))
}

func (c *compiler) rule(v *value, path, where string) flow.Rule {
	if v.kind == text {
		r := flow.Rule(v.text)
		if slices.Contains(flow.Rules(), r) {
			return r
		}
		// Two names that Airflow 3 dropped and the converter still writes.
		switch v.text {
		case "none_failed_or_skipped":
			r = flow.NoneFailedMinOneSuccess
		case "dummy":
			r = flow.Always
		}
		if r != flow.Rule(v.text) {
			c.caution(v, path, say{message: fmt.Sprintf("%s is the old name of %s", v.text, r), fix: "write " + string(r)})
			return r
		}
	}
	var names, quoted []string
	for _, r := range flow.Rules() {
		names, quoted = append(names, string(r)), append(quoted, pyQuote(string(r)))
	}
	s := say{public: fmt.Sprintf("The trigger_rule must be one of [%s],'%s'; received '%s'.", strings.Join(quoted, ", "), where, Clip(v.plain(), 200)),
		message: fmt.Sprintf("%s is no trigger rule; there are %s", v.repr(), strings.Join(names, ", "))}
	if n := c.nearest(v.text, names); v.kind == text && n != "" {
		s.fix = "write " + n
	}
	c.fault(v, path, s)
	return ""
}

// plain is Python's str(v).
func (v *value) plain() string {
	if v.kind == text {
		return v.text
	}
	return v.repr()
}

// yaml writes a scalar as it could stand in the text again.
func (v *value) yaml() string {
	switch v.kind {
	case text:
		return "'" + strings.ReplaceAll(v.text, "'", "''") + "'"
	case list, mapping, opaque, param, delta:
		return "…"
	}
	return v.name()
}

// defaultArgs reads the keys that every task inherits.
func (c *compiler) defaultArgs(d *dagText) settings {
	s := settings{retries: defaultRetries, delay: maxDelay, timeout: maxTimeout}
	if d.defaults == nil || d.defaults.kind == null {
		return s
	}
	base := join(d.path, "default_args")
	if d.defaults.kind != mapping {
		c.fault(d.defaults, base, say{message: fmt.Sprintf("default_args must be a mapping, not %s", d.defaults.what())})
		return s
	}
	allowed := []string{"owner", "email", "retries", "retry_delay", "priority_weight", "end_date", "wait_for_downstream", "execution_timeout", "trigger_rule", "start_date"}
	var quoted []string
	for _, a := range allowed {
		quoted = append(quoted, pyQuote(a))
	}
	for _, kv := range d.defaults.pairs {
		path := join(base, kv.key.name())
		if kv.key.kind == text && c.set(&s, kv.key.text, kv.value, path, d.id+".") {
			continue
		}
		switch key := kv.key; {
		case key.is("start_date"):
			if d.start == nil {
				d.start, d.startPath = kv.value, path
			}
		case key.is("end_date"):
			if d.end == nil {
				d.end, d.endPath = kv.value, path
			}
		// The live list lacks depends_on_past and the two email_on_ keys, but
		// the converter writes them always and its output is accepted.
		case key.is("owner"), key.is("email"), key.is("priority_weight"), key.is("wait_for_downstream"),
			key.is("depends_on_past"), key.is("email_on_failure"), key.is("email_on_retry"):
			c.ignore(key, path, "")
		default:
			f := say{public: fmt.Sprintf("Key error - %s not in (%s)", key.repr(), strings.Join(quoted, ", ")),
				message: fmt.Sprintf("default_args has no %s", Clip(key.name(), 100))}
			switch {
			case key.kind == text && taskIgnored(key.text):
				f.fix = "remove it: it has no effect on tasks either"
			case key.is("params"):
				f.fix = "move it up: params is a key of the DAG"
			case key.kind == text && c.nearest(key.text, allowed) != "":
				f.fix = "write " + c.nearest(key.text, allowed)
			case key.kind == text && hint(key.text) != "":
				f.fix = hint(key.text)
			default:
				f.fix = "write it in each task that needs it"
			}
			c.fault(key, path, f)
		}
	}
	return s
}

// taskIgnored reports whether the service accepts a task's key without
// heeding it, whatever the operator.
func taskIgnored(key string) bool {
	switch key {
	case "email_on_retry", "email_on_failure", "retry_exponential_backoff", "depends_on_past",
		"ignore_first_depends_on_past", "wait_for_downstream", "priority_weight", "sla", "max_active_tis_per_dag",
		"max_active_tis_per_dagrun", "task_concurrency", "resources", "run_as_user", "executor_config", "doc", "doc_md",
		"doc_rst", "doc_json", "doc_yaml", "task_display_name", "logger_name", "allow_nested_operators", "inlets",
		"outlets", "map_index_template", "email", "owner", "max_retry_delay", "on_execute_callback",
		"on_failure_callback", "on_success_callback", "on_retry_callback", "on_skipped_callback",
		"wait_for_past_depends_before_skipping", "do_xcom_push", "multiple_outputs", "start_date", "end_date",
		"weight_rule", "queue", "pool", "pool_slots", "pre_execute", "post_execute", "executor", "task_group",
		// dag-factory drops these two itself.
		"task_group_name", "parent_group_name":
		return true
	}
	return serviceOwned(key)
}

// serviceOwned reports whether key is an argument that the service takes out
// of every operator's hands.
func serviceOwned(key string) bool {
	switch key {
	case "aws_conn_id", "region_name", "verify", "botocore_config", "deferrable":
		return true
	}
	return false
}

func ignoredWhy(key string, v *value) string {
	switch {
	case key == "aws_conn_id":
		return ": credentials are those of the workflow's role"
	case key == "region_name":
		return ": the Region is the workflow's"
	case key == "deferrable" && v.truthy():
		return ": the task waits anyway"
	case key == "task_group_name", key == "task_group":
		return ": there are no task groups"
	case key == "do_xcom_push" && v.kind == boolean && !v.bool:
		return ": the result is always published"
	case strings.HasPrefix(key, "on_"):
		return ": add a task with a trigger_rule such as one_failed instead"
	}
	return ""
}

// A task is one task while it is read.
type task struct {
	id    string
	path  string
	key   *value
	dag   string
	spec  *operator.Spec // nil when the table does not have it
	class string
	set   settings
	deps  []dep
	act   Action
	ok    bool // it is known how to judge the arguments
}

// A dep is one upstream of a task.
type dep struct {
	id   string
	at   *value
	path string
}

// tasks reads all tasks and puts them in order.
func (c *compiler) tasks(d *dagText, key *value, set settings) []flow.Node {
	path := join(d.path, "tasks")
	if d.tasks.kind != mapping {
		s := say{public: "Invalid tasks configuration.", message: fmt.Sprintf("tasks must be a mapping from task id to task, not %s", d.tasks.what())}
		if d.tasks.kind == list {
			s.fix = "write each task's task_id as a key and the task below it"
			c.fault(key, path, s)
			return nil
		}
		c.fault(key, path, s)
		return nil
	}
	if len(d.tasks.pairs) == 0 {
		c.fault(key, path, say{public: "Invalid tasks configuration.", message: "the DAG has no tasks", fix: "add at least one, such as start: {operator: airflow.providers.standard.operators.empty.EmptyOperator}"})
		return nil
	}
	tasks := make([]*task, 0, len(d.tasks.pairs))
	for _, p := range d.tasks.pairs {
		tasks = append(tasks, c.task(d, p, path, set))
	}
	return c.nodes(tasks)
}

// task reads one task.
func (c *compiler) task(d *dagText, p pair, base string, set settings) *task {
	t := &task{id: p.key.name(), key: p.key, dag: d.id, set: set}
	t.path = join(base, t.id)
	t.act.Line = p.key.line
	c.checkID(p.key, t.path)
	if p.value.kind != mapping {
		s := say{message: fmt.Sprintf("expected the task's keys, such as operator, not %s", p.value.what())}
		if p.value.kind == null {
			s.public = "Tasks must define either 'operator' or 'decorator"
		} else {
			s.public = "Invalid tasks configuration."
		}
		c.fault(p.value, t.path, s)
		return t
	}
	c.operator(t, p.value)
	a := arguments{task: t, values: map[string]*value{}}
	for _, kv := range p.value.pairs {
		c.taskKey(t, &a, kv.key, kv.value, join(t.path, kv.key.name()))
	}
	if t.ok {
		c.arguments(&a)
	}
	return t
}

// taskKey reads one key of a task; an operator's argument goes to a.
func (c *compiler) taskKey(t *task, a *arguments, key, v *value, path string) {
	if key.kind != text {
		c.fault(key, path, say{public: "keywords must be strings", message: fmt.Sprintf("a task has no key %s", key.repr()), fix: "quote it"})
		return
	}
	if c.set(&t.set, key.text, v, path, t.dag+"."+t.id) {
		return
	}
	switch key.text {
	case "operator":
		return
	case "task_id":
		if !v.is(t.id) {
			c.caution(v, path, say{message: fmt.Sprintf("task_id differs from the task's key %s, which wins", t.id)})
		}
		return
	case "dependencies":
		c.dependencies(t, v, path)
		return
	case "params":
		t.act.Params = c.params(v, path)
		return
	case "decorator":
		// Without an operator it is the missing operator that is reported.
		if t.act.Operator == "" {
			return
		}
	case "expand", "partial":
		c.fault(key, path, say{message: "dynamic task mapping is not supported", fix: "write one task for each value, or loop inside one PythonOperator"})
		return
	case "variables_as_arguments":
		c.fault(key, path, say{message: "Airflow variables are not supported in definitions", fix: "write a param and use {{ params.name }}"})
		return
	}
	a.take(c, key, v, path)
}

// operator finds what a task runs.
func (c *compiler) operator(t *task, body *value) {
	path := join(t.path, "operator")
	op := body.find("operator")
	if op == nil {
		s := say{public: "Tasks must define either 'operator' or 'decorator", message: "the task has no operator", fix: "add operator: and the class's full import path"}
		if dec := body.find("decorator"); dec != nil {
			s = say{message: "decorated (TaskFlow) tasks are not supported", fix: "write operator: airflow.providers.standard.operators.python.PythonOperator and python_callable: module.function"}
		}
		c.fault(t.key, t.path, s)
		return
	}
	if op.kind == opaque && !op.reported() {
		c.fault(op, path, say{message: "the operator must be written as text"})
		return
	}
	name := op.plain()
	t.act.Operator = name
	t.class = name[strings.LastIndexByte(name, '.')+1:]
	if op.kind == text && c.opts.Operators != nil {
		if spec, ok := c.opts.Operators.Lookup(name); ok {
			t.spec, t.class, t.ok = spec, spec.Class, true
			if spec.Abstract {
				c.caution(op, path, say{message: fmt.Sprintf("%s is a base class: the task will fail when it runs", spec.Class)})
			}
			return
		}
	}
	if op.kind == text && c.custom(name) {
		t.act.Custom, t.ok = true, true
		c.caution(op, path, say{message: fmt.Sprintf("%s is not among the known operators: the code package must bring it, and its arguments are not checked", t.class)})
		return
	}
	s := say{public: fmt.Sprintf("Task '%s' 's operator '%s' is not supported", t.id, Clip(name, 300))}
	s.message, s.fix = c.unsupported(name)
	if op.kind != text {
		s.message = fmt.Sprintf("an operator is named by its full import path, not by %s", op.what())
	}
	c.fault(op, path, s)
	// Where only the module is wrong, the arguments can be checked all the
	// same.
	if meant := c.near[name]; strings.HasSuffix(meant, "."+t.class) {
		t.spec, t.ok = c.opts.Operators.Lookup(meant)
	}
}

// custom reports whether a class that the table does not have may come from
// the code package. The packages that the service installs itself win over
// the package's, so that a class of theirs off the list stays unknown.
func (c *compiler) custom(name string) bool {
	if !c.opts.HasCode || !dotted(name) {
		return false
	}
	for _, prefix := range []string{"airflow.providers.amazon.", "airflow.providers.standard."} {
		if strings.HasPrefix(name, prefix) {
			return false
		}
	}
	return !strings.HasPrefix(name, "airflow.") || strings.HasPrefix(name, "airflow.providers.")
}

// dotted reports whether s is module.Class, each part a Python name.
func dotted(s string) bool {
	if len(s) > 300 || !strings.Contains(s, ".") {
		return false
	}
	for part := range strings.SplitSeq(s, ".") {
		for i, r := range part {
			if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') && r < 0x80 {
				return false
			}
		}
		if part == "" {
			return false
		}
	}
	return true
}

// unsupported says what to write in place of an operator that is refused.
func (c *compiler) unsupported(name string) (message, fix string) {
	class := name[strings.LastIndexByte(name, '.')+1:]
	message = fmt.Sprintf("%s is not a known operator", pyQuote(Clip(name, 200)))
	has := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(class, p) })
	}
	switch {
	case has("Branch", "ShortCircuit") && !strings.HasPrefix(class, "Appflow"):
		return "branching operators are not supported: " + class,
			"let each branch decide for itself: a BashOperator that exits with 99 is skipped, and so is a Python function that raises AirflowSkipException"
	case has("TriggerDagRun"):
		return class + " is not supported", "use airflow.providers.amazon.aws.operators.mwaa_serverless.MwaaServerlessStartWorkflowRunOperator"
	case has("SubDag"):
		return class + " is not supported", "write the inner DAG's tasks here"
	case has("ExternalTask"):
		return class + " is not supported", "put the tasks into one DAG, or let the other write an object and wait for it with S3KeySensor"
	case class == "PythonVirtualenvOperator", class == "ExternalPythonOperator":
		return class + " is not supported", "use PythonOperator and ship the dependencies in the code package"
	case class == "EmailOperator":
		return class + " is not supported", "use airflow.providers.amazon.aws.operators.sns.SnsPublishOperator"
	case class == "S3ToRedshiftOperator":
		return class + " is not supported", "run COPY with airflow.providers.amazon.aws.operators.redshift_data.RedshiftDataOperator"
	case class == "DummyOperator":
		return class + " is the old name of EmptyOperator", "write airflow.providers.standard.operators.empty.EmptyOperator"
	}
	if !strings.Contains(name, ".") {
		message = fmt.Sprintf("%s is not a full import path", pyQuote(Clip(name, 200)))
	}
	if c.opts.Operators != nil && len(name) <= 300 && c.count[flow.Fault] < maxFindings {
		n, seen := c.near[name]
		if !seen {
			n = c.opts.Operators.Nearest(name)
			c.near[name] = n
		}
		if n != "" {
			return message, "write " + n
		}
	}
	if !c.opts.HasCode && strings.Contains(name, ".") && !strings.HasPrefix(name, "airflow.providers.amazon.") {
		fix = "ship the class in a code package; without one only the listed operators run"
	}
	return message, fix
}

// dependencies reads a task's upstreams.
func (c *compiler) dependencies(t *task, v *value, path string) {
	if v.kind != list {
		s := say{message: fmt.Sprintf("dependencies must be a list of task ids, not %s", v.what())}
		switch v.kind {
		case text:
			s.fix = fmt.Sprintf("write [%s]", Clip(v.text, 100))
		case null:
			s.fix = "write [] or remove the key"
		}
		c.fault(v, path, s)
		return
	}
	seen := map[string]bool{}
	for i, it := range v.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if it.kind != text {
			c.fault(it, at, say{message: fmt.Sprintf("a dependency is a task id, not %s", it.what()), fix: "quote it"})
			continue
		}
		if seen[it.text] {
			c.caution(it, at, say{message: fmt.Sprintf("%s is listed twice", Clip(it.text, 100))})
			continue
		}
		seen[it.text] = true
		t.deps = append(t.deps, dep{it.text, it, at})
	}
}
