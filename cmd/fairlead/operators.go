package main

import (
	"encoding/json"
	"fmt"
	"io"
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
			return operator.Perform(cmd.Context(), os.Stdin, result, log)
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
