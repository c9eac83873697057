package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // schedules name zones, and not every machine has them

	"github.com/spf13/cobra"

	"fairlead/internal/engine/cron"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

// compiler compiles definitions of the dialect.
type compiler struct {
	max int
	now time.Time // that relative dates count from; zero is the present
}

// compile returns what a definition means and all that is to be said of it.
func (c compiler) compile(src []byte, hasCode bool) (flow.Definition, []flow.Diagnostic) {
	now := c.now
	if now.IsZero() {
		now = time.Now()
	}
	return airflow.Compile(src, airflow.Options{
		Operators: operator.Default(),
		HasCode:   hasCode,
		Now:       now,
		MaxBytes:  c.max,
		CheckSchedule: func(expr string) error {
			_, err := cron.Parse(expr)
			return err
		},
	})
}

func checkCommand() *cobra.Command {
	var format string
	var code string
	var lenient bool
	cmd := &cobra.Command{
		Use:   "check FILE...",
		Short: "Say what the service would say of definitions",
		Long: `Reads each definition as MWAA Serverless would, and each that ends with .wdl
with all that it imports as HealthOmics would, as well as a zip or directory of
them, and prints everything that would be refused or ignored, with line and
column and what to write instead.
"-" reads YAML from standard input. Exits with 1 when one would be refused.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var all []airflow.FileDiagnostics
			refused := false
			if err := needCode(code); err != nil {
				return err
			}
			for _, name := range files {
				if isWDL(name) || isArchive(name) {
					check := checkWDL
					if !isWDL(name) {
						check = checkArchive
					}
					found, err := check(name, lenient)
					if err != nil {
						return err
					}
					all = append(all, found...)
					continue
				}
				src, err := readDefinition(name)
				if err != nil {
					return err
				}
				_, found := compiler{}.compile(src, code != "")
				all = append(all, airflow.FileDiagnostics{File: name, Source: src, Found: found})
			}
			for _, f := range all {
				refused = refused || slices.ContainsFunc(f.Found, func(d flow.Diagnostic) bool { return d.Severity == flow.Fault })
			}
			if err := printDiagnostics(cmd.OutOrStdout(), format, all); err != nil {
				return err
			}
			if refused {
				hintCode(cmd.ErrOrStderr(), all, code)
				return exitError(1)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text, json or github")
	cmd.Flags().StringVar(&code, "code", "", codeHelp)
	cmd.Flags().BoolVar(&lenient, "lenient", false, "read WDL as HealthOmics does for the engine WDL_LENIENT")
	return cmd
}

// codeHelp describes the flag that names a code package.
const codeHelp = "code package that comes with the workflow: a .py, .sh or .zip file, or a directory"

// needCode refuses a code package that is not there.
func needCode(path string) error {
	if path == "" {
		return nil
	}
	if _, err := os.Stat(path); err != nil {
		return usagef("--code: %v", err)
	}
	return nil
}

// hintCode names the flag to those whose definition was refused for want of a
// code package.
func hintCode(w io.Writer, all []airflow.FileDiagnostics, given string) {
	for _, f := range all {
		for _, d := range f.Found {
			if given == "" && strings.Contains(d.Fix, "code package") {
				fmt.Fprintln(w, "fairlead: name the code package with --code PATH")
				return
			}
		}
	}
}

func readDefinition(name string) ([]byte, error) {
	const most = 16 << 20 // far more than any dialect takes; only so that a wrong file does no harm
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	src, err := io.ReadAll(io.LimitReader(in, most+1))
	if err != nil {
		return nil, err // it names the file
	}
	if len(src) > most {
		return nil, fmt.Errorf("%s has more than %d bytes", name, most)
	}
	return src, nil
}

func printDiagnostics(w io.Writer, format string, all []airflow.FileDiagnostics) error {
	switch format {
	case "text":
		f, ok := w.(*os.File)
		return airflow.PrintText(w, all, ok && isTerminal(f))
	case "json":
		return airflow.PrintJSON(w, all)
	case "github":
		return airflow.PrintGitHub(w, all)
	}
	return usagef("--format %q: expected text, json or github", format)
}
