package operator

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/smithy-go"

	"fairlead/internal/operator/awscall"
)

// token is what keeps how far a stream has been copied.
func (t *Tail) token() string { return t.As + "_token" }

// maxTail bounds how many pages of a stream are copied after one look.
const maxTail = 20

// copyLogs copies what is new in the streams of a wait, and reports whether
// anything was. A stream that is not there yet has nothing; one that cannot be
// read must not fail the task.
func (j *job) copyLogs(ctx context.Context, l *Look, reply any) (news bool, err error) {
	in := j.with("reply", reply)
	for i := range l.Logs {
		t := &l.Logs[i]
		if t.If != nil {
			if yes, err := t.If.eval(in); err != nil || !truthy(yes) {
				if err != nil {
					return news, err
				}
				continue
			}
		}
		group, err := t.Group.eval(in)
		if err != nil {
			return news, err
		}
		stream, err := t.Stream.eval(in)
		if err != nil {
			return news, err
		}
		if !truthy(group) || !truthy(stream) {
			continue
		}
		cfg := j.cfg
		if t.Region != nil {
			region, err := t.Region.eval(in)
			if err != nil {
				return news, err
			}
			if truthy(region) {
				cfg = cfg.In(pythonText(region))
			}
		}
		more, err := j.copyStream(ctx, t, cfg, group, stream)
		news = news || more
		if err != nil {
			if ctx.Err() != nil {
				return news, ctx.Err()
			}
			if ae, ok := errors.AsType[smithy.APIError](err); !ok || ae.ErrorCode() != "ResourceNotFoundException" {
				j.say("warning", "the log stream %s of %s cannot be read: %v", pythonText(stream), pythonText(group), callError(err))
			}
		}
	}
	return news, nil
}

// copyStream copies the new events of one stream.
func (j *job) copyStream(ctx context.Context, t *Tail, cfg awscall.Config, group, stream any) (news bool, err error) {
	for range maxTail {
		in := map[string]any{"logGroupName": group, "logStreamName": stream, "startFromHead": true}
		before := j.mem.Vars[t.token()]
		if before != nil {
			in["nextToken"] = before
		}
		look, cancel := context.WithTimeout(ctx, pokeTime)
		r, err := awscall.Do(look, cfg, "logs:GetLogEvents", in)
		cancel()
		if err != nil {
			return news, err
		}
		events, _ := r.Members["events"].([]any)
		for _, e := range events {
			event, _ := e.(map[string]any)
			line := pythonText(event["message"])
			j.log("info", "airflow.task.aws.logs", line)
			j.keep(t.As, line)
			news = true
		}
		after := r.Members["nextForwardToken"]
		j.keep(t.token(), after)
		if len(events) == 0 || fmt.Sprint(after) == fmt.Sprint(before) {
			break
		}
	}
	return news, nil
}
