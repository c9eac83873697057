// Package engine decides what happens next in a run. It is a pure state
// machine: no clock, no goroutine, no I/O. Feed it events with [Run.Apply];
// ask it what the world should look like with [Run.Owed].
package engine
