package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless/types"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// mayMount is set in the environment of a test that is run again where it
// may mount file systems.
const mayMount = "FAIRLEAD_TEST_MOUNT"

// withMounts runs the calling test again in a mount namespace of its own and
// returns false; in there it returns true. Where that is not permitted, the
// test is skipped.
func withMounts(t *testing.T) bool {
	t.Helper()
	if os.Getenv(mayMount) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-test.short=%v", testing.Short()))
	cmd.Env = append(os.Environ(), mayMount+"=1")
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) {
		t.Skipf("NOT TESTED: this machine permits no mount namespace: %v", err)
	}
	t.Logf("in a mount namespace:\n%s", out)
	if err != nil {
		t.Errorf("in a mount namespace: %v", err)
	}
	return false
}

// small mounts a file system of some size at dir.
func small(t *testing.T, dir string, size int, flags uintptr) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("small", dir, "tmpfs", flags, fmt.Sprintf("size=%d,mode=0700", size)); err != nil {
		t.Skipf("NOT TESTED: this machine permits no mount: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill leaves so many bytes in the file system of dir; what it returns makes
// room.
func fill(t *testing.T, dir string, room int64) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	info, err := f.Stat()
	if err == nil {
		err = f.Truncate(max(info.Size()-room, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

// impatient is the client without retries.
func impatient(c *client) *client {
	d := *c
	d.api = mwaaserverless.New(c.api.Options(), func(o *mwaaserverless.Options) { o.RetryMaxAttempts = 1 })
	d.s3 = awss3.New(c.s3.Options(), func(o *awss3.Options) { o.RetryMaxAttempts = 1 })
	return &d
}

func (c *client) tryStart(arn string) (string, error) {
	out, err := c.api.StartWorkflowRun(c.t.Context(), &mwaaserverless.StartWorkflowRunInput{WorkflowArn: &arn})
	if err != nil {
		return "", err
	}
	return *out.RunId, nil
}

func (c *client) put(key string, n int) error {
	_, err := c.s3.PutObject(c.t.Context(), &awss3.PutObjectInput{Bucket: aws.String("workflows"), Key: &key, Body: bytes.NewReader(make([]byte, n))})
	return err
}

// saysFull fails the test unless err tells the client that the disk is full
// and where.
func saysFull(t *testing.T, what string, err error, where string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), "disk is full") || !strings.Contains(err.Error(), where) {
		t.Errorf("%s on a full disk: %v; want an error that says that the disk is full, and names %s", what, err, where)
	}
}

const echo = `echo:
  tasks:
    say: {operator: airflow.operators.bash.BashOperator, bash_command: "echo said", retries: 3, retry_delay: 0.1}
`

// TestDataDirectoryFull fills the disk under a real server: calls are refused
// with the reason, what was acknowledged is kept, and once there is room all
// goes on without a restart.
func TestDataDirectoryFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	v := aVictim(t)
	small(t, string(v.data), 24<<20, 0)
	c := v.begin()
	c.bucket("workflows")
	arn := c.workflow("echo", echo)
	before := c.start(arn, nil)
	c.until(arn, before, over)
	empty := fill(t, string(v.data), 300<<10)
	hasty := impatient(c)
	saysFull(t, "PutObject", hasty.put("big", 1<<20), v.data.path("s3"))
	var acked []string
	var err error
	for err == nil && len(acked) < 5000 {
		// The log of writes has room of its own for a while.
		var id string
		if id, err = hasty.tryStart(arn); err == nil {
			acked = append(acked, id)
		}
	}
	saysFull(t, "StartWorkflowRun", err, v.data.path("fairlead.db"))
	if d := c.run(arn, before); d.RunState != types.WorkflowRunStatusSuccess {
		t.Errorf("a run that had ended is %s on a full disk", d.RunState)
	}
	empty()
	if err := c.put("big", 1<<20); err != nil {
		t.Errorf("PutObject after room was made: %v", err)
	}
	after := c.start(arn, nil)
	for _, id := range append(acked, after) {
		c.until(arn, id, over)
	}
	if d := c.run(arn, after); d.RunState != types.WorkflowRunStatusSuccess {
		t.Errorf("a run after room was made ended %s, tasks %v", d.RunState, c.statuses(arn, after))
	}
	v.kill()
	c = v.begin()
	for _, id := range append(acked, before, after) {
		if d := c.run(arn, id); !over(d) {
			t.Errorf("run %s, which was acknowledged and had ended, is %s after a restart", id, d.RunState)
		}
	}
	t.Logf("%d runs were acknowledged before the disk was full", len(acked))
	if t.Failed() {
		t.Logf("the server's log:\n%s", v.tail())
	}
}

// TestPartsFull fills one directory of a server at a time.
func TestPartsFull(t *testing.T) {
	if !withMounts(t) {
		return
	}
	for _, part := range []string{"attempts", "logs", "s3"} {
		t.Run(part, func(t *testing.T) {
			v := aVictim(t)
			small(t, v.data.path(part), 2<<20, 0)
			c := v.begin()
			c.bucket("workflows")
			arn := c.workflow("echo", echo)
			empty := fill(t, v.data.path(part), 0)
			if part == "s3" {
				saysFull(t, "PutObject", impatient(c).put("big", 1<<20), v.data.path(part))
			}
			id := c.start(arn, nil)
			var d *types.WorkflowRunDetail
			if part == "attempts" {
				// The attempt cannot begin; it waits for room a few seconds.
				time.Sleep(1500 * time.Millisecond) // what the test is about
				empty()
				d = c.until(arn, id, over)
			} else {
				d = c.until(arn, id, over)
				empty()
			}
			if d.RunState != types.WorkflowRunStatusSuccess {
				t.Errorf("with %s full the run ended %s, tasks %v", part, d.RunState, c.statuses(arn, id))
			}
			again := c.start(arn, nil)
			if d := c.until(arn, again, over); d.RunState != types.WorkflowRunStatusSuccess {
				t.Errorf("with room in %s again the run ended %s", part, d.RunState)
			}
			if part == "s3" {
				if err := c.put("big", 1<<20); err != nil {
					t.Errorf("PutObject after room was made: %v", err)
				}
			}
			if t.Failed() {
				t.Logf("the server's log:\n%s", v.tail())
			}
		})
	}
}

// TestReadOnlyDisk starts a server on a file system that takes no writes.
func TestReadOnlyDisk(t *testing.T) {
	if !withMounts(t) {
		return
	}
	v := aVictim(t)
	small(t, string(v.data), 8<<20, 0)
	c := v.begin()
	c.bucket("workflows")
	v.kill()
	if err := syscall.Mount("", string(v.data), "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	v.refuses("read-only", string(v.data))
}

// TestForbiddenDirectory starts a server as a user who may not use the data
// directory.
func TestForbiddenDirectory(t *testing.T) {
	v := aVictim(t)
	dir := filepath.Dir(string(v.data))
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o700) })
	if os.Geteuid() == 0 {
		v.as = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	v.refuses("permission denied", string(v.data))
}

// TestDamagedDatabase starts the real server on a database that is no good:
// it names the file, says what to do, and exits with 1.
func TestDamagedDatabase(t *testing.T) {
	v, c := newVictim(t)
	arn := c.workflow("echo", echo)
	c.until(arn, c.start(arn, nil), over)
	if err := v.stop(); err != nil {
		t.Fatalf("stop: %v; its log:\n%s", err, v.tail())
	}
	db := v.data.path("fairlead.db")
	good, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text []byte
		want string
	}{
		{"noise", bytes.Repeat([]byte("noise "), 5000), "not a database"},
		{"half", good[:len(good)/2], "damaged"},
		{"empty", nil, "another database"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := os.WriteFile(db, tt.text, 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(db + "-wal")
			v.refuses(tt.want, string(v.data))
		})
	}
	if err := os.WriteFile(db, good, 0o600); err != nil {
		t.Fatal(err)
	}
	// Locks are locks, whatever is in their files.
	for _, name := range []string{"lock", "fairlead.db.lock", "s3/lock", "server.json"} {
		if err := os.WriteFile(v.data.path(name), []byte("noise"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c = v.begin()
	c.until(arn, c.start(arn, nil), over)
}

// aVictim is a server that has not begun.
func aVictim(t *testing.T) *victim {
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "serve.log"))
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{t: t, data: dataDir(filepath.Join(dir, "data", "fairlead")), listen: freePort(t), log: log}
	if err := os.MkdirAll(filepath.Dir(string(v.data)), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.kill(); log.Close() })
	return v
}

// refuses checks that the server does not start and exits with 1 and a
// sentence that has all of the words.
func (v *victim) refuses(words ...string) {
	v.t.Helper()
	cmd := v.command()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	done := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer done.Stop()
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		v.t.Errorf("serve ended with %v, want exit status 1; it said:\n%s", err, &said)
	}
	for _, w := range words {
		if !strings.Contains(said.String(), w) {
			v.t.Errorf("serve said %q, want something with %q", said.String(), w)
		}
	}
}

// stop ends the server in good order.
func (v *victim) stop() error {
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-v.ended
	if !v.cmd.ProcessState.Success() {
		return errors.New(v.cmd.ProcessState.String())
	}
	return nil
}
