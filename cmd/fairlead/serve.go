package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"fairlead/internal/ebb"
)

func serveCommand() *cobra.Command {
	opt := defaultOptions()
	logFormat, logLevel := "text", slog.LevelInfo
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the API",
		Long: `Serves MWAA Serverless, a small S3, CloudWatch Logs reads and STS on one port,
and runs workflows. Everything is kept in one directory. Tasks outlive the
server: stop it, start it again, and they are taken up.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(cmd.ErrOrStderr(), logFormat, logLevel)
			if err != nil {
				return err
			}
			opt.log = log
			a, err := start(opt)
			if err != nil {
				return err
			}
			greet(cmd.Context(), cmd.OutOrStdout(), a)
			ctx, ebbs := context.WithCancel(cmd.Context())
			var tide sync.WaitGroup
			tide.Go(func() { ebb.Tide(ctx) })
			defer tide.Wait()
			defer ebbs()
			if err := a.wait(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "stopping; tasks that run go on, the next server takes them up")
			return a.close()
		},
	}
	serverFlags(cmd, &opt)
	cmd.Flags().StringVar(&opt.listen, "listen", opt.listen, "address to listen on")
	cmd.Flags().StringVar((*string)(&opt.data), "data", string(opt.data), "directory that keeps everything")
	cmd.Flags().BoolVar(&opt.anonymous, "anonymous", false, "accept every request, however it is signed; on loopback addresses only")
	cmd.Flags().BoolVar(&opt.strict, "strict-region", false, "refuse signatures for another region than --region")
	cmd.Flags().StringVar(&opt.database, "database", "", "postgres:// URL, or another SQLite file than the one in --data")
	cmd.Flags().BoolVar(&opt.localFiles, "local-files", false, "let runs of HealthOmics read and write files of this machine as file:///PATH")
	cmd.Flags().BoolVar(&opt.partial, "partial-outputs", opt.partial, "of runs of HealthOmics that fail or are cancelled, publish the outputs that are finished")
	cmd.Flags().BoolVar(&opt.lenient, "bare-names", false, "accept a workflow's name where its ARN is expected")
	cmd.Flags().IntVar(&opt.running, "running", 0, "how many runs are under way at once, of all workflows; more queue; 0 is no bound")
	cmd.Flags().DurationVar(&opt.retention, "retention", 0, "remove runs, and their logs, this long after their end; 0 keeps them")
	cmd.Flags().StringSliceVar(&opt.hosts, "console-host", nil, "name, without port, under which browsers reach the console from elsewhere; may be repeated")
	cmd.Flags().BoolVar(&opt.readOnly, "console-read-only", false, "let the console show everything and change nothing")
	cmd.Flags().StringVar(&logFormat, "log", logFormat, "form of the server's own log: text or json")
	cmd.Flags().TextVar(&logLevel, "log-level", logLevel, "least level of the server's own log: debug, info, warn or error")
	cmd.Flags().BoolVar(&opt.schedulerLog, "scheduler-log", false, "write for each run why its tasks began when they did, as a log stream, which the service does not have")
	cmd.Flags().StringVar(&opt.otlp, "otlp-endpoint", "", "send traces to the collector at this URL, such as http://127.0.0.1:4318; OTEL_EXPORTER_OTLP_ENDPOINT otherwise")
	cmd.Flags().StringVar(&opt.events, "events", "", "file of sinks that events are delivered to; events.json in --data otherwise")
	cmd.Flags().Var(&opt.eventSinks, "event-sink", "deliver events to NAME=TO, such as audit=file:///var/log/runs.jsonl; may be repeated")
	cmd.Flags().StringVar(&opt.pprof, "pprof", "", "serve Go's profiles at this loopback address, such as 127.0.0.1:6060")
	return cmd
}

// driverFlags say what tasks run in.
func driverFlags(cmd *cobra.Command, opt *options) {
	f := cmd.Flags()
	f.StringVar(&opt.driver, "driver", opt.driver, "what tasks run in: sandbox, or container, of the engine that DOCKER_HOST names")
	f.StringVar(&opt.gpuCount, "gpus", opt.gpuCount, gpusUsage)
	f.StringVar(&opt.image, "image", "", "with --driver container, image of tasks whose workflow has no tag fairlead:image")
}

// serverFlags are those that every command with a server in it has.
func serverFlags(cmd *cobra.Command, opt *options) {
	f := cmd.Flags()
	f.StringVar(&opt.region, "region", opt.region, "region in ARNs, and of tasks")
	f.StringVar(&opt.account, "account", opt.account, "account in ARNs: 12 digits")
	f.StringVar(&opt.s3, "s3-endpoint", "", "use the S3 at this URL instead of the built-in one")
	f.StringVar(&opt.aws, "aws-endpoint", "", "URL that tasks call for AWS services other than the built-in ones; AWS_ENDPOINT_URL_<SERVICE> names one's own")
	f.StringVar(&opt.python, "python", opt.python, "interpreter of PythonOperator")
	f.StringVar(&opt.network, "network", opt.network, "network of tasks whose workflow has no tag fairlead:network: host, endpoints or none")
	f.StringVar(&opt.isolation, "isolation", opt.isolation, isolationUsage)
	driverFlags(cmd, opt)
	f.StringVar(&opt.roles, "roles", "", "file of roles: what tasks may do here, or the real role that they assume; roles.json in --data otherwise")
	f.BoolVar(&opt.strictRoles, "strict-roles", false, "refuse workflows whose role has no entry in the file of roles")
	f.DurationVar(&opt.credentialLife, "credential-life", opt.credentialLife, "how long credentials of a task are good for; SDKs ask for new ones in time")
	f.IntVar(&opt.tasks, "tasks", opt.tasks, "how many task processes run at once")
	f.Var((*bytesFlag)(&opt.memory), "task-memory", "memory of one task, such as 512MiB; 0 is no bound")
	f.Var((*bytesFlag)(&opt.disk), "task-disk", "disk of one task, work directory and /tmp, such as 10GiB; 0 is no bound")
	f.Float64Var(&opt.cpus, "task-cpus", opt.cpus, "cores of one task; 0 is no bound")
	f.BoolVar(&opt.skipped, "show-skipped", false, "show skipped tasks as SKIPPED, which the API does not have, instead of NONE")
	f.BoolVar(&opt.extras, "template-extras", false, "offer run_id, logical_date and dag_run to templates, which the service does not document")
	f.BoolVar(&opt.verdict, "strict-verdict", false, "fail a run when any of its tasks fails, and not only when a last one does")
	f.Var(opt.limits, "limit", "quotas by name, such as workflows=100,versions=50; 0 is no bound")
}

func newLog(w io.Writer, format string, level slog.Level) (*slog.Logger, error) {
	set := &slog.HandlerOptions{Level: level}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, set)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, set)), nil
	}
	return nil, usagef("--log %q: expected text or json", format)
}

// greet says where everything is and what holds tasks.
func greet(ctx context.Context, w io.Writer, a *app) {
	fmt.Fprintf(w, "fairlead %s\n", version())
	fmt.Fprintf(w, "  API      %s\n", a.info.Endpoint)
	fmt.Fprintf(w, "  console  %s\n", a.consoleLink())
	fmt.Fprintf(w, "  data     %s\n", a.opt.data)
	env := "fairlead env"
	if a.opt.data != dataDir(defaultDataDir()) {
		env += " --data " + string(a.opt.data)
	}
	if self, err := os.Executable(); err == nil && strings.Contains(self, "go-build") {
		env = strings.Replace(env, "fairlead", "go run ./cmd/fairlead", 1)
	}
	fmt.Fprintf(w, "  clients  eval \"$(%s)\"\n", env)
	describeCage(ctx, w, a)
	if a.opt.anonymous {
		fmt.Fprintln(w, "  ! signatures are not checked: whoever is on this machine may do anything")
	}
}

// describeCage says which means hold tasks on this machine, and which do not.
func describeCage(ctx context.Context, w io.Writer, a *app) {
	report, err := a.driver.Probe(ctx)
	if err != nil {
		fmt.Fprintf(w, "  ! tasks cannot be isolated: %v\n", err)
		return
	}
	var in, out []string
	for _, m := range report.Measures {
		if m.InUse {
			in = append(in, m.Name)
		} else {
			out = append(out, m.Name+": "+clipText(m.How, 120))
		}
	}
	fmt.Fprintf(w, "  tasks    held by %s\n", strings.Join(in, ", "))
	for _, m := range out {
		fmt.Fprintf(w, "           without %s\n", m)
	}
}
