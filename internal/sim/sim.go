// Package sim runs the conductor and the engine, as they are, in a machine
// whose time, randomness and scheduling come from one number. The machine is
// a process of one thread: package world is compiled together with what it
// tests and with a Go runtime that is patched in a few places, so that it
// takes its time and randomness from the seed and changes goroutines only
// where they wait. The same seed gives the same transcript, byte for byte.
package sim

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// A Machine is a compiled world. It may be used from several goroutines.
type Machine struct {
	file string
	mu   sync.Mutex
	idle []*guest
}

// An Order asks for worlds.
type Order struct {
	// The worlds have the seeds From, From+1 and so on, Count of them.
	From, Count uint64
	// Broken is one of the ways to break a world that package world knows;
	// empty for none.
	Broken string
	// Whole asks for all of the transcripts.
	Whole bool
}

// A Result is how a world ended.
type Result struct {
	Seed uint64
	OK   bool
	// Hash is that of the whole transcript, which has Bytes; both are zero if
	// the world came to an abrupt end, as by a panic.
	Hash  uint64
	Bytes int
	// Text is the transcript if that was asked for, and otherwise its last
	// line. It ends with what the Go runtime said, if the world died of that.
	Text string
}

// Supported says why there can be no machine here; nil if there can be one.
func Supported() error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		return fmt.Errorf("the simulation needs Linux on amd64 or arm64, not %s on %s", runtime.GOOS, runtime.GOARCH)
	}
	return nil
}

// Build compiles the world that is in this source tree with the go command.
// Files of its own go to dir, which must stay for as long as the machine is
// used. replace names files of the tree to be replaced by others, to see what
// comes of a change.
func Build(ctx context.Context, dir string, replace map[string]string) (*Machine, error) {
	overlay, err := patch(ctx, dir, replace)
	if err != nil {
		return nil, fmt.Errorf("patch the runtime: %w", err)
	}
	m := &Machine{file: filepath.Join(dir, "guest")}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-tags", "faketime", "-overlay", overlay, "-o", m.file, "fairlead/internal/sim/guest")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOEXPERIMENT=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the world: %w\n%s", err, out)
	}
	return m, nil
}

// Close ends the processes that m keeps. No worlds may be under way.
func (m *Machine) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, g := range m.idle {
		errs = append(errs, g.close())
	}
	m.idle = nil
	return errors.Join(errs...)
}

//go:embed patch/time.go.txt
var timeSource []byte

// patch writes an overlay for the Go runtime of the guest. What is under test
// stays as it is.
func patch(ctx context.Context, dir string, replace map[string]string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("look for the runtime: %w", err)
	}
	src := filepath.Join(strings.TrimSpace(string(root)), "src", "runtime")
	all := map[string]string{}
	for file, by := range replace {
		all[file] = by
	}
	for _, p := range []struct{ file, was, is string }{
		// Goroutines are put into a random order, as under the race detector.
		{"proc.go", "const randomizeScheduler = raceenabled", "const randomizeScheduler = true"},
		// No thread looks after the others, and there are no others: they
		// would be missing in the copies.
		{"proc.go", `const haveSysmon = GOARCH != "wasm"`, "const haveSysmon = false"},
		{"proc.go", "\tlockOSThread()\n\n\tif mp != &m0 {\n", "\tif mp != &m0 {\n"},
		{"proc.go", "\tneedUnlock = false\n\tunlockOSThread()\n", "\tneedUnlock = false\n"},
		// When all wait, time goes on to the first who wants it, in whole
		// microseconds, as the times are that are saved.
		{"proc.go", "\t\t\tfaketime = when\n", "\t\t\tfaketime = max(faketime, (when+999)/1000*1000)\n"},
		// Random numbers come from the seed.
		{"rand.go", "if len(startupRand) >= 16 &&", "if false && len(startupRand) >= 16 &&"},
		{"rand.go", "readRandom(seed[:]) != len(seed)", "simRandom(seed[:]) != len(seed)"},
	} {
		from, to := filepath.Join(src, p.file), filepath.Join(dir, p.file)
		if all[from] == "" {
			all[from] = from
		}
		text, err := os.ReadFile(all[from]) // as it is after those before
		if err != nil {
			return "", err
		}
		if bytes.Count(text, []byte(p.was)) != 1 {
			return "", fmt.Errorf("%s does not say %q once: see how this version of Go does it", from, p.was)
		}
		all[from] = to
		if err := os.WriteFile(to, bytes.Replace(text, []byte(p.was), []byte(p.is), 1), 0o600); err != nil {
			return "", err
		}
	}
	all[filepath.Join(src, "time_fake.go")] = filepath.Join(dir, "time.go")
	list, err := json.Marshal(map[string]any{"Replace": all})
	overlay := filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err,
		os.WriteFile(filepath.Join(dir, "time.go"), timeSource, 0o600),
		os.WriteFile(overlay, list, 0o600))
}

// A guest is a process that waits for orders. Each world is lived by a copy
// of it, so that it stays as it is.
type guest struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
	buf []byte // read from out and not looked at
}

// Run lives worlds, one after the other, and tells found how each ended. It
// returns early when ctx is done or found returns false. The error is ours;
// what the worlds find is in the results.
func (m *Machine) Run(ctx context.Context, o Order, found func(Result) bool) error {
	g, err := m.take()
	if err != nil {
		return err
	}
	record := make([]byte, 64)
	binary.LittleEndian.PutUint64(record, o.From)
	binary.LittleEndian.PutUint64(record[8:], o.Count)
	if o.Whole {
		record[16] = 1
	}
	copy(record[17:], o.Broken)
	if _, err := g.in.Write(record); err != nil {
		return errors.Join(fmt.Errorf("order worlds: %w", err), g.close())
	}
	for i := range o.Count {
		text, status, err := g.read()
		if err != nil {
			return errors.Join(fmt.Errorf("the world of seed %d: %w", o.From+i, err), g.close())
		}
		if !found(result(o.From+i, text, status)) || ctx.Err() != nil {
			return errors.Join(ctx.Err(), g.close())
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.idle = append(m.idle, g)
	return nil
}

// take returns a guest that has nothing to do.
func (m *Machine) take() (*guest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.idle); n > 0 {
		g := m.idle[n-1]
		m.idle = m.idle[:n-1]
		return g, nil
	}
	cmd := exec.Command(m.file)
	cmd.Env = []string{"GOMAXPROCS=1", "GODEBUG=asyncpreemptoff=1", "GOGC=off", "GOTRACEBACK=all"}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the machine: %w", err)
	}
	return &guest{cmd: cmd, in: in, out: out}, nil
}

// close ends the process.
func (g *guest) close() error {
	_ = g.in.Close()
	_ = g.cmd.Process.Kill() // it keeps nothing
	if err := g.cmd.Wait(); err != nil && g.cmd.ProcessState == nil {
		return fmt.Errorf("end the machine: %w", err)
	}
	return nil
}

// read returns what one world wrote, and the status of its process.
func (g *guest) read() (text []byte, status uint32, err error) {
	for from := 0; ; {
		if i := bytes.IndexByte(g.buf[from:], 0); i >= 0 {
			if i += from; len(g.buf) >= i+5 {
				text, status = bytes.Clone(g.buf[:i]), binary.LittleEndian.Uint32(g.buf[i+1:])
				g.buf = g.buf[:copy(g.buf, g.buf[i+5:])]
				return text, status, nil
			}
			from = i
		} else {
			from = len(g.buf)
		}
		if len(g.buf) > maxText {
			return nil, 0, fmt.Errorf("more than %d bytes of transcript", maxText)
		}
		chunk := make([]byte, 1<<16)
		n, err := g.out.Read(chunk)
		g.buf = append(g.buf, chunk[:n]...)
		if err != nil {
			return nil, 0, fmt.Errorf("the machine is gone: %w\n%s", err, g.buf)
		}
	}
}

// maxText bounds a transcript.
const maxText = 256 << 20

// result reads what a world wrote: the transcript or its last line, and in
// the last line of all the hash and length of all.
func result(seed uint64, text []byte, status uint32) Result {
	r := Result{Seed: seed, OK: status == 0, Text: string(text)}
	body, last, ok := strings.Cut(r.Text, "\ntranscript ")
	if !ok {
		r.OK = false
		r.Text += fmt.Sprintf("\nthe world ended abruptly, with status %#x", status)
		return r
	}
	r.Text = body + "\n"
	if _, err := fmt.Sscanf(last, "%x %d", &r.Hash, &r.Bytes); err != nil {
		r.OK = false
		r.Text += "the transcript has no end: " + last
	}
	return r
}
