package cage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"time"
)

// ReadExit reads how an attempt ended from the directory with its ExitFile; ok
// is false if that is not there.
func ReadExit(dir string) (x Exit, ok bool, err error) {
	b, err := os.ReadFile(path.Join(dir, ExitFile))
	if errors.Is(err, os.ErrNotExist) {
		return x, false, nil
	}
	if err != nil {
		return x, false, err
	}
	if err := json.Unmarshal(b, &x); err != nil {
		return x, false, fmt.Errorf("read %s in %s: %w", ExitFile, dir, err)
	}
	return x, true, nil
}

// Bury ends an attempt that has not begun, so that it never will: it writes its
// claim and its exit. If it has begun after all, nothing is done.
func Bury(dir string) error {
	now := time.Now()
	end, err := json.Marshal(Exit{Why: stopped, Code: -1, Started: now, Ended: now})
	if err != nil {
		return err
	}
	// The report lies ready under another name, and becomes valid with the
	// claim: a crash between the two leaves an attempt that is lost.
	grave, err := os.CreateTemp(dir, "grave.")
	if err != nil {
		return err
	}
	defer os.Remove(grave.Name())
	if _, err := grave.Write(end); err != nil {
		grave.Close()
		return err
	}
	if err := errors.Join(grave.Sync(), grave.Close()); err != nil {
		return err
	}
	claim, err := os.CreateTemp(dir, ClaimFile+".")
	if err != nil {
		return err
	}
	defer os.Remove(claim.Name())
	if err := errors.Join(json.NewEncoder(claim).Encode(Claim{}), claim.Sync(), claim.Close()); err != nil {
		return err
	}
	err = os.Link(claim.Name(), path.Join(dir, ClaimFile))
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Rename(grave.Name(), path.Join(dir, ExitFile))
}
