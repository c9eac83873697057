// Package exec runs a command in a cage. A driver knows how to start one,
// find it again after this process died, and end it; it does not know what
// the command is for.
package exec

import (
	"context"
	"errors"
	"slices"
	"time"
)

// A Driver runs commands.
//
// Run starts the command of spec, or takes it up again if one with the same
// ID is already running or has ended, and returns when it has ended. A spec
// with one ID is started at most once, whatever crashes in between: Run may
// be called again with the same spec after any crash of this process. Once
// the command exists, started is called with a handle under which a later
// Run finds it; if started returns an error Run returns it and lets the
// command go on. handle is empty, or what an earlier started was given.
//
// When ctx is done with the cause [ErrDetach], Run returns that error at once
// and the command goes on. With any other cause Run ends the command: a
// polite signal, the spec's grace, then a kill of everything in the cage; it
// returns the Exit with Why set to Stopped once nothing of it is left.
//
// An error means that the driver failed; an Exit, that the command ended.
type Driver interface {
	Run(ctx context.Context, spec Spec, handle string, started func(handle string) error) (Exit, error)
	// Probe says what the driver can enforce on this machine.
	Probe(ctx context.Context) (Report, error)
	// Forget removes what is kept of an ended attempt. It is not an error if
	// nothing is.
	Forget(id string) error
}

// ErrDetach is the cause of a context that ends because this process ends:
// commands are let go, not killed.
var ErrDetach = errors.New("detached: the command goes on without us")

// A Spec is a command and the cage around it.
type Spec struct {
	// ID names the attempt: [A-Za-z0-9._-]+, at most 200 bytes, unique for
	// ever.
	ID   string
	Argv []string
	// Image names the image whose files the command sees, for a driver of
	// containers; empty means the driver's own. Others refuse it.
	Image string
	// Env is the whole environment, KEY=value; nothing is inherited. The
	// driver adds FAIRLEAD_LOG_FD and FAIRLEAD_RESULT_FD, HOME (the cage's
	// own directory) unless Env has it, and without a cage TMPDIR. Lines
	// that the command writes to the descriptor FAIRLEAD_LOG_FD go to the
	// log as they are if they are JSON objects; {"fairlead_mask": [...]} is
	// not, but adds to Mask. Variables of the image are
	// there, too, unless Env has them.
	Env []string
	// Dir is the working directory inside the cage; empty means the cage's
	// own empty, writable one.
	Dir   string
	Stdin []byte
	// Log is the file to which output is appended, one JSON object a line.
	Log string
	// Logger and Level are put on lines that the command prints as text.
	Logger string
	Level  string
	Mounts []Mount
	// Warm, if it is there, is a command that a driver may start ahead of any
	// attempt and then have fork the process of each, as package cage says; what
	// is forked carries out Argv. A driver that cannot executes Argv.
	Warm   *Warm
	Limits Limits
	// GPUs are those that the command may use. In a cage or container it can open
	// no others.
	GPUs []GPU
	// Mask are texts that must not be in the log: three asterisks stand in
	// for them, wherever they begin and end. LastLine and Result are not
	// masked.
	Mask []string
	// Network is "host" (the default when empty) or "none": a loopback
	// device of its own, where nobody listens but for Forwards.
	Network  string
	Forwards []Forward
	// Grace is how long the command may take to end when asked to.
	Grace time.Duration
}

// A Mount shows a directory or file of this machine inside the cage.
type Mount struct {
	Source, Target string
	Writable       bool
}

// A Warm is a command that waits for attempts. It knows none of their
// secrets and has none of their files; Mounts are what it sees beside the
// system, read-only.
type Warm struct {
	Argv   []string
	Mounts []Mount
}

// A Forward takes connections to an address of a command without network to
// an address of this machine. Both are IP addresses with a port, and Listen is
// one of loopback.
type Forward struct{ Listen, To string }

// Limits bound what a command may use. Zero means no bound.
type Limits struct {
	Memory int64         // bytes, of all processes together where the kernel can
	CPUs   float64       // cores
	PIDs   int           // processes and threads
	Files  int           // open files of one process
	Disk   int64         // bytes of the work directory and /tmp together, measured every second or so; and of one file
	Output int64         // bytes of log; the rest is dropped, with a line that says so
	Wall   time.Duration // run time
}

// An Exit is how a command ended.
type Exit struct {
	// Code is the exit status; 128+n when signal n ended it.
	Code   int
	Signal string // such as "killed"; empty unless a signal ended it
	Why    Why
	// Started and Ended are the machine's clock.
	Started, Ended time.Time
	// LastLine is the last line of standard output and error, without its
	// line end, at most 64 KiB.
	LastLine string
	// Result is what the command wrote to the file descriptor named by
	// FAIRLEAD_RESULT_FD, at most 1 MiB; ResultCut says that it wrote more.
	Result    []byte
	ResultCut bool
	CPU       time.Duration
	MaxRSS    int64 // bytes
}

// Why says what made a command end.
type Why string

// The reasons.
const (
	ByItself    Why = ""
	Stopped     Why = "stopped"       // Run was told to end it
	OutOfTime   Why = "out of time"   // Limits.Wall
	OutOfMemory Why = "out of memory" // Limits.Memory
	OutOfDisk   Why = "out of disk"   // Limits.Disk
	Lost        Why = "lost"          // its supervisor died without a report
)

// A Report says what a driver enforces on this machine.
type Report struct {
	Driver   string
	Measures []Measure
}

// A Measure is one means of isolation or limit.
type Measure struct {
	Name  string // such as "pid namespace" or "memory limit"
	InUse bool
	How   string // such as "cgroup v1", or why it is not in use and what would help
}

// Has reports whether a means of isolation or limit is in use.
func (r Report) Has(name string) bool {
	return slices.ContainsFunc(r.Measures, func(m Measure) bool { return m.Name == name && m.InUse })
}
