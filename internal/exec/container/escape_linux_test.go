//go:build !portable

package container_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/exec/container/enginetest"
	"fairlead/internal/exec/exectest"
)

func TestMain(m *testing.M) {
	exectest.TryEscapes()
	os.Exit(m.Run())
}

// permitted is what commands in containers may do and those in cages may not.
var permitted = []string{
	"list home directories", // those of the image
	"see /sys",              // which is read-only
	"use rings",             // engines since 25.0 refuse it
}

// TestEscape has a command in a container try everything that it must not be able
// to do, beside another.
func TestEscape(t *testing.T) {
	enginetest.Client(t)
	root := t.TempDir()
	d := newDriver(t, root)
	to := exectest.Bait(t)
	// The numbers of processes outside mean nothing inside.
	to.Root, to.Keeper, to.Victim, to.VictimDir = root, os.Getpid(), os.Getpid(), filepath.Join(root, "victim", cage.WorkDir)
	to.KeeperSocket = filepath.Join(root, "victim", cage.ReportDir, cage.ForwardFile+"0")

	victim := exec.Spec{
		ID: "victim", Argv: []string{"/bin/sh", "-c", "echo secret > file; exec sleep 98771"}, Log: filepath.Join(t.TempDir(), "log"),
		Env: []string{"PATH=/usr/bin:/bin", "SECRET=" + to.VictimSecret}, Network: "none",
		Forwards: []exec.Forward{{Listen: "127.0.0.1:4242", To: "127.0.0.1:4242"}},
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		if x, err := d.Run(ctx, victim, "", func(string) error { close(started); return nil }); err != nil || x.Why != exec.Stopped {
			t.Errorf("the other task: got %+v, %v; want stopped", x, err)
		}
	}()
	<-started
	exectest.Escape(t, d, to, permitted...)
	cancel(errors.New("enough"))
	<-done
}
