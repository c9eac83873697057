package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/spf13/cobra"

	"fairlead/internal/ops"
)

// A caller asks a running server for what AWS has no operation for.
type caller struct {
	data string // directory of the server
	json bool
}

func (c *caller) flags(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&c.data, "data", defaultDataDir(), "directory of the server")
	cmd.Flags().BoolVar(&c.json, "json", false, "print the server's answer as it is")
	return cmd
}

// call sends a signed request and returns the answer.
func (c *caller) call(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	d := dataDir(c.data)
	var key credential
	if err := d.read("credentials.json", &key); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s has no server yet: start one with fairlead serve, or name its directory with --data", c.data)
		}
		return nil, err
	}
	info := serverInfo{Endpoint: "http://" + defaultListen, Region: defaultRegion}
	if err := d.read("server.json", &info); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, info.Endpoint+ops.Prefix+path, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: key.AccessKey, SecretAccessKey: key.SecretKey}, r,
		hex.EncodeToString(sum[:]), ops.Service, info.Region, time.Now()); err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			return nil, fmt.Errorf("no server answers at %s: start one with fairlead serve (%w)", info.Endpoint, op)
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("interrupted; the server at %s may have done what was asked", info.Endpoint)
		}
		return nil, fmt.Errorf("the server at %s went away before it answered; it may have done what was asked (%w)", info.Endpoint, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		var said struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(answer, &said) != nil || said.Error == "" {
			said.Error = resp.Status
		}
		return nil, errors.New(said.Error)
	}
	return answer, nil
}

// answer calls and prints what came back: as it is, or by show.
func (c *caller) answer(cmd *cobra.Command, method, path string, body any, show func(io.Writer, json.RawMessage) error) error {
	got, err := c.call(cmd.Context(), method, path, body)
	if err != nil {
		return err
	}
	if c.json {
		_, err = cmd.OutOrStdout().Write(got)
		return err
	}
	return show(cmd.OutOrStdout(), got)
}

// me is who sits at this terminal.
func me() string {
	name := "somebody"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		return name
	}
	return name + "@" + host
}

// A runLine is what the server says of a run.
type runLine struct {
	Run    string
	State  string
	Reason string
	Paused bool
	By     string
}

func showRun(w io.Writer, raw json.RawMessage) error {
	var r runLine
	if err := json.Unmarshal(raw, &r); err != nil {
		return err
	}
	line := "run " + r.Run + " is " + r.State
	if r.Paused {
		line += " (paused)"
	}
	if r.Reason != "" {
		line += ": " + r.Reason
	}
	if r.By != "" {
		line += "; asked for by " + r.By
	}
	_, err := fmt.Fprintln(w, printable(line))
	return err
}

// clock shows a moment where the reader is, and says where that is.
const clock = "2006-01-02 15:04:05 MST"

func runPath(run, verb string) string { return "runs/" + url.PathEscape(run) + "/" + verb }

func clearCommand() *cobra.Command {
	var c caller
	var downstream, failed bool
	cmd := &cobra.Command{
		Use:   "clear RUN [TASK...]",
		Short: "Do tasks of a run again",
		Long: `Does the named tasks of a run again, as if they had not been done: attempts go
on counting, retries are whole again. A task that is under way is ended first.
A run that has ended goes on.

  fairlead clear RUN load                what failed stays failed after it
  fairlead clear RUN load --downstream   load and all that comes after it
  fairlead clear RUN --failed            what failed, was blocked or was canceled

In runs of WDL --downstream is needed, and what others have unfolded from, such
as the list of a scatter, cannot be done again.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && !failed {
				return usagef("clear needs the names of tasks, or --failed")
			}
			return c.answer(cmd, "POST", runPath(args[0], "clear"),
				map[string]any{"tasks": args[1:], "failed": failed, "downstream": downstream, "by": me()}, showRun)
		},
	}
	cmd.Flags().BoolVar(&downstream, "downstream", false, "also all tasks that come after them")
	cmd.Flags().BoolVar(&failed, "failed", false, "every task that failed, was blocked or was canceled")
	return c.flags(cmd)
}

func retryCommand() *cobra.Command {
	var c caller
	return c.flags(&cobra.Command{
		Use:   "retry RUN",
		Short: "Go on with a run from its failures",
		Long: `Does again what failed in a run, was blocked or was canceled, and all that
comes after it. What succeeded before stays, with what it published. A run that
was stopped goes on, too.

In runs of WDL what has unfolded stays: a scatter goes on with the calls that it
has. What is complete has no retry; see fairlead rerun.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", runPath(args[0], "retry"), map[string]any{"by": me()}, showRun)
		},
	})
}

func markCommand() *cobra.Command {
	var c caller
	return c.flags(&cobra.Command{
		Use:   "mark RUN TASK success|failed|skipped",
		Short: "Decide how a task has ended",
		Long: `Sets how a task has ended, whatever it did; an attempt that is under way is
ended first. After a task that is marked success, what failed or was blocked is
done again, as in Airflow. A task of WDL can be marked failed alone: what comes
after it needs what it gives.`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.answer(cmd, "POST", runPath(args[0], "mark"), map[string]any{"task": args[1], "state": args[2], "by": me()}, showRun)
		},
	})
}

func rerunCommand() *cobra.Command {
	var c caller
	var params string
	var latest bool
	cmd := &cobra.Command{
		Use:   "rerun RUN",
		Short: "Start a run like another",
		Long: `Starts a new run of the same workflow and version, with the same parameters or
with others:

  fairlead rerun RUN
  fairlead rerun RUN --params '{"day": "monday"}' --latest`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			body := map[string]any{"latest": latest, "by": me()}
			if params != "" {
				if !json.Valid([]byte(params)) {
					return usagef("--params: expected a JSON object, such as '{\"day\": \"monday\"}'")
				}
				body["params"] = json.RawMessage(params)
			}
			return c.answer(cmd, "POST", runPath(args[0], "rerun"), body, showRun)
		},
	}
	cmd.Flags().StringVar(&params, "params", "", "parameters instead of the first run's: a JSON object")
	cmd.Flags().BoolVar(&latest, "latest", false, "take the workflow's latest version")
	return c.flags(cmd)
}

func pauseCommand(verb, short, long string) *cobra.Command {
	var c caller
	var all bool
	cmd := &cobra.Command{
		Use:   verb + " [WORKFLOW]",
		Short: short,
		Long:  long,
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := verb
			switch {
			case all == (len(args) == 1):
				return usagef("%s needs the name of a workflow, or --all", verb)
			case !all:
				path = "workflows/" + url.PathEscape(args[0]) + "/" + verb
			}
			return c.answer(cmd, "POST", path, map[string]any{"by": me()}, showPauses)
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "everything")
	return c.flags(cmd)
}

func showPauses(w io.Writer, raw json.RawMessage) error {
	var got struct {
		Pauses []struct {
			Workflow, By string
			Since        time.Time
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if len(got.Pauses) == 0 {
		_, err := fmt.Fprintln(w, "nothing is paused")
		return err
	}
	for _, p := range got.Pauses {
		name := cmp.Or(p.Workflow, "everything")
		fmt.Fprintln(w, printable(fmt.Sprintf("%s is paused since %s by %s", name, p.Since.Local().Format(clock), p.By)))
	}
	return nil
}

func backfillCommand() *cobra.Command {
	var c caller
	var from, to string
	var dry bool
	cmd := &cobra.Command{
		Use:   "backfill WORKFLOW --from DATE --to DATE",
		Short: "Run a workflow for the slots of a past range",
		Long: `Starts a run for each slot of the workflow's schedule in the range, both ends
included, that has none yet; those still to come are left to the schedule. No
more than max_active_runs are under way at once. Asking again begins only what
is missing.

  fairlead backfill daily-etl --from 2026-03-01 --to 2026-03-31 --dry-run`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			begin, err := moment(from, false)
			if err != nil {
				return usagef("--from %q: %v", from, err)
			}
			end, err := moment(to, true)
			if err != nil {
				return usagef("--to %q: %v", to, err)
			}
			return c.answer(cmd, "POST", "workflows/"+url.PathEscape(args[0])+"/backfill",
				map[string]any{"from": begin, "to": end, "dry": dry, "by": me()}, func(w io.Writer, raw json.RawMessage) error {
					return showSlots(w, raw, dry)
				})
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "first day or moment, such as 2026-03-01 or 2026-03-01T06:00:00Z")
	cmd.Flags().StringVar(&to, "to", "", "last day or moment; a day counts to its end")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only list the slots")
	return c.flags(cmd)
}

// moment reads a day or a moment in UTC. A day stands for its first moment, or
// with end for its last.
func moment(text string, end bool) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		if end {
			t = t.AddDate(0, 0, 1).Add(-time.Microsecond)
		}
		return t, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, errors.New("expected a day such as 2026-03-01, or a moment such as 2026-03-01T06:00:00Z")
	}
	return t, nil
}

func showSlots(w io.Writer, raw json.RawMessage, dry bool) error {
	var got struct {
		Begun int
		Slots []struct {
			At  time.Time
			Run string
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	for _, s := range got.Slots {
		note := s.Run
		if note == "" && !dry {
			note = "has a run already"
		}
		fmt.Fprintln(w, strings.TrimSpace(s.At.UTC().Format(time.RFC3339)+"  "+note))
	}
	if dry {
		_, err := fmt.Fprintf(w, "%s; nothing was started\n", several(len(got.Slots), "slot"))
		return err
	}
	_, err := fmt.Fprintf(w, "%s started for %s\n", several(got.Begun, "run"), several(len(got.Slots), "slot"))
	return err
}

// several counts things by the name of one.
func several(n int, one string) string {
	if n != 1 {
		one += "s"
	}
	return fmt.Sprintf("%d %s", n, one)
}

func whyCommand() *cobra.Command {
	var c caller
	return c.flags(&cobra.Command{
		Use:   "why [RUN [TASK] | WORKFLOW]",
		Short: "Say what a run, a task or a workflow waits for",
		Long: `Says what has not ended waits for, by which gate, until when, and what opens it.

  fairlead why              what is paused, and every run that has not ended
  fairlead why WORKFLOW     its next run by itself, and its runs that have not ended
  fairlead why RUN          the run and its tasks
  fairlead why RUN TASK     one task, and what is behind those that it waits for

A task of WDL is named as here, or as HealthOmics lists it, by name or id.
docs/operations.md lists the gates.`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if slices.Contains(args, "") {
				return usagef("why needs the name of a run, task or workflow, not an empty one")
			}
			workflow := func() string { return "workflows/" + url.PathEscape(args[0]) + "/why" }
			switch len(args) {
			case 0:
				return c.answer(cmd, "GET", "why", nil, showWhyAll)
			case 2:
				err := c.answer(cmd, "GET", "runs/"+url.PathEscape(args[0])+"/tasks/"+url.PathEscape(args[1])+"/why", nil, showWhyTask)
				if err == nil || !strings.Contains(err.Error(), "does not exist") {
					return err
				}
				if _, other := c.call(cmd.Context(), "GET", workflow(), nil); other != nil {
					return err
				}
				return fmt.Errorf("%s is a workflow, and tasks are those of a run: fairlead why %s names its runs", args[0], args[0])
			}
			err := c.answer(cmd, "GET", runPath(args[0], "why"), nil, showWhy)
			if err != nil && strings.Contains(err.Error(), "does not exist") {
				// It may be a workflow that was named.
				if err := c.answer(cmd, "GET", workflow(), nil, showWhyWorkflow); err != nil {
					return fmt.Errorf("there is no run %s, and %w", args[0], err)
				}
				return nil
			}
			return err
		},
	})
}

// A waitLine is what the server says of a wait.
type waitLine struct {
	Gate, Reason string
	Until        time.Time
}

func (l waitLine) String() string {
	s := l.Reason
	if l.Gate != "" {
		s = l.Gate + ": " + s
	}
	if !l.Until.IsZero() {
		s += ", at " + l.Until.Local().Format(clock)
		if left := time.Until(l.Until).Round(time.Second); left > 0 {
			s += fmt.Sprintf(" (in %s)", left)
		}
	}
	return printable(s)
}

func showWhy(w io.Writer, raw json.RawMessage) error {
	var got struct {
		runLine
		Wait  *waitLine
		More  int
		Tasks []struct {
			Task, State string
			waitLine
		}
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if err := showRun(w, raw); err != nil || got.Wait == nil {
		return err
	}
	fmt.Fprintln(w, *got.Wait)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, k := range got.Tasks {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", printable(k.Task), k.State, k.waitLine)
	}
	if got.More > 0 {
		fmt.Fprintf(t, "  and %d more\t\t\n", got.More)
	}
	return t.Flush()
}

func showWhyTask(w io.Writer, raw json.RawMessage) error {
	var got struct {
		Task, State, Reason string
		Wait                *waitLine
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	line := "task " + got.Task + " is " + cmp.Or(got.State, "waiting")
	switch {
	case got.Wait != nil:
		line += "; " + got.Wait.String()
	case got.Reason != "":
		line += ": " + got.Reason
	}
	_, err := fmt.Fprintln(w, printable(line))
	return err
}

// unfinishedRuns are runs with what they wait for.
type unfinishedRuns struct {
	Runs []struct {
		Run, Workflow, State string
		Wait                 waitLine
	}
	More int
}

// show lists the runs, with their workflows if it is told to.
func (u unfinishedRuns) show(w io.Writer, workflows bool) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range u.Runs {
		if workflows {
			fmt.Fprintf(t, "%s\t", printable(r.Workflow))
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\n", printable(r.Run), r.State, r.Wait)
	}
	if u.More > 0 {
		fmt.Fprintf(t, "  and %s more\n", several(u.More, "run"))
	}
	return t.Flush()
}

func showWhyWorkflow(w io.Writer, raw json.RawMessage) error {
	var got struct {
		Name string
		Wait waitLine
		unfinishedRuns
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, printable("workflow "+got.Name)+"; "+got.Wait.String()); err != nil {
		return err
	}
	return got.show(w, false)
}

func showWhyAll(w io.Writer, raw json.RawMessage) error {
	var got struct {
		Pauses []json.RawMessage
		unfinishedRuns
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		return err
	}
	if len(got.Pauses) > 0 {
		if err := showPauses(w, raw); err != nil {
			return err
		}
	}
	if len(got.Runs) == 0 {
		_, err := fmt.Fprintln(w, "every run has ended")
		return err
	}
	return got.show(w, true)
}
