package sandbox_test

import (
	"testing"

	"fairlead/internal/exec"
	"fairlead/internal/exec/exectest"
	"fairlead/internal/exec/sandbox"
)

func newDriver(t testing.TB, root string) exec.Driver {
	t.Helper()
	d, err := sandbox.New(sandbox.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestSandbox(t *testing.T) {
	exectest.Run(t, func(t *testing.T, root string) exec.Driver { return newDriver(t, root) })
}
