package main

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"time"

	"fairlead/internal/aws/transport"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
	"fairlead/internal/trace"
)

// openTraces readies what tells a collector, if there is one.
func (a *app) openTraces() error {
	set, on, err := trace.FromEnv(a.opt.otlp, os.Getenv)
	if err != nil {
		return usagef("--otlp-endpoint: %v", err)
	}
	if !on {
		return nil
	}
	set.Version = version()
	a.traces, a.traceSettings = trace.New(set, a.opt.log), set
	return nil
}

// traceEnv adds what lets a task's process go on with its attempt's trace. The
// headers of the collector, which may hold a key, stay here.
func (a *app) traceEnv(env map[string]string, r flow.Run, t flow.Task) {
	if a.traces == nil {
		return
	}
	endpoint := "OTEL_EXPORTER_OTLP_ENDPOINT"
	if a.traceSettings.Whole {
		endpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	}
	for name, value := range map[string]string{
		"TRACEPARENT": trace.Parent(r, t.ID, t.Attempt), endpoint: a.traceSettings.Endpoint,
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_SERVICE_NAME": a.traceSettings.Service,
	} {
		env[name] = cmp.Or(env[name], value) // what the workflow says goes before
	}
}

// Perform implements conductor.Performer: calls of AWS that are made in this
// process, by what waits, are told with the attempt.
func (w watched) Perform(ctx context.Context, at lang.Attempt, tell lang.Tell) (flow.Outcome, error) {
	if w.a.traces != nil {
		ctx = tellCalls(ctx, w.a.traces, trace.Parent(at.Run, at.Task.ID, at.Task.Attempt))
	}
	return w.Performer.Perform(ctx, at, tell)
}

func tellCalls(ctx context.Context, to *trace.Exporter, parent string) context.Context {
	return transport.WithWatch(ctx, func(c transport.Call) {
		if s, ok := trace.Call(parent, c.Service, c.Operation, c.Began, c.Ended, c.Status, c.Err); ok {
			to.Add(s)
		}
	})
}

// flushTime bounds how long a task's process waits for the collector.
const flushTime = 2 * time.Second

// childTraces returns the context for the operator of this process, whose
// calls are told where the environment says, and what sends that.
func childTraces(ctx context.Context) (context.Context, func()) {
	set, on, err := trace.FromEnv("", os.Getenv)
	parent := os.Getenv("TRACEPARENT")
	if err != nil || !on || parent == "" {
		return ctx, func() {}
	}
	e := trace.New(set, slog.New(slog.DiscardHandler))
	return tellCalls(ctx, e, parent), func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
		defer cancel()
		e.Flush(last)
	}
}
