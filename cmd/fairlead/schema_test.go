package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestSchemaCommand(t *testing.T) {
	out, _, err := try("", "schema")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "fairlead.schema.json")
	if printed, _, err := try("", "schema", "--out", file); err != nil || printed != "" {
		t.Fatalf("schema --out: printed %q, %v, want nothing", printed, err)
	}
	written, err := os.ReadFile(file)
	if err != nil || string(written) != out {
		t.Errorf("schema --out wrote %d bytes, %v; without, it prints %d", len(written), err, len(out))
	}
	if _, err := jsonschema.NewCompiler().Compile(file); err != nil {
		t.Errorf("the schema is not valid: %v", err)
	}
	if tests, _, err := try("", "schema", "test"); err != nil || tests == out {
		t.Errorf("schema test: %v, %d bytes as of definitions", err, len(tests))
	}
	if named, _, err := try("", "schema", "definition"); err != nil || named != out {
		t.Errorf("schema definition: %v, %d bytes, want those of schema", err, len(named))
	}
	if _, _, err := try("", "schema", "tset"); err == nil {
		t.Error("schema tset: no error")
	}
	if _, _, err := try("", "schema", "--out", filepath.Join(file, "x")); err == nil {
		t.Error("schema --out below a file: no error")
	}
}
