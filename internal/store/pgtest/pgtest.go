// Package pgtest finds or starts a PostgreSQL for a test.
package pgtest

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// URL returns that of a database to test with: what FAIRLEAD_TEST_POSTGRES
// says, or one of a server on a loopback port that ends with the test. Without
// either the test is skipped.
func URL(t *testing.T) string {
	t.Helper()
	if url := os.Getenv("FAIRLEAD_TEST_POSTGRES"); url != "" {
		return url
	}
	return start(t)
}

func start(t *testing.T) string {
	t.Helper()
	initdb, server := program("initdb"), program("postgres")
	if initdb == "" || server == "" {
		t.Skip("NOT TESTED ON POSTGRESQL: there is no postgres here and FAIRLEAD_TEST_POSTGRES is not set")
	}
	// The test's own directory is closed to others.
	dir, err := os.MkdirTemp("", "fairlead-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 { // PostgreSQL refuses to run as root
		cred := someUser(t)
		attr.Credential = cred
		if err := os.Chown(dir, int(cred.Uid), int(cred.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	initialise := exec.CommandContext(t.Context(), initdb, "-D", data, "-A", "trust", "-U", "test", "-E", "UTF8", "--locale", "C", "-N")
	initialise.SysProcAttr, initialise.Dir = attr, dir
	if out, err := initialise.CombinedOutput(); err != nil {
		t.Skipf("NOT TESTED ON POSTGRESQL: initdb: %v\n%s", err, out)
	}
	port := freePort(t)
	run := exec.Command(server, "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-F")
	run.SysProcAttr, run.Dir = attr, dir
	log, err := run.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = run.Process.Signal(syscall.SIGQUIT) // at once; nothing is worth keeping
		<-drained
		_ = run.Wait()
	})
	var said strings.Builder
	lines := bufio.NewScanner(log)
	for ready := false; !ready; ready = strings.Contains(lines.Text(), "ready to accept connections") {
		if !lines.Scan() {
			close(drained)
			t.Fatalf("PostgreSQL does not come up:\n%s", said.String())
		}
		fmt.Fprintln(&said, lines.Text())
	}
	go func() { // or the server would block on its log
		defer close(drained)
		for lines.Scan() {
		}
	}()
	return "postgres://test@127.0.0.1:" + port + "/postgres?sslmode=disable"
}

// program finds a program of PostgreSQL, which Debian keeps off the path.
func program(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return ""
	}
	return found[len(found)-1]
}

func someUser(t *testing.T) *syscall.Credential {
	t.Helper()
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			uid, _ := strconv.Atoi(u.Uid)
			gid, _ := strconv.Atoi(u.Gid)
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), NoSetGroups: true}
		}
	}
	t.Skip("NOT TESTED ON POSTGRESQL: root must not run it, and there is no user postgres or nobody")
	return nil
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}
