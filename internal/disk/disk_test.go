package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"fairlead/internal/flow"
)

func TestExplain(t *testing.T) {
	for _, tt := range []struct {
		err  error
		kind flow.Kind
		want string
	}{
		{&fs.PathError{Op: "write", Path: "/data/x", Err: syscall.ENOSPC}, flow.Busy, "disk is full"},
		{fmt.Errorf("put: %w", syscall.EDQUOT), flow.Busy, "disk is full"},
		{syscall.EROFS, flow.Busy, "read-only"},
		{syscall.EIO, flow.Busy, "fails"},
		{syscall.EACCES, flow.Internal, "permission denied"},
		{flow.Errorf(flow.Invalid, "bad: %w", syscall.ENOSPC), flow.Invalid, "bad: "},
	} {
		got := Explain("/data", tt.err)
		if flow.KindOf(got) != tt.kind || !strings.Contains(got.Error(), tt.want) || !errors.Is(got, errors.Unwrap(tt.err)) && !errors.Is(got, tt.err) {
			t.Errorf("Explain(%v) = %v (kind %d), want kind %d with %q", tt.err, got, flow.KindOf(got), tt.kind, tt.want)
		}
	}
	if err := Explain("/data", nil); err != nil {
		t.Errorf("Explain(nil) = %v", err)
	}
}
