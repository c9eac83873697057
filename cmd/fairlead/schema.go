package main

import (
	"os"

	"github.com/spf13/cobra"

	"fairlead/internal/lang/airflow"
	"fairlead/internal/operator"
)

func schemaCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "schema",
		Short: "Print a JSON Schema of definitions, for editors",
		Long: `Prints a JSON Schema of definitions, with every operator and its arguments.
Editors with a YAML language server complete and check against it a file that
begins with

  # yaml-language-server: $schema=fairlead.schema.json

It knows less than fairlead check, which also sees what a schema cannot say,
such as a dependency on a task that is not there.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			schema := airflow.JSONSchema(operator.Default().Specs())
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
