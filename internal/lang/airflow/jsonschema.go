package airflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fairlead/internal/flow"
	"fairlead/internal/operator"
)

// JSONSchema returns a JSON Schema of definitions whose operators are in
// specs, for editors and for tools that cannot call [Compile]. It is a draft
// 2020-12 document that keeps to keywords of draft-07, which editors know. A
// definition is read as if it had a code package.
//
// What it refuses, Compile refuses or warns of, but for the exceptions below.
// What it lets through may still be refused, since a schema cannot say that
//
//   - a dependency names a task, and no tasks wait for each other in a circle;
//   - the text has at most 50 KB, and is YAML 1.1: that no is false, or that
//     a key is a number;
//   - a cron field holds a value it can, a time zone and a date exist, and
//     start_date is before end_date;
//   - a scheduled DAG has a valid default for every param;
//   - a PythonOperator, or an operator off the list, needs a code package;
//   - the parts of a timedelta together keep to the bound;
//   - a typed value has the arguments that its class takes;
//   - a schema within a param is one.
//
// It is stricter where what Compile accepts is sure to be a slip: a type that
// an argument cannot have, which Compile warns of; retries written true or
// 1.5; a timedelta with negative parts; a preset in capitals; __join__ where
// it makes a key's only value.
func JSONSchema(specs []*operator.Spec) json.RawMessage {
	defs := schemaDefs()
	paths, notes := []string{}, []string{}
	var services []any
	for group := range byService(specs) {
		own := []string{}
		var choices []any
		for _, s := range group {
			for _, p := range s.Paths {
				own = append(own, p)
				notes = append(notes, operatorNote(s))
			}
			choices = append(choices, when(s.Paths, operatorSchema(s, defs)))
		}
		paths = append(paths, own...)
		// An editor asks for one service before it goes through its
		// operators, instead of through all of them for every task.
		services = append(services, when(own, node{"allOf": choices}))
	}
	defs["task"] = node{
		"type":        "object",
		"required":    []string{"operator"},
		"description": "A task. Its remaining keys are the arguments of the operator.",
		"properties": properties(taskProperties(), node{
			"operator": node{
				"type":        "string",
				"description": "The full import path of the operator.",
				"anyOf":       []any{node{"enum": paths, "enumDescriptions": notes}, customSchema()},
			},
			"expand": false, "partial": false, "variables_as_arguments": false,
		}),
		"allOf": services,
	}
	root := node{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"title":                "Workflow definition of MWAA Serverless",
		"description":          "One DAG: its id, and its keys below it.",
		"type":                 "object",
		"minProperties":        1,
		"maxProperties":        1,
		"propertyNames":        idSchema(),
		"additionalProperties": ref("dag"),
		"$defs":                defs,
	}
	var b bytes.Buffer
	if err := json.Indent(&b, encode(root), "", " "); err != nil {
		panic("airflow: indent a schema: " + err.Error()) // encode makes valid JSON
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// A node is a schema, or a part of one.
type node map[string]any

func ref(name string) node { return node{"$ref": "#/$defs/" + name} }

// note is a schema that allows everything and says something.
func note(s string) node { return node{"description": s} }

func idSchema() node { return node{"pattern": idForm.String(), "maxLength": maxID} }

// customSchema is that of a class which only the code package can have, as
// the method custom tells it.
func customSchema() node {
	return node{
		"description": "A class of the code package.",
		"pattern":     "^" + dottedPattern + "$",
		"maxLength":   300,
		"not":         node{"pattern": `^airflow\.providers\.(amazon|standard)\.`},
		"anyOf":       []any{node{"pattern": `^airflow\.providers\.`}, node{"not": node{"pattern": `^airflow\.`}}},
	}
}

// dottedPattern is what dotted accepts: names are of letters, digits,
// underscores and all that is not ASCII.
const dottedPattern = `[^\x00-@\[-^\x60{-\x7f][^\x00-/:-@\[-^\x60{-\x7f]*(\.[^\x00-@\[-^\x60{-\x7f][^\x00-/:-@\[-^\x60{-\x7f]*)+`

// when applies then to the tasks whose operator is one of paths.
func when(paths []string, then node) node {
	return node{
		"if":   node{"required": []string{"operator"}, "properties": node{"operator": node{"enum": paths}}},
		"then": then,
	}
}

// properties joins maps of properties; of two with one name the later wins.
func properties(all ...node) node {
	out := node{}
	for _, n := range all {
		for k, v := range n {
			out[k] = v
		}
	}
	return out
}

// byService yields the operators of one service after another, in order.
func byService(specs []*operator.Spec) func(yield func([]*operator.Spec) bool) {
	return func(yield func([]*operator.Spec) bool) {
		for len(specs) > 0 {
			n := slices.IndexFunc(specs, func(s *operator.Spec) bool { return s.Service != specs[0].Service })
			if n < 0 {
				n = len(specs)
			}
			if !yield(specs[:n]) {
				return
			}
			specs = specs[n:]
		}
	}
}

func operatorNote(s *operator.Spec) string {
	what := "operator"
	if s.Sensor {
		what = "sensor"
	}
	n := fmt.Sprintf("%s: %s %s", s.Class, s.Service, what)
	if s.Abstract {
		n += "; a base class, with which a task fails"
	}
	return n
}

// schemaDefs are the parts that others refer to.
func schemaDefs() node {
	rules, old := []string{}, []string{"none_failed_or_skipped", "dummy"}
	for _, r := range flow.Rules() {
		rules = append(rules, string(r))
	}
	return node{
		"dag": node{
			"type":                 "object",
			"required":             []string{"tasks"},
			"properties":           dagProperties(),
			"additionalProperties": false,
		},
		"defaultArgs": node{
			"type":                 []string{"object", "null"},
			"description":          "What every task takes over unless it says otherwise.",
			"properties":           properties(ignoredProperties(ignoredDefaults()), settingProperties(), node{"start_date": ref("moment"), "end_date": ref("moment")}),
			"additionalProperties": false,
		},
		"retries": node{
			"type":        []string{"integer", "string", "null"},
			"description": "How many attempts may follow a failed one.",
			"minimum":     0, "maximum": maxRetries, "pattern": "^ *[+]?0*[0-3] *$",
			"default": defaultRetries,
		},
		"retryDelay": typedDelta(node{
			"type":        []string{"number", "object"},
			"description": "Seconds between a failed attempt and the next, or a timedelta.",
			"minimum":     0, "maximum": maxDelay.Seconds(),
			"default": maxDelay.Seconds(),
		}, maxDelay.Seconds()),
		"timeout": typedDelta(node{
			"type":        []string{"object", "null"},
			"description": "How long an attempt may take: a typed timedelta of at most 60 minutes, which is the default.",
		}, maxTimeout.Seconds()),
		"wait": typedDelta(node{
			"type":        []string{"number", "boolean", "object"},
			"description": "Seconds, or a timedelta.",
			"minimum":     0,
		}, 0),
		"rule": node{
			"description": "Which states of its upstreams let the task run.",
			"default":     string(flow.AllSuccess),
			"anyOf": []any{
				node{"enum": rules},
				node{"enum": old, "description": "The old name of another rule."},
				node{
					"type": "object", "description": "What a converter writes of Airflow's enum.",
					"required": []string{"__type__", "__args__"}, "additionalProperties": false,
					"properties": node{
						"__type__": node{"type": "string", "pattern": `^airflow\.`},
						"__args__": node{"type": "array", "minItems": 1, "maxItems": 1, "items": node{"enum": slices.Concat(rules, old)}},
					},
				},
			},
		},
		"moment": node{
			"type":        []string{"string", "object", "null"},
			"description": "A date such as \"2026-01-31\" or \"2026-01-31T06:00:00+01:00\", or days before today such as \"2 days\".",
			"pattern":     `^([0-9]{4}[-/]?[0-9]{1,2}([-/]?[0-9]{1,2})?([Tt ].*)?|[0-9]+\s+([Hh]our|[Mm]inute|[Ss]econd|[Dd]ay).*)$`,
			"required":    []string{"__type__"},
			"properties":  node{"__type__": node{"enum": []string{"datetime.datetime", "datetime.date", "pendulum.datetime"}}},
		},
		"params": node{
			"type":                 []string{"object", "null"},
			"description":          "Values for {{ params.name }}, which a run may override: plain ones, or specs with a default and a JSON Schema.",
			"additionalProperties": ref("param"),
		},
		"param": paramSchema(),
		// Python's constructors of anything stand in for a value of any type.
		"typed": node{
			"if":   node{"type": "object"},
			"then": node{"anyOf": []any{node{"required": []string{"__type__"}}, node{"required": []string{"__join__"}}, node{"required": []string{"__and__"}}, node{"required": []string{"__or__"}}}},
		},
		"notBoth": node{
			"not": node{
				"required":   []string{"soft_fail", "never_fail"},
				"properties": node{"soft_fail": node{"const": true}, "never_fail": node{"const": true}},
			},
			"description": "soft_fail and never_fail exclude each other.",
		},
	}
}

// typedDelta adds to a schema that an object is a timedelta, each part of
// which is at most the given number of seconds; zero is no bound.
func typedDelta(n node, most float64) node {
	parts := node{
		"__type__": node{"const": "datetime.timedelta"},
		"__args__": node{"type": "array", "maxItems": len(deltaUnits), "items": node{"type": "number"}},
	}
	for _, u := range deltaUnits {
		part := node{"type": "number", "minimum": 0}
		if most > 0 {
			part["maximum"] = most / u.seconds
		}
		parts[u.name] = part
	}
	n["required"] = []string{"__type__"}
	n["properties"] = parts
	n["additionalProperties"] = false
	return n
}

func dagProperties() node {
	active := func(s string) node {
		return node{"type": []string{"integer", "null"}, "minimum": 1, "maximum": maxMaxActive, "default": defaultMaxActive, "description": s}
	}
	own := node{
		"schedule": node{
			"type":        []string{"string", "null"},
			"description": "Cron (minute hour day-of-month month day-of-week), EventBridge's six fields with a ?, a preset, or null to run on demand only.",
			"pattern": `^\s*([Nn][Oo][Nn][Ee]|@(hourly|daily|midnight|weekly|monthly|quarterly|yearly|annually|once|continuous)|[^@\s]\S*(\s+\S+){4}|` +
				`\S+\s+\S+\s+\?\s+\S+\s+\S+\s+\S+|\S+\s+\S+\s+\S+\s+\S+\s+\?\s+\S+)\s*$`,
			"maxLength": 256,
			"examples":  []string{"17 3 * * *", "*/15 8-18 * * MON-FRI", "0 12 * * ? *", "@daily"},
		},
		"start_date": ref("moment"),
		"end_date":   ref("moment"),
		"timezone": node{
			"type": []string{"string", "null"}, "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$", "maxLength": 64, "not": node{"const": "Local"},
			"description": "IANA name of the zone of the schedule; UTC by default. A key of dag-factory that the service does not document.",
		},
		"max_active_runs":  active("How many runs are active at once; the rest queue."),
		"max_active_tasks": active("How many tasks of a run are active at once."),
		"params":           ref("params"),
		"default_args":     ref("defaultArgs"),
		"tasks": node{
			"type": "object", "minProperties": 1, "propertyNames": idSchema(), "additionalProperties": ref("task"),
			"description": "The tasks, by id.",
		},
		"schedule_interval":             node{"type": "null", "description": "The old name of schedule; only null is accepted."},
		"render_template_as_native_obj": node{"type": []string{"boolean", "null"}, "description": noEffect},
	}
	return properties(ignoredProperties(ignoredOfDAG()), own)
}

// settingProperties are the keys that act in default_args and in tasks.
func settingProperties() node {
	return node{"retries": ref("retries"), "retry_delay": ref("retryDelay"), "execution_timeout": ref("timeout"), "trigger_rule": ref("rule")}
}

// taskProperties are the keys that any task takes.
func taskProperties() node {
	return properties(ignoredProperties(ignoredOfTasks()), settingProperties(), node{
		"task_id":      note("The task's key, once more; the key counts."),
		"dependencies": node{"type": "array", "items": node{"type": "string"}, "description": "Ids of the tasks that this one waits for."},
		"params":       ref("params"),
	})
}

const noEffect = "Accepted, and has no effect."

func ignoredProperties(keys []string) node {
	n := node{}
	for _, k := range keys {
		n[k] = note(noEffect)
	}
	return n
}

// ignoredOfDAG lists the keys that dagIgnored knows, of which a test makes
// sure.
func ignoredOfDAG() []string {
	return []string{
		"access_control", "auto_register", "catchup", "dag_display_name", "dag_id", "dagrun_timeout", "depends_on_past",
		"description", "doc_md", "email_on_failure", "email_on_retry", "fail_fast", "fail_stop", "has_serialized_dag",
		"is_paused_upon_creation", "jinja_environment_kwargs", "max_consecutive_failed_dag_runs", "on_failure_callback",
		"on_success_callback", "one_failure_callback", "one_success_callback", "owner_links", "python_version",
		"render_template_as_native_obj", "sla_miss_callback", "tags", "template_searchpath", "template_undefined",
		"user_defined_filters", "user_defined_macros",
	}
}

// ignoredDefaults lists the keys of default_args that have no effect.
func ignoredDefaults() []string {
	return []string{"owner", "email", "priority_weight", "wait_for_downstream", "depends_on_past", "email_on_failure", "email_on_retry"}
}

// ignoredOfTasks lists the keys that taskIgnored knows, of which a test makes
// sure.
func ignoredOfTasks() []string {
	return []string{
		"allow_nested_operators", "aws_conn_id", "botocore_config", "deferrable", "depends_on_past", "do_xcom_push", "doc",
		"doc_json", "doc_md", "doc_rst", "doc_yaml", "email", "email_on_failure", "email_on_retry", "end_date", "executor",
		"executor_config", "ignore_first_depends_on_past", "inlets", "logger_name", "map_index_template",
		"max_active_tis_per_dag", "max_active_tis_per_dagrun", "max_retry_delay", "multiple_outputs", "on_execute_callback",
		"on_failure_callback", "on_retry_callback", "on_skipped_callback", "on_success_callback", "outlets", "owner",
		"parent_group_name", "pool", "pool_slots", "post_execute", "pre_execute", "priority_weight", "queue", "region_name",
		"resources", "retry_exponential_backoff", "run_as_user", "sla", "start_date", "task_concurrency", "task_display_name",
		"task_group", "task_group_name", "verify", "wait_for_downstream", "wait_for_past_depends_before_skipping", "weight_rule",
	}
}

// paramSchema is that of one param. A mapping is a spec when it has a default
// or a type and no other keys than a spec's; any other is a plain value.
func paramSchema() node {
	types := []string{"string", "integer", "number", "boolean", "array", "object", "null"}
	count := node{"type": "integer", "minimum": 0}
	text, number, list := node{"type": "string"}, node{"type": "number"}, node{"type": "array"}
	isType := node{"anyOf": []any{
		node{"enum": types},
		node{"type": "null"},
		node{"type": "array", "items": node{"anyOf": []any{node{"enum": types}, node{"type": "null"}}}},
	}}
	return node{
		"if": node{
			"type":          "object",
			"propertyNames": node{"enum": paramWords()},
			"properties":    node{"type": isType},
			"anyOf":         []any{node{"required": []string{"default"}}, node{"required": []string{"type"}}},
		},
		"then": node{"properties": node{
			"default": note("The value when a run gives none. Without it every run must."),
			"type":    note("A type of JSON Schema, or a list of them."),
			"title":   text, "description": text, "enum": list, "format": text, "pattern": text,
			"minimum": number, "maximum": number, "exclusiveMinimum": number, "exclusiveMaximum": number,
			"minLength": count, "maxLength": count, "minItems": count, "maxItems": count, "uniqueItems": node{"type": "boolean"},
		}},
	}
}

// paramWords lists the keys that schemaWord knows, of which a test makes sure.
func paramWords() []string {
	return []string{
		"$comment", "$schema", "additionalProperties", "allOf", "anyOf", "const", "contains", "custom_html_form", "default",
		"description", "description_md", "else", "enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "if",
		"items", "maxItems", "maxLength", "maxProperties", "maximum", "minItems", "minLength", "minProperties", "minimum",
		"multipleOf", "not", "oneOf", "pattern", "patternProperties", "prefixItems", "properties", "propertyNames", "required",
		"section", "source", "then", "title", "type", "uniqueItems", "values_display",
	}
}

// operatorSchema is what a task of the operator must be beside what any task
// is. It adds to defs what it refers to.
func operatorSchema(s *operator.Spec, defs node) node {
	props := node{}
	for k := range taskProperties() {
		props[k] = true // described with the task
	}
	props["operator"] = true
	required, n := []string{}, node{}
	var all []any
	for _, a := range s.Args {
		if !serviceOwned(a.Name) {
			props[a.Name] = argSchema(a, defs)
		}
		switch {
		case !a.Required || serviceOwned(a.Name):
		case s.Class == "PythonOperator" && a.Name == "python_callable":
		case len(a.Unless) > 0:
			all = append(all, node{"anyOf": []any{node{"required": []string{a.Name}}, node{"required": a.Unless}}})
		default:
			required = append(required, a.Name)
		}
	}
	if s.Sensor {
		for k, v := range sensorProperties(s) {
			props[k] = v
		}
		all = append(all, ref("notBoth"))
	}
	if s.Class == "PythonOperator" {
		callableSchema(props, defs)
		all = append(all, ref("callable"))
	}
	if s.Service != "" {
		n["description"] = operatorNote(s)
	}
	n["properties"] = props
	if !s.Open {
		n["additionalProperties"] = false
	}
	if len(required) > 0 {
		n["required"] = required
	}
	if len(all) > 0 {
		n["allOf"] = all
	}
	return n
}

// callableSchema says how a PythonOperator names its function: with
// python_callable, or with a file and a name, as dag-factory does.
func callableSchema(props, defs node) {
	props["python_callable"] = node{
		"type": []string{"string", "null"}, "pattern": "^(" + dottedPattern + ")?$",
		"description": "module.function, where the module is one of the code package",
	}
	props["python_callable_file"] = node{
		"type": "string", "pattern": "^" + regexp.QuoteMeta(dagsFolder) + `.+\.py$`,
		"description": "The module's absolute path on the service; python_callable says the same in fewer words.",
	}
	props["python_callable_name"] = node{"type": "string", "description": "The function's name in python_callable_file."}
	pair := []string{"python_callable_file", "python_callable_name"}
	defs["callable"] = node{
		"if": node{"required": []string{"python_callable"}, "properties": node{"python_callable": node{"not": node{"enum": []any{nil, ""}}}}},
		"then": node{"not": node{"anyOf": []any{
			node{"required": pair[:1]}, node{"required": pair[1:]},
		}}},
		"else": node{"required": pair},
	}
}

// sensorProperties are the keys that a sensor takes beside its arguments.
func sensorProperties(s *operator.Spec) node {
	n := node{}
	for _, k := range sensorKeys() {
		n[k] = node{"type": "boolean", "default": false}
	}
	for k, what := range map[string]string{
		"soft_fail": "Giving up is a skip.", "never_fail": "Any error is a skip.",
		"silent_fail": "An error while looking counts as not yet.", "exponential_backoff": "The interval grows.",
	} {
		n[k].(node)["description"] = what
	}
	n["poke_interval"] = ref("wait")
	n["timeout"] = ref("wait")
	n["max_wait"] = node{"anyOf": []any{node{"type": "null"}, ref("wait")}}
	modes := []string{"poke", "reschedule"}
	if s.PokeOnly {
		modes = modes[:1]
	}
	n["mode"] = node{"enum": modes, "default": "poke", "description": "reschedule frees the slot between two looks."}
	return n
}

// argSchema is that of one argument. Types are those of checkType: text
// passes almost everywhere, since it may be a template.
func argSchema(a operator.Arg, defs node) node {
	about := a.Type
	if a.Template {
		about += ", may be a template"
	}
	if a.Required {
		about += ", required"
	}
	if len(a.Default) > 0 && string(a.Default) != "null" {
		about += ", default " + Clip(string(a.Default), 100)
	}
	if len(a.Enum) > 0 {
		values := []any{nil}
		for _, e := range a.Enum {
			values = append(values, e)
		}
		return node{"anyOf": []any{node{"enum": values}, node{"type": "string", "pattern": `\{`}}, "description": about}
	}
	words := strings.FieldsFunc(a.Type, func(r rune) bool { return r == '|' || r == '/' })
	types := []string{"string"}
	add := func(names ...string) {
		for _, n := range names {
			if !slices.Contains(types, n) {
				types = append(types, n)
			}
		}
	}
	for _, w := range words {
		switch w {
		case "str":
		case "int", "float":
			add("number", "boolean")
		case "bool":
			add("boolean", "integer")
		case "list":
			add("array")
		case "dict":
			add("object")
		default:
			return note(about) // an object of Python's, of which nothing is known
		}
	}
	if a.Nullable || string(a.Default) == "null" {
		add("null")
	}
	slices.Sort(types)
	name := "arg_" + strings.Join(types, "_")
	def := node{"type": types}
	if !slices.Contains(types, "object") {
		def["type"] = append([]string{"object"}, types...)
		def["allOf"] = []any{ref("typed")}
	}
	if len(words) == 1 && words[0] == "bool" {
		name += "_only"
		def["pattern"] = `^$|\{`
	}
	defs[name] = def
	// Beside a $ref only annotations, since draft-07 heeds nothing else there.
	return node{"$ref": ref(name)["$ref"], "description": about}
}
