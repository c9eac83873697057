package operator

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// datasyncCode returns the code of the DataSync operator's steps.
func datasyncCode(name string) code {
	if name == "datasync.task" {
		return datasyncTask
	}
	return nil
}

// datasyncTask names, finds or creates the task to execute, and says how long
// to pause between two looks: twice the interval, as the provider does.
func datasyncTask(ctx context.Context, j *job) (any, error) {
	interval, arn := j.number("wait_interval_seconds"), j.text("task_arn")
	switch {
	case j.err != nil:
		return nil, j.err
	case interval < 0 || interval > 15*60:
		return nil, &Error{Message: fmt.Sprintf("Invalid wait_interval_seconds %g", interval), Fatal: true}
	}
	if arn == "" {
		var err error
		if arn, err = datasyncFind(ctx, j); err != nil {
			return nil, err
		}
	}
	if arn == "" {
		return nil, Errorf("DataSync TaskArn could not be identified or created.")
	}
	return map[string]any{"arn": arn, "pause": 2 * interval}, nil
}

// datasyncFind looks for a task between the two locations, and creates one if
// there is none and create_task_kwargs says how. It returns nothing without
// either.
func datasyncFind(ctx context.Context, j *job) (string, error) {
	locations, err := j.list(ctx, "datasync:ListLocations", "Locations")
	if err != nil {
		return "", err
	}
	from, to := locationsAt(locations, j.text("source_location_uri")), locationsAt(locations, j.text("destination_location_uri"))
	if len(from) > 0 && len(to) > 0 {
		tasks, err := j.list(ctx, "datasync:ListTasks", "Tasks")
		if err != nil {
			return "", err
		}
		var fit []any
		for _, task := range tasks {
			arn, _ := dig(task, ".TaskArn")
			reply, err := j.call(ctx, "datasync:DescribeTask", map[string]any{"TaskArn": arn})
			if err != nil {
				return "", err
			}
			if slices.Contains(from, reply["SourceLocationArn"]) && slices.Contains(to, reply["DestinationLocationArn"]) {
				fit = append(fit, arn)
			}
		}
		if len(fit) > 0 {
			return j.choose("a Task", fit, "allow_random_task_choice")
		}
	}
	if !j.flag("create_task_kwargs") {
		return "", nil
	}
	in := map[string]any{}
	for _, end := range []struct {
		found            []any
		name, kwargs, as string
	}{
		{from, "source", "create_source_location_kwargs", "SourceLocationArn"},
		{to, "destination", "create_destination_location_kwargs", "DestinationLocationArn"},
	} {
		arn, err := j.choose("a Location", end.found, "allow_random_location_choice")
		if err == nil && arn == "" && j.flag(end.kwargs) {
			arn, err = datasyncLocation(ctx, j, j.text(end.name+"_location_uri"), end.kwargs)
		}
		if err != nil {
			return "", err
		}
		if arn == "" {
			return "", Errorf("Unable to determine %s LocationArn. Does a suitable DataSync Location exist?", end.name)
		}
		in[end.as] = arn
	}
	if err := j.lay(in, "create_task_kwargs"); err != nil {
		return "", err
	}
	reply, err := j.call(ctx, "datasync:CreateTask", in)
	return text(reply, "TaskArn"), err
}

// datasyncLocation creates a location of the kind that the URI's scheme says.
func datasyncLocation(ctx context.Context, j *job, uri, kwargs string) (string, error) {
	scheme, _, _ := strings.Cut(uri, ":")
	call := map[string]string{
		"smb": "datasync:CreateLocationSmb", "s3": "datasync:CreateLocationS3",
		"nfs": "datasync:CreateLocationNfs", "efs": "datasync:CreateLocationEfs",
	}[strings.ToLower(scheme)]
	if call == "" {
		return "", Errorf("Invalid/Unsupported location type: %s", clip(scheme, 80))
	}
	in := map[string]any{}
	if err := j.lay(in, kwargs); err != nil {
		return "", err
	}
	reply, err := j.call(ctx, call, in)
	return text(reply, "LocationArn"), err
}

// locationsAt returns the ARNs of the locations with the URI, whatever its
// case and whether or not it ends in a slash.
func locationsAt(locations []any, uri string) []any {
	plain := func(s string) string { return strings.TrimSuffix(strings.ToLower(s), "/") }
	var found []any
	for _, l := range locations {
		if m, ok := l.(map[string]any); ok && plain(text(m, "LocationUri")) == plain(uri) {
			found = append(found, m["LocationArn"])
		}
	}
	return found
}

// choose returns the only one of several, a random one if the argument allows
// that, and nothing of none.
func (j *job) choose(what string, from []any, argument string) (string, error) {
	switch {
	case len(from) == 0:
		return "", nil
	case len(from) == 1:
		return pythonText(from[0]), nil
	case j.flag(argument):
		return pythonText(from[rand.IntN(len(from))]), nil
	}
	return "", Errorf("Unable to choose %s from %s", what, clip(pythonRepr(from), 2000))
}

// list makes a call with NextToken for all pages of its reply.
func (j *job) list(ctx context.Context, call, items string) ([]any, error) {
	step := &Step{Call: call, Pages: &Pages{Next: "NextToken", Send: "NextToken", Items: items}}
	reply, err := j.pages(ctx, step, map[string]any{})
	l, _ := reply[items].([]any)
	return l, err
}

// text returns a text member of a reply.
func text(reply map[string]any, name string) string {
	s, _ := reply[name].(string)
	return s
}
