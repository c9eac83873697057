// Command fairlead runs Amazon MWAA Serverless workflows anywhere, by
// speaking the service's API to unmodified AWS clients.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	os.Exit(command(os.Args[1:]))
}

// An exitError ends the program with a status and no further word.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// command runs one command line and returns the exit status: 0 for success,
// 1 for failure, 2 for wrong usage.
func command(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends what does not heed the first
	root := rootCommand()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitError](err); ok {
		return int(code)
	}
	fmt.Fprintf(os.Stderr, "fairlead: %v\n", err)
	if _, ok := errors.AsType[*usageError](err); ok || misused(err.Error()) {
		return 2
	}
	return 1
}

// misused reports whether a text is one of cobra's about wrong usage, which
// have no type.
func misused(text string) bool {
	for _, begin := range []string{"unknown command", "unknown flag", "accepts ", "requires "} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

// A usageError is a command line that makes no sense.
type usageError struct{ error }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...)}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fairlead",
		Short: "Run MWAA Serverless workflows anywhere",
		Long: `Fairlead runs Amazon MWAA Serverless workflows (Airflow-style YAML) on this
machine and speaks the service's API, so that the AWS CLI and SDKs work
unchanged when AWS_ENDPOINT_URL points here.

  fairlead demo              the whole thing, once, with an example
  fairlead serve             the API on http://127.0.0.1:8400
  eval "$(fairlead env)"     point AWS clients in this shell at it
  fairlead check FILE...     what the service would say of a definition
  fairlead run FILE          run one definition without a server
  fairlead test [FILE...]    test workflows under a virtual clock

Every flag can be set by an environment variable: --task-memory by
FAIRLEAD_TASK_MEMORY.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd)
		},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(
		demoCommand(), serveCommand(), envCommand(), runCommand(), checkCommand(),
		operatorsCommand(), versionCommand(), operatorChild(), renderTexts(),
		secretCommand(), doctorCommand(), consoleCommand(),
		renderCommand(),
		nextCommand(),
		testCommand(),
		schemaCommand(),
		explainCommand(), eventsCommand(), topCommand(),
		whyCommand(), clearCommand(), retryCommand(), markCommand(), rerunCommand(), backfillCommand(),
		pauseCommand("pause", "Begin nothing new of a workflow, or of all", `Keeps a workflow, or everything, from beginning anything: what runs goes on to
its end, its runs and tasks wait, and slots of its schedule pass.`),
		pauseCommand("resume", "End a pause", `Ends a pause: what waits begins. Slots that passed meanwhile stay passed; see
fairlead backfill.`),
	)
	return root
}

// flagsFromEnv sets each flag that the command line leaves alone and the
// environment names.
func flagsFromEnv(cmd *cobra.Command) error {
	var failed error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "FAIRLEAD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || f.Changed || failed != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			failed = usagef("%s=%q: %v", name, value, err)
		}
	})
	return failed
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintln(cmd.OutOrStdout(), "fairlead "+version())
		},
	}
}

// version is that of the module, or of the commit in a checkout.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && (v == "" || v == "(devel)") {
			v = "devel " + s.Value[:min(12, len(s.Value))]
		}
	}
	if v == "" {
		v = "devel"
	}
	return v + " " + info.GoVersion
}
