// Package cage is the part of the sandbox that keeps attempts: one process,
// the keeper, that builds cages, runs a command in each and writes down how it
// ended. A server starts it by executing its own binary under the name [Name];
// it does not return from there, and outlives that server.
//
// The package knows nothing of workflows, and imports as little as it can:
// what it imports is initialised before the keeper begins.
package cage

import "time"

// Name is argv[0] of a keeper.
const Name = "fairlead-cage"

// Protocol is the version of what server and keeper say to each other. A
// server that speaks another starts a keeper of its own beside; all of them must
// understand a Request to follow or to stop an attempt.
const Protocol = 2

// TimerSlack is how late, in nanoseconds, the kernel may end the naps of a
// keeper's threads, a property that is kept across execve. Go's runtime has a thread that
// looks after the others: when one begins to work after all have slept, it naps for
// 20 µs at a time, for a millisecond. In a keeper, whose work is of that size, this
// was a tenth of what an attempt costs.
const TimerSlack = 1e6

// Files of the directory of attempts.
const (
	KeeperFile  = "keeper.json" // a [Keeper]: the latest one
	JournalFile = "~journal"    // which attempts were claimed, and how they ended
	SocketFile  = "~keeper"     // and a suffix: where a keeper listens
	PoolDir     = "~pool"       // directories of forgotten attempts, cleaned
)

// Files of an attempt's directory.
const (
	ClaimFile = "claim"     // a [Claim], where there is no keeper
	ExitFile  = "exit.json" // an [Exit], where there is no keeper
	WorkDir   = "work"      // the command's working directory
	TempDir   = "tmp"       // the command's /tmp
)

// Home is the working directory and HOME of a command in its cage.
const Home = "/home/task"

// Descriptors of a keeper when it starts.
const (
	SetupFD  = 3 // a [Setup] as JSON
	StatusFD = 4 // takes one [Status] as JSON
)

// The variables that tell a command where to write log lines and its result.
const (
	LogVar    = "FAIRLEAD_LOG_FD"
	ResultVar = "FAIRLEAD_RESULT_FD"
)

// MaskKey is the one member of a log line by which a command tells of texts that
// shall not be in its log from then on: a list of them. The line itself is not in
// the log.
const MaskKey = "fairlead_mask"

// A Setup tells a keeper where it is.
type Setup struct {
	Root   string  // the directory of attempts
	Socket string  // a name in it
	Plain  bool    // no namespaces: no views of the file system
	User   bool    // in a user namespace
	Slack  uintptr // what commands have in the place of [TimerSlack]
	// Fleeting says that what a keeper writes need not outlive the machine's power.
	Fleeting bool
	// Probe asks to try what attempts will need, and to end. The fields of
	// Config that describe the view are read.
	Probe *Config `json:",omitempty"`
}

// A Status is what became of the start of a keeper.
type Status struct {
	Ready   bool
	Taken   bool   // another keeper listens there
	Failure string // the machine does not permit it
	// Filtered says, after a probe, that commands are refused system calls.
	Filtered bool
}

// A Keeper says which process keeps the attempts.
type Keeper struct {
	PID      int
	Start    uint64 // in clock ticks since boot
	Boot     string // the kernel's boot id
	Protocol int
	Socket   string
}

// Ops of a [Request].
const (
	OpRun    = "run"    // start or follow an attempt; later requests may be OpStop
	OpStop   = "stop"   // end the attempt that this connection follows
	OpForget = "forget" // of an attempt that has ended
	OpKill   = "kill"   // end an attempt at once, and wait
	OpList   = "list"   // the attempts that are known
	OpPing   = "ping"   // answer
)

// A Request is what a server says: four bytes of length, big-endian, and this
// as JSON.
type Request struct {
	Op, ID string
	Config *Config `json:",omitempty"` // OpRun: what to start
	// Known says that the attempt has begun before: it is not started.
	Known bool `json:",omitempty"`
	// Stopped says that the attempt, if it has not begun, never shall.
	Stopped bool          `json:",omitempty"`
	Grace   time.Duration `json:",omitempty"`
}

// An Answer is what a keeper says, in the same form. OpRun has one when the
// command exists and one when it has ended.
type Answer struct {
	Running bool   `json:",omitempty"`
	Lost    bool   `json:",omitempty"` // it ran, and nobody knows how it ended
	Exit    *Exit  `json:",omitempty"`
	Failure string `json:",omitempty"` // nothing ran, or we failed
	// Busy says that an attempt cannot be forgotten since it runs.
	Busy bool `json:",omitempty"`
	// Elsewhere names the socket of the keeper that has the attempt.
	Elsewhere string   `json:",omitempty"`
	IDs       []string `json:",omitempty"`
}

// MaxMessage bounds a message in either direction.
const MaxMessage = 64 << 20

// A Config tells a keeper what to run and how. Paths are those of the machine
// outside.
type Config struct {
	Dir   string // the attempt's directory, with WorkDir and TempDir in it
	Plain bool   // no namespaces: build no view of the file system
	Hold  string // an empty directory over which the root is built
	// Network says that the network namespace is new.
	Network  bool
	Forwards []Forward

	Argv, Env []string
	Stdin     []byte
	Chdir     string // inside; empty means Home
	Log       string
	Logger    string
	Level     string
	Mask      []string // never in the log
	Show      []string // shown inside at the same place, read-only
	Hide      []string // covered inside, when they would be seen
	Mounts    []Mount
	Groups    []Group
	Rlimits   []Rlimit
	Output    int64
	Disk      int64 // of the attempt's directories; 0: no bound
	// Warm says how a process can be had that becomes the command sooner.
	Warm  *Warm `json:",omitempty"`
	Wall  time.Duration
	Grace time.Duration
}

// A Forward takes connections inside, at Listen, to To outside.
type Forward struct{ Listen, To string }

// A Mount shows Source inside as Target.
type Mount struct {
	Source, Target string
	Writable       bool
}

// A Warm is a command that may be started before there is an attempt, and from
// which those are then forked that carry out Argv of a Config in its place. What it
// is told, and how, stands with the type warm.
type Warm struct {
	Argv   []string
	Mounts []Mount // read-only
}

// A Group is a control group to make, to put the command in, and to remove.
type Group struct {
	Parent string // exists
	Name   string
	V2     bool
	Set    []Setting // before the command enters
	// Events is the file in which a line "oom_kill n" counts kills; Peak,
	// the one that has the most bytes ever used. Either may be empty.
	Events, Peak string
}

// A Setting is a value to write to a file of a group. When Optional, it does
// not matter if it cannot be written.
type Setting struct {
	File, Value string
	Optional    bool
}

// An Rlimit bounds one resource of each process.
type Rlimit struct {
	Resource int
	Max      uint64
}

// A Claim names process 1 of an attempt and its keeper.
type Claim struct {
	PID   int    // as the machine outside counts
	Start uint64 // in clock ticks since boot
	Boot  string // the kernel's boot id
	// Groups are the control groups that the attempt may have made.
	Groups []string `json:",omitempty"`
	Keeper *Keeper  `json:",omitempty"`
}

// An Exit is how the command ended.
type Exit struct {
	Code           int
	Signal         string `json:",omitempty"`
	Why            string `json:",omitempty"`
	Started, Ended time.Time
	LastLine       string        `json:",omitempty"`
	Result         []byte        `json:",omitempty"`
	ResultCut      bool          `json:",omitempty"`
	CPU            time.Duration `json:",omitempty"`
	MaxRSS         int64         `json:",omitempty"`
	// Failure says that the cage broke after the claim and before the
	// command: nothing ran.
	Failure string `json:",omitempty"`
}

// The values of Exit.Why, those of exec.Why.
const (
	stopped     = "stopped"
	outOfTime   = "out of time"
	outOfMemory = "out of memory"
	outOfDisk   = "out of disk"
	lost        = "lost"
)

// DiskMeasure says, for whoever runs the server, how the disk of an attempt is
// bounded.
const DiskMeasure = "the work directory and /tmp are measured every second, or less often where that takes long, " +
	"with the files that the command holds open without a name, and the command is ended"
