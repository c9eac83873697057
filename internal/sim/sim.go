// Package sim runs the conductor and the engine, as they are, in a machine
// whose time, randomness and scheduling come from one number. The machine is
// WebAssembly: package world is compiled for it together with what it tests,
// and has one thread, which changes goroutines only where they wait. The same
// seed gives the same transcript, byte for byte.
package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"go/build"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

// A Machine is a compiled world. It may be used from several goroutines.
type Machine struct {
	runtime wazero.Runtime
	module  wazero.CompiledModule
	mu      sync.Mutex
	// spare has memories of worlds that have ended, all zero.
	spare []*memory
}

// maxMemory bounds a world. It is address space, of which few pages are used.
const maxMemory = 512 << 20

// A memory is a world's, reused for others.
type memory struct {
	m    *Machine
	room []byte
	used uint64
}

func (m *Machine) memory(_, _ uint64) experimental.LinearMemory {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.spare); n > 0 {
		mem := m.spare[n-1]
		m.spare = m.spare[:n-1]
		return mem
	}
	return &memory{m: m, room: make([]byte, maxMemory)}
}

func (mem *memory) Reallocate(size uint64) []byte {
	if size > maxMemory {
		return nil
	}
	mem.used = max(mem.used, size)
	return mem.room[:size:size]
}

func (mem *memory) Free() {
	clear(mem.room[:mem.used])
	mem.used = 0
	mem.m.mu.Lock()
	defer mem.m.mu.Unlock()
	mem.m.spare = append(mem.m.spare, mem)
}

// A Result is how a world ended.
type Result struct {
	Seed uint64
	OK   bool
	// Hash is that of the whole transcript, which has Bytes.
	Hash  uint64
	Bytes int
	// Tail is the end of the transcript; all of it if that was asked for.
	Tail string
}

// Build compiles the world that is in this source tree, with the go command
// go, and loads it. Files of its own go to dir.
func Build(ctx context.Context, dir string) (*Machine, error) {
	overlay, err := shuffle(dir)
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
	_, err := m.runtime.NewHostModuleBuilder("sim").NewFunctionBuilder().
		WithFunc(func(ctx context.Context, _ api.Module, by int64) {
			ctx.Value(clockKey{}).(*clock).jumped += by
		}).Export("jump").Instantiate(ctx)
	if err != nil {
		return err
	}
	m.module, err = m.runtime.CompileModule(ctx, code)
	return err
}

// Close frees what m holds.
func (m *Machine) Close(ctx context.Context) error { return m.runtime.Close(ctx) }

// shuffle writes an overlay in which the scheduler of the Go runtime puts
// goroutines into a random order, as it does under the race detector. What is
// under test stays as it is.
func shuffle(dir string) (string, error) {
	const was, is = "const randomizeScheduler = raceenabled", "const randomizeScheduler = true"
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
		os.WriteFile(proc, bytes.Replace(src, []byte(was), []byte(is), 1), 0o600),
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

// A clock is the machine's: time passes when it is read, and when the guest
// sleeps. It goes in whole microseconds, as the times do that are saved.
type clock struct {
	base   int64 // of the wall clock
	now    int64
	jumped int64
}

type clockKey struct{}

func (c *clock) read() int64 {
	c.now += int64(time.Microsecond)
	return c.now
}

func (c *clock) sleep(ns int64) {
	if ns > 0 {
		c.now += (ns + 999) / 1000 * 1000
	}
}

func (c *clock) wall() (int64, int32) {
	t := c.base + c.read() + c.jumped
	return t / 1e9, int32(t % 1e9)
}

// tail keeps the end of what is written, and the hash of all.
type tail struct {
	hash hash.Hash64
	n    int
	keep int // bytes; negative for all
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	_, _ = t.hash.Write(p)
	t.n += len(p)
	t.text = append(t.text, p...)
	if t.keep >= 0 && len(t.text) > 2*t.keep+1<<16 {
		t.text = append(t.text[:0], t.text[len(t.text)-t.keep:]...)
	}
	return len(p), nil
}

// Run lives the world of a seed, broken in one of the ways that the world
// knows unless that is empty. whole asks for all of the transcript. The error
// is ours; what the world finds is in the result.
func (m *Machine) Run(ctx context.Context, seed uint64, broken string, whole bool) (Result, error) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	random := rand.NewChaCha8(key)
	c := &clock{base: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano() + int64(random.Uint64()%(700*24*3600))*1e9}
	out := &tail{hash: fnv.New64a(), keep: 12_000}
	if whole {
		out.keep = -1
	}
	args := []string{"guest", fmt.Sprint(seed)}
	if broken != "" {
		args = append(args, broken)
	}
	config := wazero.NewModuleConfig().WithName("").WithArgs(args...).WithEnv("GOGC", "off").WithEnv("GOTRACEBACK", "all").
		WithStdout(out).WithStderr(out).WithRandSource(random).
		WithNanotime(c.read, 1).WithWalltime(c.wall, 1).WithNanosleep(c.sleep)
	ctx = context.WithValue(ctx, clockKey{}, c)
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(m.memory))
	mod, err := m.runtime.InstantiateModule(ctx, m.module, config)
	if mod != nil {
		_ = mod.Close(ctx)
	}
	res := Result{Seed: seed, OK: err == nil, Hash: out.hash.Sum64(), Bytes: out.n, Tail: string(out.text)}
	if exit, ok := errors.AsType[*sys.ExitError](err); ok {
		res.OK = exit.ExitCode() == 0
		return res, nil
	}
	if err != nil { // a trap: the guest's own, so it is a finding
		res.Tail += "\n" + err.Error()
	}
	return res, nil
}
