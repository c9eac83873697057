package airflow

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/flow"
)

var (
	idForm       = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)
	relativeForm = regexp.MustCompile(`(?i)^(?:([0-9]+)\s+hour)?(?:([0-9]+)\s+minute)?(?:([0-9]+)\s+second)?(?:([0-9]+)\s+day)?`)
)

const (
	maxID            = 250 // Airflow's
	defaultMaxActive = 16  // Airflow's, for tasks of a run and runs of a DAG
	maxMaxActive     = 1 << 20
)

// dagIgnored reports whether the service accepts a DAG's key without heeding
// it: the user guide's list and what the converter's schema adds.
func dagIgnored(key string) bool {
	switch key {
	case "dag_id", "template_searchpath", "template_undefined", "user_defined_macros", "user_defined_filters",
		"catchup", "access_control", "jinja_environment_kwargs", "render_template_as_native_obj", "tags",
		"owner_links", "auto_register", "fail_fast", "dag_display_name", "depends_on_past", "email_on_failure",
		"email_on_retry", "description", "max_consecutive_failed_dag_runs", "dagrun_timeout", "sla_miss_callback",
		"on_failure_callback", "on_success_callback", "is_paused_upon_creation",
		"doc_md", "fail_stop", "python_version", "has_serialized_dag", "one_success_callback", "one_failure_callback":
		return true
	}
	return false
}

// dagKeys are the keys of a DAG that act, for suggestions.
func dagKeys() []string {
	return []string{"default_args", "params", "schedule", "start_date", "end_date", "timezone", "max_active_runs", "max_active_tasks", "tasks"}
}

// A dagText is a DAG while its keys are read. A nil member was not written.
type dagText struct {
	id       string
	path     string
	schedule *value
	scheduleKey,
	start, end, zone, tasks, params, defaults *value
	startPath, endPath string
}

// dag checks one DAG and builds its definition.
func (c *compiler) dag(p pair) flow.Definition {
	d := dagText{path: join("", p.key.name())}
	if p.key.kind == text {
		d.id = p.key.text
	}
	c.checkID(p.key, d.path)
	def := flow.Definition{Name: d.id, MaxRuns: defaultMaxActive}
	def.Graph.MaxActive = defaultMaxActive
	if p.value.kind != mapping {
		c.fault(p.value, d.path, say{message: fmt.Sprintf("expected the DAG's keys, such as tasks, not %s", p.value.what())})
		return def
	}
	var taskKey *value
	for _, kv := range p.value.pairs {
		key, v, path := kv.key, kv.value, join(d.path, kv.key.name())
		if key.kind != text {
			c.fault(key, path, say{public: fmt.Sprintf("%s: Unexpected element", path), message: fmt.Sprintf("a DAG has no key %s", key.repr())})
			continue
		}
		switch key.text {
		case "tasks":
			d.tasks, taskKey = v, key
		case "default_args":
			d.defaults = v
		case "params":
			d.params = v
		case "schedule":
			d.schedule, d.scheduleKey = v, key
		case "start_date":
			d.start, d.startPath = v, path
		case "end_date":
			d.end, d.endPath = v, path
		case "timezone":
			d.zone = v
			c.remark(key, path, say{message: "timezone is a key of dag-factory; the service's documents do not mention it"})
		case "max_active_runs":
			def.MaxRuns = c.count16(v, path)
		case "max_active_tasks":
			def.Graph.MaxActive = c.count16(v, path)
		default:
			c.otherDAGKey(key, v, path)
		}
		if key.is("dag_id") && !v.is(d.id) {
			c.caution(v, path, say{message: fmt.Sprintf("dag_id differs from the top-level key %s, which wins", d.path)})
		}
	}
	set := c.defaultArgs(&d)
	params := c.params(d.params, join(d.path, "params"))
	def.Schedule = c.schedule(&d, params)
	if d.tasks == nil {
		c.fault(p.key, d.path, say{public: "Invalid tasks configuration.", message: "the DAG has no tasks", fix: "add tasks: a mapping from task id to task"})
	} else {
		def.Graph.Nodes = c.tasks(&d, taskKey, set)
	}
	def.Graph.Meta = encode(Meta{DagID: d.id, Params: params})
	return def
}

// checkID applies Airflow's rule for DAG and task ids.
func (c *compiler) checkID(key *value, path string) {
	id := key.text
	switch n := len([]rune(id)); {
	case key.kind != text:
		c.fault(key, path, say{public: fmt.Sprintf("The key has to be a string and is <class '%s'>:%s", key.python(), key.repr()),
			message: fmt.Sprintf("an id must be a string; YAML reads %s as %s", Clip(key.name(), 60), key.what()), fix: "quote it"})
	case n > maxID:
		c.fault(key, path, say{public: fmt.Sprintf("The key has to be less than %d characters, not %d", maxID, n),
			message: fmt.Sprintf("an id has at most %d characters; this one has %d", maxID, n)})
	case !idForm.MatchString(id):
		c.fault(key, path, say{public: fmt.Sprintf("The key %s has to be made of alphanumeric characters, dashes, dots, and underscores exclusively", pyQuote(id)),
			message: fmt.Sprintf("%s is no id: letters, digits, dashes, dots and underscores only", pyQuote(id)), fix: "write " + plainID(id)})
	}
}

// plainID replaces what an id may not contain.
func plainID(id string) string {
	s := strings.Map(func(r rune) rune {
		if r < 0x80 && idForm.MatchString(string(r)) {
			return r
		}
		return '_'
	}, id)
	if s == "" {
		return "an id"
	}
	return s
}

// count16 reads a bound on how many may be active; null means the default.
func (c *compiler) count16(v *value, path string) int {
	if v.kind == null {
		return defaultMaxActive
	}
	n, ok := v.int()
	if !ok || n < 1 || n > maxMaxActive {
		c.fault(v, path, say{message: fmt.Sprintf("expected an integer of at least 1, not %s", v.repr())})
		return defaultMaxActive
	}
	return n
}

// otherDAGKey judges a key that does not act.
func (c *compiler) otherDAGKey(key, v *value, path string) {
	unexpected := say{public: path + ": Unexpected element", message: fmt.Sprintf("a DAG has no key %s", key.text)}
	switch key.text {
	case "schedule_interval":
		// dag-factory looks only whether there is a value.
		if v.kind == null {
			c.ignore(key, path, "; schedule is the key that acts")
			return
		}
		c.fault(key, path, say{public: "The `schedule_interval` key is no longer supported in Airflow 3.0+. Use `schedule` instead.",
			message: "schedule_interval is the old name of schedule", fix: "write schedule: " + Clip(v.yaml(), 80)})
		return
	case "task_groups":
		unexpected.message = "task groups are not supported"
		unexpected.fix = "list the group's tasks under tasks, and give the first of them the group's dependencies"
	case "timetable":
		unexpected.message = "timetables are not supported"
		unexpected.fix = "write a cron expression in schedule"
	case "concurrency":
		unexpected.message = "concurrency is the old name of max_active_tasks"
		unexpected.fix = "write max_active_tasks: " + Clip(v.yaml(), 40)
	case "default_view", "orientation":
		unexpected.fix = "remove it: there is no Airflow page to set up"
	case "dagrun_timeout_sec":
		unexpected.fix = "remove it: a run has no time limit here; bound its tasks with execution_timeout"
	case "retries", "retry_delay", "execution_timeout", "trigger_rule", "owner", "email":
		unexpected.message = key.text + " is a key of tasks, not of the DAG"
		unexpected.fix = "put it under default_args"
	case "operator", "dependencies":
		unexpected.message = key.text + " is a key of tasks, not of the DAG"
		unexpected.fix = "check the indentation: tasks stand two levels below the DAG's id"
	case "render_template_as_native_obj":
		if v.kind != boolean && v.kind != null {
			c.fault(v, path, say{public: "render_template_as_native_obj should be bool type!", message: fmt.Sprintf("expected true or false, not %s", v.repr())})
			return
		}
	}
	if dagIgnored(key.text) {
		c.ignore(key, path, dagWhy(key.text, v))
		return
	}
	if unexpected.fix == "" {
		if n := c.nearest(key.text, dagKeys()); n != "" {
			unexpected.fix = fmt.Sprintf("write %s", n)
		} else {
			unexpected.fix = "remove it"
		}
	}
	c.fault(key, path, unexpected)
}

// dagWhy adds what matters about an ignored key.
func dagWhy(key string, v *value) string {
	switch {
	case key == "catchup" && v.kind == boolean && v.bool:
		return ": missed schedules are never made up for"
	case key == "render_template_as_native_obj" && v.truthy():
		return ": templates always render to text"
	case key == "dagrun_timeout":
		return ": bound the tasks with execution_timeout"
	case key == "is_paused_upon_creation" && v.truthy():
		return ": the trigger mode of the workflow decides whether its schedule acts"
	}
	return ""
}

// schedule reads when the DAG runs by itself, and its dates.
func (c *compiler) schedule(d *dagText, params []Param) *flow.Schedule {
	s := flow.Schedule{Zone: "UTC"}
	zone := time.UTC
	if d.zone != nil && d.zone.kind != null {
		path := join(d.path, "timezone")
		if d.zone.kind != text {
			c.fault(d.zone, path, say{message: fmt.Sprintf("expected the name of a time zone, such as Europe/Berlin, not %s", d.zone.what())})
		} else if l, err := zoneNamed(d.zone.text); err != nil {
			c.fault(d.zone, path, say{message: err.Error(), fix: "write an IANA name, such as UTC or Europe/Berlin"})
		} else {
			s.Zone, zone = d.zone.text, l
		}
	}
	if d.start != nil {
		s.Start = c.moment(d.start, d.startPath, zone)
	}
	if d.end != nil {
		s.End = c.moment(d.end, d.endPath, zone)
	}
	if !s.Start.IsZero() && !s.End.IsZero() && s.End.Before(s.Start) {
		c.fault(d.end, d.endPath, say{message: fmt.Sprintf("end_date %s is before start_date %s", s.End.Format(time.RFC3339), s.Start.Format(time.RFC3339))})
	}
	path := join(d.path, "schedule")
	expr, ok := c.expression(d.schedule, path)
	if !ok {
		return nil
	}
	if name := needless(params); name != "" {
		c.fault(d.scheduleKey, path, say{
			public:  fmt.Sprintf("Dag %s is not allowed to define a Schedule, as there are required params without default values, or the default values are not valid.", pyQuote(d.id)),
			message: fmt.Sprintf("a scheduled run is given no params, and %s has no valid default", name),
			fix:     fmt.Sprintf("give %s a default, or remove the schedule", name),
		})
	}
	s.Expr = expr
	return &s
}

// expression returns the schedule as written; ok is false when there is none
// or a fault was reported.
func (c *compiler) expression(v *value, path string) (expr string, ok bool) {
	if v == nil || v.kind == null {
		return "", false
	}
	if v.kind != text {
		s := say{message: fmt.Sprintf("expected a cron expression, a preset such as @daily, or null, not %s", v.what())}
		switch {
		case v.kind == delta:
			s.message = "a timedelta as schedule is not supported"
			s.fix = "write the cron expression that comes nearest, such as */30 * * * *"
		case v.kind == list, v.kind == mapping, v.kind == opaque:
			s.message = "datasets, assets and timetables as schedule are not supported"
			s.fix = "write a cron expression, or null and start the run when the data is there"
		}
		c.fault(v, path, s)
		return "", false
	}
	expr = strings.TrimSpace(v.text)
	switch {
	case strings.EqualFold(expr, "none"):
		return "", false
	case expr == "@once", expr == "@continuous":
		c.caution(v, path, say{message: expr + " is not acted on: the workflow runs on demand only", fix: "write null and start the run yourself, or write a cron expression"})
		return "", false
	}
	fields := len(strings.Fields(expr))
	fix := "write minute hour day-of-month month day-of-week, such as '17 3 * * *', or a preset such as @daily"
	switch {
	case len(expr) > 256 || !strings.HasPrefix(expr, "@") && fields != 5 && fields != 6:
		c.fault(v, path, say{message: fmt.Sprintf("%s is no cron expression: it has %d fields, not 5 or 6", pyQuote(Clip(expr, 100)), fields), fix: fix})
		return "", false
	case c.opts.CheckSchedule != nil:
		if err := c.opts.CheckSchedule(expr); err != nil {
			c.fault(v, path, say{message: fmt.Sprintf("%s is no schedule: %s", pyQuote(Clip(expr, 100)), err), fix: fix})
			return "", false
		}
	}
	return expr, true
}

// moment reads a start or end date; without an offset it is a time in zone.
func (c *compiler) moment(v *value, path string, zone *time.Location) time.Time {
	in := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), zone).UTC()
	}
	switch v.kind {
	case null:
		return time.Time{}
	case date:
		return in(v.time)
	case datetime:
		if v.naive {
			return in(v.time)
		}
		return v.time.UTC()
	case text:
		if t, naive, ok := isoMoment(v.text); ok {
			if naive {
				return in(t)
			}
			return t.UTC()
		}
		if back, ok := relative(v.text); ok {
			if c.opts.Now.IsZero() {
				c.remark(v, path, say{message: "a date relative to today bounds nothing here"})
				return time.Time{}
			}
			y, m, d := c.opts.Now.In(zone).Date()
			return time.Date(y, m, d, 0, 0, 0, 0, zone).Add(-back).UTC()
		}
		c.fault(v, path, say{public: "Invalid relative time: " + Clip(v.text, 200), message: fmt.Sprintf("%s is no date", v.repr()),
			fix: "write YYYY-MM-DD or YYYY-MM-DDThh:mm:ss, quoted"})
		return time.Time{}
	}
	c.fault(v, path, say{message: fmt.Sprintf("expected a date such as '2026-01-31', not %s", v.what())})
	return time.Time{}
}

// isoMoment reads the ISO forms in use; naive says that none names an offset.
func isoMoment(s string) (t time.Time, naive, ok bool) {
	for _, form := range []string{
		"2006-01-02", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04",
		"20060102", "20060102T150405", "2006-01", "2006-1-2", "2006/01/02",
	} {
		if t, err := time.Parse(form, s); err == nil {
			return t, true, true
		}
	}
	for _, form := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(form, s); err == nil {
			return t, false, true
		}
	}
	return time.Time{}, false, false
}

// relative reads dag-factory's "2 days": how far before the start of today.
func relative(s string) (time.Duration, bool) {
	m := relativeForm.FindStringSubmatch(s)
	if m == nil || m[0] == "" {
		return 0, false
	}
	var sum time.Duration
	for i, unit := range []time.Duration{time.Hour, time.Minute, time.Second, 24 * time.Hour} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n > 36500 && unit > time.Second || n > 1<<31 {
			return 0, false
		}
		sum += time.Duration(n) * unit
	}
	return sum, true
}
