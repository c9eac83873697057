package cage

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// BootID returns what tells this boot of the kernel from all others.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// ParseStat takes the number and the start time of a process from its
// /proc/*/stat.
func ParseStat(stat []byte) (pid int, start uint64, err error) {
	// The second field, the name, may hold spaces and parentheses.
	head, _, ok := bytes.Cut(stat, []byte(" ("))
	end := bytes.LastIndexByte(stat, ')')
	if !ok || end < 0 {
		return 0, 0, fmt.Errorf("process status %.40q has no name", stat)
	}
	rest := bytes.Fields(stat[end+1:])
	if len(rest) < 20 {
		return 0, 0, fmt.Errorf("process status has %d fields after the name; expected 20 or more", len(rest))
	}
	if pid, err = strconv.Atoi(string(head)); err != nil {
		return 0, 0, fmt.Errorf("process status: %w", err)
	}
	if start, err = strconv.ParseUint(string(rest[19]), 10, 64); err != nil {
		return 0, 0, fmt.Errorf("process status: %w", err)
	}
	return pid, start, nil
}

// zombie reports whether a process has ended and waits to be collected.
func zombie(stat []byte) bool {
	state := bytes.TrimSpace(stat[bytes.LastIndexByte(stat, ')')+1:])
	return len(state) > 0 && (state[0] == 'Z' || state[0] == 'X')
}
