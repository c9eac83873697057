// Package sim runs the conductor and the engine, as they are, in a machine
// whose time, randomness and scheduling come from one number. The machine is
// WebAssembly: package world is compiled for it together with what it tests,
// and has one thread, which changes goroutines only where they wait. The same
// seed gives the same transcript, byte for byte.
package sim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/build"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
)

// A Machine is a compiled world. It may be used from several goroutines.
type Machine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
	wg      sync.WaitGroup // the guests
	mu      sync.Mutex
	idle    []*guest
	spare   []*memory // of guests that are gone, all zero
}

// A Result is how a world ended.
type Result struct {
	Seed uint64
	OK   bool
	// Hash is that of the whole transcript, which has Bytes.
	Hash  uint64
	Bytes int
	// Tail is the end of the transcript of a world that failed, and the last
	// line of another; all of it if that was asked for.
	Tail string
}

// Build compiles the world that is in this source tree, with the go command
// go, and loads it. Files of its own go to dir.
func Build(ctx context.Context, dir string) (*Machine, error) {
	overlay, err := patch(dir)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "guest.wasm")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-overlay", overlay, "-o", file, "fairlead/internal/sim/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the world: %w\n%s", err, out)
	}
	code, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the world: %w", err)
	}
	m := &Machine{runtime: wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig())}
	if err := m.load(ctx, code); err != nil {
		return nil, errors.Join(fmt.Errorf("load the world: %w", err), m.Close(ctx))
	}
	return m, nil
}

func (m *Machine) load(ctx context.Context, code []byte) error {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, m.runtime); err != nil {
		return err
	}
	_, err := m.runtime.NewHostModuleBuilder("sim").
		NewFunctionBuilder().WithFunc(next).Export("next").
		NewFunctionBuilder().WithFunc(jump).Export("jump").
		Instantiate(ctx)
	if err != nil {
		return err
	}
	m.module, err = m.runtime.CompileModule(ctx, code)
	return err
}

// Close frees what m holds. No world may be under way.
func (m *Machine) Close(ctx context.Context) error {
	m.mu.Lock()
	for _, g := range m.idle {
		close(g.orders)
	}
	m.idle = nil
	m.mu.Unlock()
	m.wg.Wait()
	return m.runtime.Close(ctx)
}

// patch writes an overlay for the Go runtime of the guest. What is under test
// stays as it is. The scheduler puts goroutines into a random order, as it
// does under the race detector; and its random numbers, of which are also the
// choices of select and the orders of maps, can begin anew with each world.
func patch(dir string) (string, error) {
	const was, is = "const randomizeScheduler = raceenabled", "const randomizeScheduler = true"
	const more = `
//go:linkname simReseed main.reseed
func simReseed() {
	globalRand.init = false
	randinit()
	mrandinit(getg().m)
}
`
	file := filepath.Join(goroot(), "src", "runtime", "proc.go")
	src, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the scheduler: %w", err)
	}
	if bytes.Count(src, []byte(was)) != 1 {
		return "", fmt.Errorf("%s does not say %q once: see how this version of Go shuffles goroutines", file, was)
	}
	proc := filepath.Join(dir, "proc.go")
	overlay := filepath.Join(dir, "overlay.json")
	text := fmt.Sprintf(`{"Replace": {%q: %q}}`, file, proc)
	return overlay, errors.Join(
		os.WriteFile(proc, append(bytes.Replace(src, []byte(was), []byte(is), 1), more...), 0o600),
		os.WriteFile(overlay, []byte(text), 0o600),
	)
}

func goroot() string {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return build.Default.GOROOT
	}
	return strings.TrimSpace(string(out))
}

// Run lives the world of a seed, broken in one of the ways that the world
// knows unless that is empty. whole asks for all of the transcript. The error
// is ours; what the world finds is in the result.
func (m *Machine) Run(ctx context.Context, seed uint64, broken string, whole bool) (Result, error) {
	g := m.take(ctx)
	g.orders <- order{seed, broken, whole}
	a := <-g.answers
	if !a.gone {
		m.mu.Lock()
		m.idle = append(m.idle, g)
		m.mu.Unlock()
	}
	return a.res, a.err
}

// take returns a guest that has nothing to do.
func (m *Machine) take(ctx context.Context) *guest {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		g := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return g
	}
	mem := &memory{m: m}
	if n := len(m.spare); n > 0 {
		mem = m.spare[n-1]
		m.spare = m.spare[:n-1]
	} else {
		mem.room = make([]byte, maxMemory)
	}
	g := &guest{
		mem: mem, orders: make(chan order, 1), answers: make(chan answer, 1),
		out: tail{hash: fnv.New64a()}, random: rand.NewChaCha8([32]byte{}), clock: clock{base: epoch},
	}
	m.wg.Go(func() { g.live(context.WithoutCancel(ctx), m) })
	return g
}
