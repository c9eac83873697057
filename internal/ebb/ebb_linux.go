package ebb

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// Program takes the pages of the running program out of this process's memory:
// most were read when packages were initialised, and come to tables that nobody
// asks for again. Those that are needed the kernel maps again, from its cache
// of the file. What the process has written stays.
func Program() error {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return err
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, p := range pieces(string(smaps), self) {
		if _, _, e := syscall.Syscall(syscall.SYS_MADVISE, p.from, p.to-p.from, syscall.MADV_DONTNEED); e != 0 {
			return fmt.Errorf("give back pages of %s: %w", self, e)
		}
	}
	return nil
}

// A piece is a part of the process's memory.
type piece struct{ from, to uintptr }

// pieces returns the parts of the memory that smaps describes which show a file
// as it is: nobody may write to them, nor has a loader or a debugger done so,
// whose changes would be lost. A part that it cannot read it leaves out.
func pieces(smaps, file string) (all []piece) {
	var last piece // of the file; to is 0 for others
	for line := range strings.Lines(smaps) {
		words := strings.Fields(line)
		switch {
		case len(words) >= 5 && strings.Contains(words[0], "-"):
			last = piece{}
			from, to, _ := strings.Cut(words[0], "-")
			if words[1] != "r-xp" && words[1] != "r--p" || strings.Join(words[5:], " ") != file {
				continue
			}
			a, err1 := strconv.ParseUint(from, 16, 64)
			b, err2 := strconv.ParseUint(to, 16, 64)
			if err1 == nil && err2 == nil && a < b {
				last = piece{uintptr(a), uintptr(b)}
			}
		case len(words) == 3 && words[0] == "Anonymous:":
			if words[1] == "0" && last.to != 0 {
				all = append(all, last)
			}
			last = piece{}
		}
	}
	return all
}
