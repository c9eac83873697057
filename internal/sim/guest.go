package sim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"math/rand/v2"
	"time"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"
	"github.com/tetratelabs/wazero/sys"
)

// A guest is an instance of the module. It lives one world after another, and
// begins each with the memory that it had before the first: what a seed means
// does not depend on what was lived before it. The goroutine of live owns it.
type guest struct {
	mem     *memory
	orders  chan order // closed when there are no more
	answers chan answer

	started bool   // the rest holds
	image   []byte // the memory before the first world
	stack   uint32 // where the guest waits
	now     int64  // the time then

	order  order // the present one
	clock  clock
	random *rand.ChaCha8
	out    tail
}

// An order is a world to be lived.
type order struct {
	seed   uint64
	broken string
	whole  bool
}

type answer struct {
	res  Result
	err  error
	gone bool // the guest lives no more worlds
}

type guestKey struct{}

// live runs the module until the guest has nothing to do any more.
func (g *guest) live(ctx context.Context, m *Machine) {
	config := wazero.NewModuleConfig().WithName("").WithEnv("GOGC", "off").WithEnv("GOTRACEBACK", "all").
		WithStdout(&g.out).WithStderr(&g.out).WithRandSource(g.random).
		WithNanotime(g.clock.read, 1).WithWalltime(g.clock.wall, 1).WithNanosleep(g.clock.sleep)
	ctx = context.WithValue(ctx, guestKey{}, g)
	ctx = experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(func(_, _ uint64) experimental.LinearMemory { return g.mem }))
	mod, err := m.runtime.InstantiateModule(ctx, m.module, config)
	if mod != nil {
		_ = mod.Close(ctx)
	}
	if errors.Is(err, errRetired) {
		return
	}
	if !g.started {
		<-g.orders
		g.answers <- answer{err: fmt.Errorf("start the guest: %w\n%s", err, g.out.text), gone: true}
		return
	}
	res := g.result(false)
	if _, ok := errors.AsType[*sys.ExitError](err); !ok && err != nil { // a trap: the guest's own, so it is a finding
		res.Tail += "\n" + err.Error()
	}
	g.answers <- answer{res: res, gone: true}
}

// result describes the world that has just ended.
func (g *guest) result(ok bool) Result {
	text := g.out.text
	if ok && !g.order.whole {
		text = g.out.last()
	}
	return Result{Seed: g.order.seed, OK: ok, Hash: g.out.hash.Sum64(), Bytes: g.out.n, Tail: string(text)}
}

// errRetired ends a guest that is not needed any more.
var errRetired = errors.New("the guest is retired")

// next is called by a guest that has ended a world, well, or has not begun.
// It writes the arguments of the next one to the guest's memory, which is
// otherwise as it was at the first call, and returns how long they are. stack
// is where the guest's stack is: it calls from the same place each time.
func next(ctx context.Context, mod api.Module, at, size, stack uint32) uint32 {
	g := ctx.Value(guestKey{}).(*guest)
	if !g.started {
		g.started, g.stack, g.now = true, stack, g.clock.now
		g.image = g.mem.keep()
	} else {
		full := g.mem.size > maxMemory/2
		g.answers <- answer{res: g.result(true), gone: full}
		if full {
			panic(errRetired)
		}
	}
	o, ok := <-g.orders
	if !ok {
		panic(errRetired)
	}
	if stack != g.stack {
		panic(fmt.Sprintf("the guest waits at %#x and waited at %#x before", stack, g.stack))
	}
	g.mem.restore(g.image)
	g.begin(o)
	args := fmt.Sprintf("%d %s", o.seed, o.broken)
	if uint32(len(args)) > size || !mod.Memory().WriteString(at, args) {
		panic(fmt.Sprintf("the guest has no room for %q", args))
	}
	return uint32(len(args))
}

// epoch is the wall clock's before the first world.
var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()

func (g *guest) begin(o order) {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], o.seed)
	g.order = o
	g.random.Seed(key)
	g.clock = clock{base: epoch + int64(g.random.Uint64()%(700*24*3600))*1e9, now: g.now}
	g.out.begin(o.whole)
}

// jump sets the wall clock of the guest.
func jump(ctx context.Context, by int64) { ctx.Value(guestKey{}).(*guest).clock.jumped += by }

// A clock is the machine's: time passes when it is read, and when the guest
// sleeps. It goes in whole microseconds, as the times do that are saved.
type clock struct {
	base   int64 // of the wall clock
	now    int64
	jumped int64
}

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
	hash  hash.Hash64
	n     int
	whole bool
	text  []byte
}

func (t *tail) begin(whole bool) {
	t.hash.Reset()
	t.n, t.whole, t.text = 0, whole, t.text[:0]
}

func (t *tail) Write(p []byte) (int, error) {
	const keep = 12_000
	_, _ = t.hash.Write(p)
	t.n += len(p)
	t.text = append(t.text, p...)
	if !t.whole && len(t.text) > 2*keep+1<<16 {
		t.text = append(t.text[:0], t.text[len(t.text)-keep:]...)
	}
	return len(p), nil
}

// last returns the last line.
func (t *tail) last() []byte {
	text := bytes.TrimSuffix(t.text, []byte("\n"))
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

// maxMemory bounds a guest. A world cannot give back what it grew by, so a
// guest is retired when half of this is gone, and no world may take the other
// half. It is address space, of which few pages are used.
const maxMemory = 512 << 20

// A memory is a guest's, reused for others.
type memory struct {
	m    *Machine
	room []byte
	size uint64
	// kept is the size of the image, base the size when the world began: of
	// what came after kept, the world has touched no more than size - base.
	kept, base uint64
}

// Reallocate grows the memory; nil if a world takes too much.
func (mem *memory) Reallocate(size uint64) []byte {
	if size > mem.base+maxMemory/2 || size > maxMemory {
		return nil
	}
	mem.size = size
	return mem.room[:size:size]
}

// keep returns what is in the memory, to be restored later.
func (mem *memory) keep() []byte {
	mem.kept, mem.base = mem.size, mem.size
	return bytes.Clone(mem.room[:mem.size])
}

// restore makes the memory as it was when the image was kept, but for its
// size, which the guest does not look at.
func (mem *memory) restore(image []byte) {
	copy(mem.room, image)
	clear(mem.room[mem.kept : mem.kept+mem.size-mem.base])
	mem.base = mem.size
}

// Free lets another guest have the memory.
func (mem *memory) Free() {
	clear(mem.room[:mem.kept+mem.size-mem.base])
	mem.size, mem.kept, mem.base = 0, 0, 0
	mem.m.mu.Lock()
	defer mem.m.mu.Unlock()
	mem.m.spare = append(mem.m.spare, mem)
}
