//go:build !linux

package ebb

import "time"

// Program gives back nothing: elsewhere than on Linux nobody can tell what may be.
func Program() error { return nil }

// Watcher changes nothing: other systems have no such setting.
func Watcher(time.Duration) error { return nil }
