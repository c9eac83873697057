package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A bytesFlag is a number of bytes that a flag sets, with or without a unit.
type bytesFlag int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30},
}

// Set reads a number of bytes such as 3GiB.
func (b *bytesFlag) Set(text string) error {
	number, size := strings.TrimSpace(text), int64(1)
	for _, u := range byteUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, size = strings.TrimSpace(n), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/size {
		return fmt.Errorf("%q is not a size: expected bytes, or a number with KiB, MiB or GiB", text)
	}
	*b = bytesFlag(n * size)
	return nil
}

// String writes the size with the largest unit that fits.
func (b *bytesFlag) String() string {
	for _, u := range []int{2, 1, 0} {
		if s := byteUnits[u].size; *b != 0 && int64(*b)%s == 0 {
			return fmt.Sprintf("%d%s", int64(*b)/s, byteUnits[u].name)
		}
	}
	return strconv.FormatInt(int64(*b), 10)
}

// Type names the flag's value in the help.
func (*bytesFlag) Type() string { return "size" }
