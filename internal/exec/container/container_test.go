package container_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/exec/container/enginetest"
	"fairlead/internal/exec/exectest"
)

func newDriver(t testing.TB, root string) *container.Driver {
	t.Helper()
	d, err := container.New(t.Context(), container.Options{Root: root, Image: enginetest.Image})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What a test has left behind, and what it has not forgotten.
		if err := d.Sweep(func(string) bool { return false }); err != nil {
			t.Error(err)
		}
		d.Close()
	})
	return d
}

func TestContainer(t *testing.T) {
	enginetest.Client(t)
	exectest.Run(t, func(t *testing.T, root string) exec.Driver { return newDriver(t, root) })
}

// TestStartedTwice has somebody else start the container of an ended attempt.
func TestStartedTwice(t *testing.T) {
	c := enginetest.Client(t)
	root, shared := t.TempDir(), t.TempDir()
	spec := exec.Spec{
		ID: "started-twice", Argv: []string{"/bin/sh", "-c", "echo ran >> /shared/ran; exit 3"}, Log: filepath.Join(root, "log"),
		Mounts: []exec.Mount{{Source: shared, Target: "/shared", Writable: true}},
	}
	d := newDriver(t, root)
	run := func() {
		if x, err := d.Run(t.Context(), spec, "", nil); err != nil || x.Code != 3 {
			t.Fatalf("Run: got %+v, %v; want code 3", x, err)
		}
	}
	run()
	list, err := c.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "fairlead.attempt="+spec.ID)})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("containers of the attempt: got %d, %v; want 1", len(list.Items), err)
	}
	if _, err := c.ContainerStart(t.Context(), list.Items[0].ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	run()
	if ran, _ := os.ReadFile(filepath.Join(shared, "ran")); string(ran) != "ran\n" {
		t.Errorf("a container that was started twice: the command wrote %q, want one line", ran)
	}
}

// TestForwardsAcrossServers has one server after another take what a command
// sends, and nobody in between.
func TestForwardsAcrossServers(t *testing.T) {
	enginetest.Client(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer l.Close()
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("hello"))
			c.Close()
		}
	})
	root, shared := t.TempDir(), t.TempDir()
	spec := exec.Spec{
		ID: "across", Log: filepath.Join(root, "log"), Env: []string{"PATH=/usr/bin:/bin"},
		Argv: []string{"/bin/bash", "-c", `
for step in first away second; do
	until [ -e /shared/$step ]; do sleep 0.02; done
	heard=
	while exec 3<>/dev/tcp/127.0.0.1/81; heard=$(cat <&3); [ $step = second ] && [ -z "$heard" ]; do sleep 0.02; done
	echo "$step: $heard" >> /shared/said
	touch /shared/$step.done
done`},
		Mounts:  []exec.Mount{{Source: shared, Target: "/shared", Writable: true}},
		Network: "none", Forwards: []exec.Forward{{Listen: "127.0.0.1:81", To: l.Addr().String()}},
		Limits: exec.Limits{Wall: time.Hour},
	}
	step := func(name string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(shared, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := os.Stat(filepath.Join(shared, name+".done")); err == nil {
				return
			}
			select {
			case <-tick.C:
			case <-t.Context().Done():
				t.Fatalf("the command does not get through step %q", name)
			}
		}
	}
	ctx, detach := context.WithCancelCause(t.Context())
	first, second := newDriver(t, root), newDriver(t, root)
	handle := make(chan string, 1)
	gone := make(chan error, 1)
	go func() {
		_, err := first.Run(ctx, spec, "", func(h string) error { handle <- h; return nil })
		gone <- err
	}()
	h := <-handle
	step("first")
	detach(exec.ErrDetach)
	if err := <-gone; !errors.Is(err, exec.ErrDetach) {
		t.Fatalf("detached: %v", err)
	}
	step("away")
	ended := make(chan exec.Exit, 1)
	go func() {
		x, err := second.Run(t.Context(), spec, h, nil)
		if err != nil {
			t.Error(err)
		}
		ended <- x
	}()
	step("second")
	if x := <-ended; x.Code != 0 {
		t.Errorf("the command ended %+v", x)
	}
	if said, _ := os.ReadFile(filepath.Join(shared, "said")); string(said) != "first: hello\naway: \nsecond: hello\n" {
		t.Errorf("a command over two servers heard %q", said)
	}
}
