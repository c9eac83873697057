//go:build !killpoints

// Package killpoint marks moments at which a test may have the process die. It
// knows no reason to; without the build tag killpoints it does nothing.
//
// With the tag, FAIRLEAD_KILL_AT=name:n:file in the environment has a process
// kill itself when it passes the point of that name for the n-th time, unless
// the file exists, which it makes first: one process dies, once. At some points
// it is another process than the one that passes.
package killpoint

// At marks a moment.
func At(string) {}

// Other marks a moment at which another process may be made to die.
func Other(name string, pid int) {}

// Env is what a process that is started with an environment of its own is
// given, so that it has the same points.
func Env() []string { return nil }
