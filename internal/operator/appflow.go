package operator

import (
	"context"
	"maps"
	"strconv"
	"time"
)

// appflowCode returns the code of the AppFlow operators' steps.
func appflowCode(name string) code {
	switch name {
	case "appflow.filter":
		return appflowFilter
	case "appflow.update":
		return appflowUpdate
	case "appflow.records":
		return appflowRecords
	}
	return nil
}

// appflowFilter returns the properties of the filter for filter_date, or None
// for a run without one. Bounds are not part of what is selected.
func appflowFilter(_ context.Context, j *job) (any, error) {
	operator, _ := j.lookup("operator")
	if operator == "" {
		return nil, nil
	}
	date, err := isoDate(j.text("filter_date"))
	if err != nil {
		return nil, err
	}
	millis := func(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }
	if operator == "BETWEEN" {
		return map[string]any{"DATA_TYPE": "datetime", "LOWER_BOUND": millis(date.Add(-time.Millisecond)), "UPPER_BOUND": millis(date.AddDate(0, 0, 1))}, nil
	}
	return map[string]any{"DATA_TYPE": "datetime", "VALUE": millis(date)}, nil
}

// isoDate reads what Python's datetime.fromisoformat does, but for weeks and
// ordinal days. A time without a zone is in UTC, as on the service.
func isoDate(s string) (time.Time, error) {
	text := []byte(s)
	if len(text) > len("2006-01-02") {
		text[len("2006-01-02")] = 'T' // any separator will do
	}
	for _, day := range []string{"2006-01-02", "20060102"} {
		for _, clock := range []string{"", "T15", "T15:04", "T15:04:05", "T150405"} { // fractions are read wherever seconds are
			for _, zone := range []string{"", "Z07:00", "-0700"} {
				if t, err := time.Parse(day+clock+zone, string(text)); err == nil && (clock != "" || zone == "") {
					return t, nil
				}
			}
		}
	}
	return time.Time{}, Errorf("Invalid isoformat string: '%s'", clip(s, 80))
}

// settleTime is what an update of a flow needs until a run on demand heeds it.
const settleTime = 15 * time.Second

// appflowUpdate puts the filter in the place of the flow's filters, and has
// the flow run on demand only.
func appflowUpdate(ctx context.Context, j *job) (any, error) {
	v, _ := j.lookup("DescribeFlow")
	flow, _ := v.(map[string]any)
	source, _ := flow["sourceFlowConfig"].(map[string]any)
	connector, _ := source["connectorType"].(string)
	given, _ := flow["tasks"].([]any)
	tasks := []any{}
	for _, t := range given {
		task, _ := t.(map[string]any)
		operators, _ := task["connectorOperator"].(map[string]any)
		if task["taskType"] == "Filter" && operators[connector] != "PROJECTION" {
			j.say("info", "Removing task: %s", clip(pythonRepr(task), 2000))
			continue
		}
		tasks = append(tasks, task)
	}
	if filter, _ := j.lookup("filter"); filter != nil {
		operator, _ := j.lookup("operator")
		tasks = append(tasks, map[string]any{
			"taskType": "Filter", "connectorOperator": map[string]any{connector: operator},
			"sourceFields": []any{j.text("source_field")}, "taskProperties": filter,
		})
	}
	in := map[string]any{
		"flowName": flow["flowName"], "destinationFlowConfigList": flow["destinationFlowConfigList"],
		"sourceFlowConfig": source, "description": "Flow description.", "tasks": tasks,
	}
	if trigger, ok := flow["triggerConfig"].(map[string]any); ok {
		trigger = maps.Clone(trigger)
		delete(trigger, "triggerProperties")
		in["triggerConfig"] = trigger
	}
	if text, ok := flow["description"]; ok {
		in["description"] = text
	}
	if _, err := j.call(ctx, "appflow:UpdateFlow", in); err != nil {
		return nil, err
	}
	return nil, j.sleep(ctx, settleTime)
}

// appflowRecords returns how many records the run of the flow processed.
func appflowRecords(ctx context.Context, j *job) (any, error) {
	id := j.text("execution_id")
	if id == "" {
		return nil, Errorf("No execution_id found from task_id %s!", j.text("appflow_run_task_id"))
	}
	in := map[string]any{"flowName": j.text("flow_name"), "maxResults": 100}
	for range maxPages {
		reply, err := j.callNow(ctx, "appflow:DescribeFlowExecutionRecords", in)
		if err != nil {
			return nil, err
		}
		runs, _ := reply["flowExecutions"].([]any)
		for _, r := range runs {
			run, _ := r.(map[string]any)
			if run["executionId"] != id {
				continue
			}
			result, _ := run["executionResult"].(map[string]any)
			if n, ok := result["recordsProcessed"]; ok {
				j.say("info", "records_processed: %v", n)
				return n, nil
			}
			return nil, Errorf("Flow (%s) without recordsProcessed info!", id)
		}
		if in["nextToken"] = reply["nextToken"]; reply["nextToken"] == nil {
			break
		}
	}
	return nil, Errorf("Flow (%s) without recordsProcessed info.", id)
}
