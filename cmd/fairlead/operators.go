package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

func operatorsCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "operators [NAME]",
		Short: "List the operators, or show what one takes",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			table := operator.Default()
			specs := table.Specs()
			if len(args) == 1 {
				specs = slices.DeleteFunc(specs, func(s *operator.Spec) bool {
					return !strings.EqualFold(s.Class, args[0]) && !slices.Contains(s.Paths, args[0])
				})
				if near := table.Nearest(args[0]); len(specs) == 0 && near != "" {
					return fmt.Errorf("no operator %q; the nearest is %s", args[0], near)
				} else if len(specs) == 0 {
					return fmt.Errorf("no operator %q: `fairlead operators` lists them", args[0])
				}
			}
			out := cmd.OutOrStdout()
			switch {
			case format == "json":
				e := json.NewEncoder(out)
				e.SetIndent("", "  ")
				return e.Encode(specs)
			case format != "text":
				return usagef("--format %q: expected text or json", format)
			case len(args) == 1:
				for _, s := range specs {
					showOperator(out, table, s)
				}
			default:
				listOperators(out, table, specs)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", "text or json")
	return cmd
}

func listOperators(out io.Writer, table *operator.Table, specs []*operator.Spec) {
	service, runs := "", 0
	for _, s := range specs {
		if s.Service != service {
			service = s.Service
			fmt.Fprintf(out, "%s\n", service)
		}
		note := "  accepted; this version cannot run it"
		if table.Implemented(s.Paths[0]) {
			note = ""
			runs++
		}
		if s.Abstract {
			note = "  abstract"
		}
		fmt.Fprintf(out, "  %-55s%s\n", s.Class, note)
	}
	fmt.Fprintf(out, "\n%d operators and sensors, %d of which run here. `fairlead operators NAME` shows one.\n", len(specs), runs)
}

func showOperator(out io.Writer, table *operator.Table, s *operator.Spec) {
	fmt.Fprintln(out, s.Class)
	for _, p := range s.Paths {
		fmt.Fprintln(out, "  "+p)
	}
	if !table.Implemented(s.Paths[0]) && !s.Abstract {
		fmt.Fprintln(out, "  accepted in definitions; this version cannot run it")
	}
	for _, a := range s.Args {
		var notes []string
		if a.Required {
			notes = append(notes, "required")
		}
		if a.Template {
			notes = append(notes, "template")
		}
		if len(a.Default) > 0 {
			notes = append(notes, "default "+string(a.Default))
		}
		fmt.Fprintf(out, "    %-28s %-14s %s\n", a.Name, a.Type, strings.Join(notes, ", "))
	}
	showSteps(out, "does", s.Do)
	if s.Output != nil {
		fmt.Fprintf(out, "  returns   %s\n", compact(s.Output))
	}
	for _, k := range slices.Sorted(maps.Keys(s.Push)) {
		fmt.Fprintf(out, "  publishes %s: %s\n", k, compact(s.Push[k]))
	}
	showSteps(out, "when stopped", s.Cancel)
	if len(s.IAM) > 0 {
		fmt.Fprintf(out, "  its role needs\n    %s\n", strings.Join(s.IAM, "\n    "))
	}
}

// showSteps prints what an operator does, one line a step.
func showSteps(out io.Writer, title string, steps []operator.Step) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintf(out, "  %s\n", title)
	for _, s := range steps {
		when := ""
		if s.If != nil {
			when = "  if " + compact(s.If)
		}
		switch {
		case s.Call != "":
			fmt.Fprintf(out, "    call %s %s%s\n", s.Call, compact(s.Input), when)
		case s.Wait != nil:
			showLook(out, "wait for", s.Wait, when)
		case s.Look != nil:
			showLook(out, "look at", s.Look, when)
		case s.Fail != "":
			fmt.Fprintf(out, "    fail %q%s\n", s.Fail, when)
		case s.Push != nil:
			fmt.Fprintf(out, "    publish %s%s\n", compact(s.Push), when)
		case s.Code != "":
			fmt.Fprintf(out, "    %s%s\n", s.Code, when)
		}
	}
}

func showLook(out io.Writer, verb string, l *operator.Look, when string) {
	fmt.Fprintf(out, "    %s %s%s%s\n", verb, l.Call, l.Code, when)
	if l.Delay != nil {
		fmt.Fprintf(out, "      every %s s", compact(l.Delay))
		if l.Tries != nil {
			fmt.Fprintf(out, ", at most %s times", compact(l.Tries))
		}
		fmt.Fprintln(out)
	}
	for _, a := range l.Accept {
		what := "anything else"
		switch {
		case a.Path != "":
			what = a.Path + " = " + compact(a.Is)
		case a.Error != nil:
			what = "error " + compact(a.Error)
		case a.If != nil:
			what = compact(a.If)
		}
		fmt.Fprintf(out, "      %s: %s\n", a.Then, what)
	}
}

// compact is a value of the operators' data on one line.
func compact(v any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(b.String())
}

// operatorChild is what a task's process runs when its operator calls AWS.
func operatorChild() *cobra.Command {
	return &cobra.Command{
		Use:    "operator",
		Short:  "Carry out one operator call from standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, err := inherited("FAIRLEAD_RESULT_FD")
			if err != nil {
				return err
			}
			log, err := inherited("FAIRLEAD_LOG_FD")
			if err != nil {
				return err
			}
			ctx, flush := childTraces(cmd.Context())
			defer flush()
			return operator.Perform(ctx, os.Stdin, result, log)
		},
	}
}

// renderTexts is what a process runs whose operator, a class of the code
// package, has template fields.
func renderTexts() *cobra.Command {
	return &cobra.Command{
		Use:    "render-texts",
		Short:  "Render templates from standard input",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return airflow.RenderTexts(os.Stdin, cmd.OutOrStdout())
		},
	}
}

// inherited opens the descriptor that the environment names.
func inherited(name string) (*os.File, error) {
	var fd uint
	if _, err := fmt.Sscanf(os.Getenv(name), "%d", &fd); err != nil {
		return nil, usagef("%s does not name a descriptor: this command is for task processes", name)
	}
	return os.NewFile(uintptr(fd), name), nil
}
