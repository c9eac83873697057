// Package disk says what the errors of file systems mean to whoever runs the
// server. It does not know what the files are for.
package disk

import (
	"errors"
	"syscall"

	"fairlead/internal/flow"
)

// Explain turns an error that is the fault of the file system below dir into
// a flow.Busy one that says so, and where. All other errors, and nil, come back
// as they are.
func Explain(dir string, err error) error {
	if flow.KindOf(err) != flow.Internal {
		return err
	}
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return flow.Errorf(flow.Busy, "the disk is full: nothing can be added to %s; make room there, and the server goes on (%w)", dir, err)
	case errors.Is(err, syscall.EROFS):
		return flow.Errorf(flow.Busy, "%s is on a file system that is read-only (%w)", dir, err)
	case errors.Is(err, syscall.EIO):
		return flow.Errorf(flow.Busy, "the disk under %s fails (%w)", dir, err)
	}
	return err
}
