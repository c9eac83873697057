package airflow

import (
	"strings"
	"testing"

	"fairlead/internal/flow"
)

const empty = "airflow.providers.standard.operators.empty.EmptyOperator"

// dagOf is a DAG d with one task, t, whose further keys are given.
func dagOf(task string) string {
	return "d:\n  tasks:\n    t:\n      operator: " + empty + "\n" + indent(task, 6)
}

func indent(s string, n int) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(strings.Repeat(" ", n) + line)
	}
	return b.String()
}

const sensorTask = `d:
  tasks:
    t:
      operator: airflow.providers.amazon.aws.sensors.s3.S3KeySensor
      bucket_key: a
`

// TestPublicMessages has every text that the service, dag-factory or Airflow
// is known to say, and where ours puts it.
func TestPublicMessages(t *testing.T) {
	for _, tt := range []struct {
		name, src, want string
		line, column    int
		path            string
	}{
		{"two root keys", "a:\n  tasks: {}\nb:\n  tasks: {}\n", "DAG definition should contain a single DAG", 3, 1, ""},
		{"no root key", "{}", "DAG definition should contain a single DAG", 1, 1, ""},
		{"nothing", "# only a comment\n", "DAG definition should contain a single DAG", 0, 0, ""},
		{"a list", "- a\n", "DAG definition should contain a single DAG", 1, 1, ""},
		{"tasks as a list", "d:\n  tasks:\n    - task_id: a\n", "Invalid tasks configuration.", 2, 3, "d.tasks"},
		{"short operator", "d:\n  tasks:\n    x:\n      operator: S3ListOperator\n      bucket: b\n", "Task 'x' 's operator 'S3ListOperator' is not supported", 4, 17, "d.tasks.x.operator"},
		{"one argument missing", "d:\n  tasks:\n    x:\n      operator: airflow.providers.amazon.aws.operators.s3.S3ListOperator\n", "missing keyword argument 'bucket'", 3, 5, "d.tasks.x"},
		{"two arguments missing", "d:\n  tasks:\n    x:\n      operator: airflow.providers.amazon.aws.operators.s3.S3CreateObjectOperator\n      s3_bucket: b\n", "missing keyword arguments 'data', 's3_key'", 3, 5, "d.tasks.x"},
		{"unknown argument", dagOf("upstream_tasks: [a]\n"), "Invalid arguments were passed to EmptyOperator (task_id: t). Invalid arguments were:\n**kwargs: {'upstream_tasks': ['a']}", 5, 7, "d.tasks.t.upstream_tasks"},
		{"unknown arguments", dagOf("x: 1\n\"it's\": {k: null, y: 2.50, on: \"a\\nb'\"}\n"), "Invalid arguments were passed to EmptyOperator (task_id: t). Invalid arguments were:\n**kwargs: {'x': 1, \"it's\": {'k': None, 'y': 2.5, True: \"a\\nb'\"}}", 5, 7, "d.tasks.t.x"},
		{"retry_delay in quotes", dagOf("retry_delay: '60'\n"), "unsupported type for timedelta seconds component: str", 5, 20, "d.tasks.t.retry_delay"},
		{"bare execution_timeout", dagOf("execution_timeout: 900\n"), "execution_timeout must be timedelta object but passed as type: <class 'int'>", 5, 26, "d.tasks.t.execution_timeout"},
		{"execution_timeout without a type", dagOf("execution_timeout: {minutes: 5}\n"), "execution_timeout must be timedelta object but passed as type: <class 'dict'>", 5, 26, "d.tasks.t.execution_timeout"},
		{"long execution_timeout", dagOf("execution_timeout: {__type__: datetime.timedelta, hours: 1, minutes: 6}\n"), "execution_timeout (66 minutes) must be less than or equal to 60 minutes", 5, 26, "d.tasks.t.execution_timeout"},
		{"task groups", "d:\n  task_groups: {g: {}}\n  tasks: {}\n", "d.task_groups: Unexpected element", 2, 3, "d.task_groups"},
		{"unknown key", "d:\n  shedule: null\n  tasks: {}\n", "d.shedule: Unexpected element", 2, 3, "d.shedule"},
		{"default_args", "d:\n  default_args:\n    retry_delay_sec: 5\n", "Key error - 'retry_delay_sec' not in ('owner', 'email', 'retries', 'retry_delay', 'priority_weight', 'end_date', 'wait_for_downstream', 'execution_timeout', 'trigger_rule', 'start_date')", 3, 5, "d.default_args.retry_delay_sec"},
		{"sensor mode", sensorTask + "      mode: x\n", "The mode must be one of ['poke', 'reschedule'],'d .t'; received 'x'.", 6, 13, "d.tasks.t.mode"},
		{"trigger rule", dagOf("trigger_rule: al_done\n"), "The trigger_rule must be one of ['all_done', 'all_done_setup_success', 'all_failed', 'all_skipped', 'all_success', 'always', 'none_failed', 'none_failed_min_one_success', 'none_skipped', 'one_done', 'one_failed', 'one_success'],'d.t'; received 'al_done'.", 5, 21, "d.tasks.t.trigger_rule"},
		{"DAG id", "my dag:\n  tasks: {}\n", "The key 'my dag' has to be made of alphanumeric characters, dashes, dots, and underscores exclusively", 1, 1, "my dag"},
		{"task id", "d:\n  tasks:\n    a b:\n      operator: " + empty + "\n", "The key 'a b' has to be made of alphanumeric characters, dashes, dots, and underscores exclusively", 3, 5, "d.tasks.a b"},
		{"long id", strings.Repeat("x", 251) + ":\n  tasks: {}\n", "The key has to be less than 250 characters, not 251", 1, 1, strings.Repeat("x", 100) + "…"},
		{"number as id", "d:\n  tasks:\n    007: {operator: " + empty + "}\n", "The key has to be a string and is <class 'int'>:7", 3, 5, "d.tasks.7"},
		{"cycle", "d:\n  tasks:\n    a: {operator: " + empty + ", dependencies: [b]}\n    b: {operator: " + empty + ", dependencies: [a]}\n", "Cycle detected in task dependencies!", 3, 92, "d.tasks.a.dependencies[0]"},
		{"no operator", "d:\n  tasks:\n    a: {}\n", "Tasks must define either 'operator' or 'decorator", 3, 5, "d.tasks.a"},
		{"null task", "d:\n  tasks:\n    a:\n", "Tasks must define either 'operator' or 'decorator", 3, 7, "d.tasks.a"},
		{"old schedule key", "d:\n  schedule_interval: '@daily'\n  tasks: {}\n", "The `schedule_interval` key is no longer supported in Airflow 3.0+. Use `schedule` instead.", 2, 3, "d.schedule_interval"},
		{"relative date", "d:\n  start_date: tomorrow\n  tasks: {}\n", "Invalid relative time: tomorrow", 2, 15, "d.start_date"},
		{"schedule and a param without default", "d:\n  schedule: '@daily'\n  params:\n    n: {type: integer}\n", "Dag 'd' is not allowed to define a Schedule, as there are required params without default values, or the default values are not valid.", 2, 3, "d.schedule"},
		{"schedule and a bad default", "d:\n  schedule: '@daily'\n  params:\n    n: {type: integer, default: x}\n", "Dag 'd' is not allowed to define a Schedule, as there are required params without default values, or the default values are not valid.", 2, 3, "d.schedule"},
		{"sensor timeout", sensorTask + "      timeout: '60'\n", "Operator arg `timeout` must be timedelta object or a non-negative number", 6, 16, "d.tasks.t.timeout"},
		{"sensor interval", sensorTask + "      poke_interval: -1\n", "Operator arg `poke_interval` must be timedelta object or a non-negative number", 6, 22, "d.tasks.t.poke_interval"},
		{"sensor max_wait", sensorTask + "      max_wait: [1]\n", "Operator arg `max_wait` must be timedelta object or a non-negative number", 6, 17, "d.tasks.t.max_wait"},
		{"sensor flags", sensorTask + "      soft_fail: true\n      never_fail: true\n", "soft_fail and never_fail are mutually exclusive, you can not provide both.", 7, 7, "d.tasks.t.soft_fail"},
		{"no callable", "d:\n  tasks:\n    p:\n      operator: airflow.operators.python.PythonOperator\n", "Failed to create task. PythonOperator, BranchPythonOperator and PythonSensor requires `python_callable_name` and `python_callable_file` parameters.", 3, 5, "d.tasks.p"},
		{"callable without module", "d:\n  tasks:\n    p:\n      operator: airflow.operators.python.PythonOperator\n      python_callable: run\n", "run doesn't look like a module path", 5, 24, "d.tasks.p.python_callable"},
		{"template flag", "d:\n  render_template_as_native_obj: maybe\n  tasks: {}\n", "render_template_as_native_obj should be bool type!", 2, 34, "d.render_template_as_native_obj"},
		{"retries", dagOf("retries: [1]\n"), "'retries' type must be int, not list", 5, 16, "d.tasks.t.retries"},
		{"args", dagOf("execution_timeout: {__type__: datetime.timedelta, __args__: 5}\n"), "'args' must resolve to a list, got <class 'int'>", 5, 67, "d.tasks.t.execution_timeout.__args__"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, ds := check(tt.src)
			for _, d := range ds {
				if d.Severity == flow.Fault && d.Public == tt.want {
					if d.Line != tt.line || d.Column != tt.column || d.Path != tt.path {
						t.Errorf("in\n%s\n%q is at %d:%d %s, want %d:%d %s", tt.src, d.Public, d.Line, d.Column, d.Path, tt.line, tt.column, tt.path)
					}
					return
				}
			}
			t.Errorf("in\n%s\ngot\n%swant %s", tt.src, lines(ds), tt.want)
		})
	}
}

// TestOwnMessages has faults without a public text: what we say and advise.
func TestOwnMessages(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"retries out of range", dagOf("retries: 5\n"), "5:16: error: d.tasks.t.retries: retries must be from 0 to 3, not 5 (write 3)"},
		{"retry_delay out of range", dagOf("retry_delay: 3600\n"), "5:20: error: d.tasks.t.retry_delay: retry_delay must be from 0 to 300 seconds, not 3600.0 (write 300)"},
		{"unknown dependency", "d:\n  tasks:\n    extract: {operator: " + empty + "}\n    load: {operator: " + empty + ", dependencies: [extrct]}\n", "4:95: error: d.tasks.load.dependencies[0]: task load depends on 'extrct', which is not a task of this DAG (write extract)"},
		{"cycle as a path", "d:\n  tasks:\n    a: {operator: " + empty + ", dependencies: [c]}\n    b: {operator: " + empty + ", dependencies: [a]}\n    c: {operator: " + empty + ", dependencies: [b]}\n", "3:92: error: d.tasks.a.dependencies[0]: tasks wait for each other in a circle: a -> c -> b -> a (remove one of these dependencies)"},
		{"waits for itself", dagOf("dependencies: [t]\n"), "5:22: error: d.tasks.t.dependencies[0]: tasks wait for each other in a circle: t -> t (remove one of these dependencies)"},
		{"dependencies as text", dagOf("dependencies: a\n"), "5:21: error: d.tasks.t.dependencies: dependencies must be a list of task ids, not a string (write [a])"},
		{"end before start", "d:\n  start_date: 2026-02-01\n  end_date: 2026-01-01\n  tasks:\n    t: {operator: " + empty + "}\n", "3:13: error: d.end_date: end_date 2026-01-01T00:00:00Z is before start_date 2026-02-01T00:00:00Z"},
		{"mapping", dagOf("expand: {a: [1]}\n"), "5:7: error: d.tasks.t.expand: dynamic task mapping is not supported (write one task for each value, or loop inside one PythonOperator)"},
		{"branching", "d:\n  tasks:\n    t: {operator: airflow.providers.standard.operators.python.BranchPythonOperator}\n", "3:19: error: d.tasks.t.operator: branching operators are not supported: BranchPythonOperator (let each branch decide for itself: a BashOperator that exits with 99 is skipped, and so is a Python function that raises AirflowSkipException)"},
		{"decorator", "d:\n  tasks:\n    t: {decorator: airflow.decorators.task, python_callable: a.b}\n", "3:5: error: d.tasks.t: decorated (TaskFlow) tasks are not supported (write operator: airflow.providers.standard.operators.python.PythonOperator and python_callable: module.function)"},
		{"defaults block", "default:\n  default_args: {owner: me}\nd:\n  tasks:\n    t: {operator: " + empty + "}\n", "3:1: error: expected one top-level key, the DAG's id, but found 2: default, d (move what is below default into the DAG: its default_args, and the rest as keys of the DAG)"},
		{"no id", "schedule: null\ntasks:\n  t: {operator: " + empty + "}\n", "2:1: error: expected one top-level key, the DAG's id, but found 2: schedule, tasks (put everything below one more key, the DAG's id)"},
		{"misspelt argument", "d:\n  tasks:\n    x:\n      operator: airflow.providers.amazon.aws.operators.s3.S3ListOperator\n      buckt: b\n", "3:5: error: d.tasks.x: S3ListOperator needs bucket (write bucket for buckt)"},
		{"arguments of a short name", "d:\n  tasks:\n    x:\n      operator: S3ListOperator\n      bucket: b\n      upstream_tasks: [a]\n", "6:7: error: d.tasks.x.upstream_tasks: S3ListOperator takes no upstream_tasks (write dependencies: a list of upstream task ids)"},
		{"misspelt operator", "d:\n  tasks:\n    x:\n      operator: airflow.providers.amazon.aws.operators.s3.S3LisOperator\n", "4:17: error: d.tasks.x.operator: 'airflow.providers.amazon.aws.operators.s3.S3LisOperator' is not a known operator (write airflow.providers.amazon.aws.operators.s3.S3ListOperator)"},
		{"timedelta as schedule", "d:\n  schedule: {__type__: datetime.timedelta, hours: 1}\n  tasks:\n    t: {operator: " + empty + "}\n", "2:13: error: d.schedule: a timedelta as schedule is not supported (write the cron expression that comes nearest, such as */30 * * * *)"},
		{"datasets as schedule", "d:\n  schedule: ['s3://b/k']\n  tasks:\n    t: {operator: " + empty + "}\n", "2:13: error: d.schedule: datasets, assets and timetables as schedule are not supported (write a cron expression, or null and start the run when the data is there)"},
		{"three fields", "d:\n  schedule: '1 2 3'\n  tasks:\n    t: {operator: " + empty + "}\n", "2:13: error: d.schedule: '1 2 3' is no cron expression: it has 3 fields, not 5 or 6 (write minute hour day-of-month month day-of-week, such as '17 3 * * *', or a preset such as @daily)"},
		{"Python tag", dagOf("retries: !!python/object/apply:os.system [ls]\n"), "5:16: error: the tag !!python/object/apply:os.system constructs a Python object, which is refused (name the function as text, module.function, and ship the module in the code package)"},
		{"object as argument", "d:\n  tasks:\n    t:\n      operator: airflow.operators.bash.BashOperator\n      bash_command: {__type__: airflow.sdk.Asset, uri: x}\n", "5:21: error: d.tasks.t.bash_command: objects of airflow.sdk.Asset cannot be constructed here (write a plain value; of classes there are datetime.timedelta, datetime.datetime, datetime.date and the builtins)"},
		{"unquoted template", dagOf("retries: {{ params.n }}\n"), "5:17: error: a key must be a scalar, not a mapping; quote a value that begins with { or [, such as '{{ ds }}'"},
		{"time zone", "d:\n  timezone: Mars/Olympus\n  tasks:\n    t: {operator: " + empty + "}\n", "2:13: error: d.timezone: 'Mars/Olympus' is not a time zone (write an IANA name, such as UTC or Europe/Berlin)"},
		{"old empty operator", "d:\n  tasks:\n    t: {operator: airflow.operators.dummy.DummyOperator}\n", "3:19: error: d.tasks.t.operator: DummyOperator is the old name of EmptyOperator (write airflow.providers.standard.operators.empty.EmptyOperator)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, ds := check(tt.src)
			for _, d := range ds {
				if d.String() == tt.want {
					return
				}
			}
			t.Errorf("in\n%s\ngot\n%swant\n%s", tt.src, lines(ds), tt.want)
		})
	}
}
