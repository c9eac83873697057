//go:build killpoints

package killpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const variable = "FAIRLEAD_KILL_AT"

// order is what the environment asks for.
type order struct {
	name, file string
	n          int64
}

// A process dies as one, so these are the process's.
var (
	read   = sync.OnceValue(parse)
	passed atomic.Int64 // of the point that is asked for
)

// parse panics at an order that it cannot read: a test that kills nobody would
// pass.
func parse() (o order) {
	text := os.Getenv(variable)
	if text == "" {
		return o
	}
	var number string
	var ok bool
	if o.name, number, ok = strings.Cut(text, ":"); ok {
		number, o.file, ok = strings.Cut(number, ":")
	}
	var err error
	if o.n, err = strconv.ParseInt(number, 10, 64); err != nil || !ok || o.n < 1 || o.file == "" {
		panic(fmt.Sprintf("%s is %q, want name:n:file", variable, text))
	}
	return o
}

// At marks a moment.
func At(name string) {
	if kill(name, os.Getpid()) {
		select {}
	}
}

// Other marks a moment at which another process may be made to die.
func Other(name string, pid int) { kill(name, pid) }

// kill has a process die if this is when. It reports whether it was.
func kill(name string, pid int) bool {
	o := read()
	if name != o.name || passed.Add(1) != o.n {
		return false
	}
	f, err := os.OpenFile(o.file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return false // another has died of it
	}
	fmt.Fprint(f, pid)
	f.Close()
	_ = syscall.Kill(pid, syscall.SIGKILL)
	return true
}

// Env is what a process that is started with an environment of its own is
// given, so that it has the same points.
func Env() []string {
	if v := os.Getenv(variable); v != "" {
		return []string{variable + "=" + v}
	}
	return nil
}
