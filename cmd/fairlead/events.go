package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/aws/transport"
	"fairlead/internal/events"
	"fairlead/internal/flow"
	"fairlead/internal/mwaa"
	"fairlead/internal/omics"
	"fairlead/internal/store"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"
)

// sinksFlag is a flag that may be repeated; in the environment its values are
// separated by blanks.
type sinksFlag []events.Sink

// String, Set and Type make it a flag.
func (s *sinksFlag) String() string {
	var texts []string
	for _, sink := range *s {
		texts = append(texts, sink.Name+"="+sink.To)
	}
	return strings.Join(texts, " ")
}

// Set adds a sink.
func (s *sinksFlag) Set(text string) error {
	for part := range strings.FieldsSeq(text) {
		sink, err := events.ParseFlag(part)
		if err != nil {
			return err
		}
		*s = append(*s, sink)
	}
	return nil
}

// Type names the flag's value in the help.
func (s *sinksFlag) Type() string { return "name=to" }

// openEvents readies what delivers events.
func (a *app) openEvents(ctx context.Context) error {
	path := cmp.Or(a.opt.events, a.opt.data.path("events.json"))
	var sinks []events.Sink
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if sinks, err = events.Parse(text); err != nil {
			return usagef("%s: %v", path, err)
		}
	case a.opt.events != "" || !errors.Is(err, fs.ErrNotExist):
		return usagef("--events: %v", err)
	}
	sinks = append(sinks, a.opt.eventSinks...)
	if err := events.Check(sinks, omics.EventTypes()...); err != nil {
		return usagef("%v", err)
	}
	a.office, err = events.Open(ctx, events.Config{
		Store: a.db, Sinks: sinks, Dir: a.opt.data.path("events"), AWS: a.awsConfig, Log: a.opt.log, Others: omicsEvents{a},
		Words: events.Words{
			Account: a.opt.account, Region: a.opt.region, InstanceID: mwaa.InstanceID, RunType: mwaa.RunType,
			ARN: func(id flow.WorkflowID) string { return arn.Workflow(a.opt.region, a.opt.account, string(id)).String() },
		},
	})
	if err != nil {
		return fmt.Errorf("deliver events: %w", err)
	}
	a.meter.Gauges("fairlead_events_pending", "Steps of runs that a sink of events has not been told of.", "sink", func() map[string]float64 {
		ctx, cancel := context.WithTimeout(ctx, readyTime)
		defer cancel()
		counts, err := a.db.Backlog(ctx)
		if err != nil {
			a.opt.log.WarnContext(ctx, "count what is to be delivered", "err", err)
		}
		return floats(counts)
	})
	a.meter.Gauges("fairlead_events_dead", "Events that a sink did not take.", "sink", func() map[string]float64 { return floats(a.office.DeadCounts()) })
	return nil
}

// omicsEvents is the door of HealthOmics as the office sees it.
type omicsEvents struct{ *app }

// Tell implements [events.Others].
func (a omicsEvents) Tell(ctx context.Context, r flow.Run, e flow.Entry) ([]events.Told, bool, error) {
	all, known, err := a.omics.Events(ctx, r, e)
	told := make([]events.Told, len(all))
	for i, ev := range all {
		told[i] = toldOf(ev)
	}
	return told, known, err
}

// TellNotice implements [events.Others].
func (a omicsEvents) TellNotice(n flow.Notice) (events.Told, error) {
	ev, err := a.omics.NoticeEvent(n)
	return toldOf(ev), err
}

func toldOf(ev omics.Event) events.Told {
	return events.Told{
		Type: ev.Type, Source: omics.Source, ARN: ev.ARN, Detail: ev.Detail, Position: ev.Position, Move: ev.Move, Job: ev.Workflow, Task: ev.Task,
		Fault: ev.Fault,
	}
}

// resources are the rows of the door of HealthOmics, with the office told of
// what may have news.
type resources struct {
	*store.DB
	office *events.Office
}

// AddResource implements [omics.Resources].
func (s resources) AddResource(ctx context.Context, r flow.Resource, tok flow.Token, max int) (flow.Resource, bool, error) {
	made, created, err := s.DB.AddResource(ctx, r, tok, max)
	s.tell(made.Kind, made.ID, err)
	return made, created, err
}

// AddBatch implements [omics.Batches].
func (s resources) AddBatch(ctx context.Context, r flow.Resource, entries []flow.BatchEntry, tok flow.Token) (flow.Resource, bool, error) {
	made, created, err := s.DB.AddBatch(ctx, r, entries, tok)
	s.tell(made.Kind, made.ID, err)
	return made, created, err
}

// ChangeResource implements [omics.Resources].
func (s resources) ChangeResource(ctx context.Context, kind flow.ResourceKind, id string, change func(*flow.Resource) error) (flow.Resource, error) {
	r, err := s.DB.ChangeResource(ctx, kind, id, change)
	s.tell(kind, id, err)
	return r, err
}

// DeleteResource implements [omics.Resources].
func (s resources) DeleteResource(ctx context.Context, kind flow.ResourceKind, id string, check func(flow.Resource) error) error {
	err := s.DB.DeleteResource(ctx, kind, id, check)
	s.tell(kind, id, err)
	return err
}

func (s resources) tell(kind flow.ResourceKind, id string, err error) {
	if err == nil {
		s.office.Told(flow.Topic(kind, id))
	}
}

func floats[N int | int64](counts map[string]N) map[string]float64 {
	values := make(map[string]float64, len(counts))
	for name, n := range counts {
		values[name] = float64(n)
	}
	return values
}

// awsConfig configures the server's own calls of AWS: by its environment, at
// the endpoint of its settings.
func (a *app) awsConfig(ctx context.Context) (aws.Config, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithRegion(a.opt.region))
	if err != nil {
		return c, fmt.Errorf("configure calls of AWS: %w", err)
	}
	c.HTTPClient = transport.PlainBody(c.HTTPClient)
	if a.opt.aws != "" {
		c.BaseEndpoint = &a.opt.aws
	}
	return c, nil
}

// opsEvents is the office as the door of operations sees it.
type opsEvents struct{ *events.Office }

func (o opsEvents) Statuses(ctx context.Context) (any, error) { return o.Office.Statuses(ctx) }

func (o opsEvents) Dead(sink string, limit int) (any, error) { return o.Office.Dead(sink, limit) }

func eventsCommand() *cobra.Command {
	var c caller
	cmd := c.flags(&cobra.Command{
		Use:   "events",
		Short: "Show how the delivery of events stands",
		Long: `Shows the sinks of a running server: how many steps of runs each has not been
told of, what it did not take, and why. See docs/events.md.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.answer(cmd, "GET", "events", nil, printSinks)
		},
	})
	limit := 0
	dead := c.flags(&cobra.Command{
		Use: "dead SINK", Short: "List the events that a sink did not take", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "GET", "events/"+url.PathEscape(args[0])+"/dead?limit="+fmt.Sprint(limit), nil, printDead)
		},
	})
	dead.Flags().IntVar(&limit, "limit", 100, "how many at most")
	cmd.AddCommand(dead, c.flags(&cobra.Command{
		Use: "redrive SINK", Short: "Send them again, until one is not taken", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", "events/"+url.PathEscape(args[0])+"/redrive", map[string]string{"by": me()}, func(w io.Writer, got json.RawMessage) error {
				var out struct{ Delivered int }
				if err := json.Unmarshal(got, &out); err != nil {
					return err
				}
				fmt.Fprintf(w, "%d delivered\n", out.Delivered)
				return nil
			})
		},
	}))
	return cmd
}

func printSinks(w io.Writer, got json.RawMessage) error {
	var out struct{ Sinks []events.Status }
	if err := json.Unmarshal(got, &out); err != nil {
		return err
	}
	if len(out.Sinks) == 0 {
		fmt.Fprintln(w, "the server delivers events to nobody; see --events and --event-sink of fairlead serve")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SINK\tPENDING\tDEAD\tTO\t")
	for _, s := range out.Sinks {
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t\n", s.Sink, s.Pending, s.Dead, s.To)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range out.Sinks {
		if s.Failing > 0 {
			fmt.Fprintf(w, "%s: the next event of %d runs is not taken: %s (%s ago)\n", s.Sink, s.Failing, printable(s.Error), time.Since(s.At).Round(time.Second))
		}
	}
	return nil
}

func printDead(w io.Writer, got json.RawMessage) error {
	var out struct{ Letters []events.DeadLetter }
	if err := json.Unmarshal(got, &out); err != nil {
		return err
	}
	for _, d := range out.Letters {
		fmt.Fprintf(w, "%s  %s  run %s  %d tries: %s\n", d.At.Local().Format(time.DateTime), d.Kind, d.Run, d.Tries, printable(clipText(d.Error, 200)))
	}
	return nil
}
