// Package cage is the part of the sandbox that runs inside: a small
// supervisor that builds the cage, runs one command in it and reports how the
// command ended. The server starts it by executing its own binary under the
// name [Name]; it does not return from there.
//
// The package knows nothing of workflows, and imports as little as it can:
// what it imports is initialised in every attempt before the cage is built.
package cage

import "time"

// Name is argv[0] of a supervisor.
const Name = "fairlead-cage"

// Files of an attempt's directory.
const (
	ClaimFile   = "claim"     // a [Claim]; whoever links it first runs the command
	ExitFile    = "exit.json" // an [Exit]; there once the attempt is over
	ControlFile = "control"   // a named pipe that takes "stop <milliseconds>\n"
	WorkDir     = "work"      // the command's working directory
	TempDir     = "tmp"       // the command's /tmp
)

// Home is the working directory and HOME of a command in its cage.
const Home = "/home/task"

// Descriptors of a supervisor when it starts. Its standard input becomes the
// command's.
const (
	ConfigFD = 3 // a [Config] as JSON
	StatusFD = 4 // takes one [Status] as JSON
)

// The variables that tell a command where to write log lines and its result.
const (
	LogVar    = "FAIRLEAD_LOG_FD"
	ResultVar = "FAIRLEAD_RESULT_FD"
)

// A Config tells a supervisor what to run and how. Paths are those of the
// machine outside.
type Config struct {
	Dir   string // the attempt's directory, with WorkDir and TempDir in it
	Plain bool   // no namespaces: build no view of the file system
	Hold  string // an empty directory over which the root is built
	// Network says that the network namespace is new.
	Network bool

	Argv, Env []string
	Chdir     string // inside; empty means Home
	Log       string
	Logger    string
	Level     string
	Show      []string // shown inside at the same place, read-only
	Hide      []string // covered inside, when they would be seen
	Mounts    []Mount
	Groups    []Group
	Rlimits   []Rlimit
	Output    int64
	Wall      time.Duration
	Grace     time.Duration
	// Probe asks to build the cage and to run nothing.
	Probe bool
}

// A Mount shows Source inside as Target.
type Mount struct {
	Source, Target string
	Writable       bool
}

// A Group is a control group to make, to put the command in, and to remove.
type Group struct {
	Parent string // exists
	Name   string
	V2     bool
	Set    []Setting // before the command enters
	Late   []Setting // when the command is in
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

// A Claim names the supervisor of an attempt.
type Claim struct {
	PID   int    // as the machine outside counts
	Start uint64 // in clock ticks since boot
	Boot  string // the kernel's boot id
	// Groups are the control groups that the attempt may have made.
	Groups []string `json:",omitempty"`
}

// A Status is what became of the start. Exactly one of its fields is set.
type Status struct {
	Running bool   // the command exists, or has a reported end
	Taken   bool   // another supervisor has the attempt
	Ready   bool   // the answer to a probe
	Failure string // the cage could not be built; nothing was claimed
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
)
