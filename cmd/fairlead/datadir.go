package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// A dataDir is where a server keeps everything.
type dataDir string

// defaultDataDir is below the user's state directory.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "fairlead")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), fmt.Sprintf("fairlead-%d", os.Getuid()))
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", "fairlead")
	}
	return filepath.Join(home, ".local", "state", "fairlead")
}

func (d dataDir) path(elem ...string) string {
	return filepath.Join(append([]string{string(d)}, elem...)...)
}

// lock makes the directory and keeps other servers out of it until this
// process ends.
func (d dataDir) lock() (*os.File, error) {
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(d.path("lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("another fairlead server uses %s: stop it, or give this one its own directory with --data", d)
		}
		return nil, fmt.Errorf("lock %s: %w", d, err)
	}
	return f, nil
}

// flock takes the lock. A server that was killed while it started a task may
// seem to hold it for another moment: the task's process has its descriptors
// until it executes.
func flock(f *os.File) error {
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(deadline) {
			return err
		}
	}
}

// A credential is an access key.
type credential struct {
	AccessKey string
	SecretKey string
}

// credential returns the admin key, which it makes the first time.
func (d dataDir) credential() (credential, error) {
	var c credential
	err := d.read("credentials.json", &c)
	if err == nil && (c.AccessKey == "" || c.SecretKey == "") {
		return c, fmt.Errorf("%s: expected AccessKey and SecretKey, neither of them empty; without the file a key is made", d.path("credentials.json"))
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return c, err
	}
	if err := os.MkdirAll(string(d), 0o700); err != nil {
		return c, err
	}
	c = newCredential()
	err = d.write("credentials.json", c, func(from, to string) error { return os.Link(from, to) })
	if errors.Is(err, fs.ErrExist) { // a command beside us was first
		err = d.read("credentials.json", &c)
	}
	return c, err
}

// newCredential makes a random key in the form of AWS's.
func newCredential() credential {
	const upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	id := make([]byte, 16)
	secret := make([]byte, 40)
	_, _ = rand.Read(id) // never fails
	_, _ = rand.Read(secret)
	const any = upper + "abcdefghijklmnopqrstuvwxyz0189+/"
	for i := range id {
		id[i] = upper[id[i]%32]
	}
	for i := range secret {
		secret[i] = any[secret[i]%64]
	}
	return credential{AccessKey: "AKIA" + string(id), SecretKey: string(secret)}
}

// A serverInfo tells other commands where the server of a directory is.
type serverInfo struct {
	PID      int    `json:"pid"`
	Endpoint string `json:"endpoint"`
	Region   string `json:"region"`
	Account  string `json:"account"`
}

func (d dataDir) read(name string, into any) error {
	data, err := os.ReadFile(d.path(name))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", d.path(name), err)
	}
	return nil
}

// replace is how write puts a file in its place, unless told otherwise.
func replace(from, to string) error { return os.Rename(from, to) }

// write makes a file so that a reader sees the old or the new one whole. put
// moves the finished file to its place, and may refuse to.
func (d dataDir) write(name string, value any, put func(from, to string) error) error {
	data, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(string(d), name+".") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return put(f.Name(), d.path(name))
}
