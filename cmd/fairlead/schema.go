package main

import (
	"os"
	"slices"

	"github.com/spf13/cobra"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
	"fairlead/internal/rehearsal"
)

func schemaCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "schema [definition|test]",
		Short: "Print a JSON Schema of definitions or of their tests, for editors",
		Long: `Prints a JSON Schema of definitions, with every operator and its arguments, or
of the files that fairlead test plays.
Editors with a YAML language server complete and check against it a file that
begins with

  # yaml-language-server: $schema=fairlead.schema.json

It knows less than fairlead check and test, which also see what a schema cannot
say, such as a dependency on a task that is not there.`,
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"definition", "test"},
		RunE: func(cmd *cobra.Command, args []string) error {
			schema := []byte(airflow.JSONSchema(operator.Default().Specs()))
			if slices.Equal(args, []string{"test"}) {
				schema = rehearsal.JSONSchema()
			}
			if file != "" {
				return os.WriteFile(file, schema, 0o644)
			}
			_, err := cmd.OutOrStdout().Write(schema)
			return err
		},
	}
	cmd.Flags().StringVar(&file, "out", "", "write it to a file")
	return cmd
}
