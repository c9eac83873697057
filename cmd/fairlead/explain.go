package main

import (
	"encoding/json"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fairlead/internal/conductor"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

func explainCommand() *cobra.Command {
	var format string
	var code string
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: "Say what a definition means, or draw its graph",
		Long: `Prints the tasks of a definition in the order of its graph, with all that
defaults fill in, its schedule in words and its next fires, its params and what
of it has no effect. --format svg and mermaid draw the graph.

"-" reads standard input. A definition that would be refused is not explained:
its faults are printed as by check, and the exit status is 1.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write, ok := map[string]func(io.Writer, airflow.Explanation) error{
				"text": writeText, "json": writeJSON, "mermaid": writeMermaid, "svg": writeSVG,
			}[format]
			if !ok {
				return usagef("--format %q: expected text, json, svg or mermaid", format)
			}
			if err := needCode(code); err != nil {
				return err
			}
			src, err := readDefinition(args[0])
			if err != nil {
				return err
			}
			def, found := compiler{}.compile(src, code != "")
			if slices.ContainsFunc(found, func(d flow.Diagnostic) bool { return d.Severity == flow.Fault }) {
				// To standard error, so that no fault ends up in a picture.
				all := []airflow.FileDiagnostics{{File: args[0], Source: src, Found: found}}
				if err := printDiagnostics(cmd.ErrOrStderr(), "text", all); err != nil {
					return err
				}
				return exitError(1)
			}
			next, err := nextFires(def.Schedule, time.Now(), 3)
			if err != nil {
				return err
			}
			x, err := airflow.Explain(def, found, next, operator.Default().Implemented)
			if err != nil {
				return err
			}
			return write(cmd.OutOrStdout(), x)
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json, svg or mermaid")
	cmd.Flags().StringVar(&code, "code", "", codeHelp)
	return cmd
}

// nextFires returns the next n fires of a schedule, in its zone; none
// without a schedule.
func nextFires(s *flow.Schedule, after time.Time, n int) ([]time.Time, error) {
	var fires []time.Time
	for s != nil && len(fires) < n {
		next, err := conductor.NextFire(s, after)
		if err != nil {
			return nil, err
		}
		if next.IsZero() {
			break
		}
		fires, after = append(fires, next), next
	}
	return fires, nil
}

func writeText(w io.Writer, x airflow.Explanation) error {
	_, err := io.WriteString(w, x.Text())
	return err
}

func writeJSON(w io.Writer, x airflow.Explanation) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(x)
}

func writeMermaid(w io.Writer, x airflow.Explanation) error {
	_, err := io.WriteString(w, x.Mermaid())
	return err
}
