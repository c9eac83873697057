package container_test

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container"
	"fairlead/internal/exec/exectest"
)

// testImage is made of this machine's own shell and tools.
const testImage = "fairlead-exectest:local"

// engine returns a client of the container engine, with the image for tests in it.
// Without an engine the test is skipped.
func engine(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Info(t.Context(), client.InfoOptions{}); err != nil {
		t.Skipf("NOT TESTED: no container engine answers at %s; name its socket in DOCKER_HOST: %v", c.DaemonHost(), err)
	}
	if err := imported(c); err != nil {
		t.Fatalf("make the image for tests: %v", err)
	}
	return c
}

var made sync.Once

// imported gives the engine the image, once.
func imported(c *client.Client) (err error) {
	made.Do(func() { err = importImage(c) })
	return err
}

func importImage(c *client.Client) error {
	root, err := tree()
	if err != nil {
		return err
	}
	res, err := c.ImageImport(context.Background(), client.ImageImportSource{Source: root, SourceName: "-"}, testImage, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	defer res.Close()
	_, err = new(bytes.Buffer).ReadFrom(res)
	return err
}

// tools are what the suite's scripts call.
var tools = strings.Fields(`sh bash env true cat ls touch mkdir rm wc tr cut grep head tail yes sleep setsid readlink seq printf
	mount umount mknod chroot python3 dd id ln`)

// tree returns a small file system as a tar file.
func tree() (*bytes.Buffer, error) {
	b := &bytes.Buffer{}
	w := tar.NewWriter(b)
	had := map[string]bool{}
	put := func(name string, mode int64, content []byte) error {
		had[name] = true
		if err := w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	for _, d := range []string{"usr/", "usr/bin/", "usr/lib/", "usr/lib64/", "usr/local/", "usr/local/bin/", "usr/local/share/", "etc/", "tmp/", "var/", "home/", "root/", "dev/", "proc/", "sys/"} {
		if err := w.WriteHeader(&tar.Header{Name: d, Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"bin", "lib", "lib64"} {
		if err := w.WriteHeader(&tar.Header{Name: d, Linkname: "usr/" + d, Mode: 0o777, Typeflag: tar.TypeSymlink}); err != nil {
			return nil, err
		}
	}
	if err := put("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n")); err != nil {
		return nil, err
	}
	// file adds a program, and the libraries that it names.
	var file func(source, target string) error
	file = func(source, target string) error {
		if had[target] {
			return nil
		}
		content, err := os.ReadFile(source)
		if err != nil {
			return err
		}
		if err := put(target, 0o755, content); err != nil {
			return err
		}
		e, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			return nil // a script
		}
		names, _ := e.ImportedLibraries()
		for _, p := range e.Progs {
			if p.Type == elf.PT_INTERP {
				interp := make([]byte, p.Filesz-1)
				if _, err := p.ReadAt(interp, 0); err != nil {
					return err
				}
				real, err := filepath.EvalSymlinks(string(interp))
				if err != nil {
					return err
				}
				at := string(interp)
				if !strings.HasPrefix(at, "/usr/") {
					at = "/usr" + at
				}
				if err := file(real, at); err != nil {
					return err
				}
			}
		}
		for _, n := range names {
			found, _ := filepath.Glob("/usr/lib/*/" + n)
			if len(found) == 0 {
				found, _ = filepath.Glob("/usr/lib*/" + n)
			}
			if len(found) == 0 {
				continue // the command that needs it says so
			}
			if err := file(found[0], found[0]); err != nil {
				return err
			}
		}
		return nil
	}
	for _, name := range tools {
		for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
			err := file(filepath.Join(dir, name), "/usr/bin/"+name)
			if err == nil {
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return b, w.Close()
}

func newDriver(t testing.TB, root string) *container.Driver {
	t.Helper()
	d, err := container.New(t.Context(), container.Options{Root: root, Image: testImage})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// What a test has left behind, and what it has not forgotten.
		if err := d.Sweep(func(string) bool { return false }); err != nil {
			t.Error(err)
		}
		d.Close()
	})
	return d
}

func TestContainer(t *testing.T) {
	engine(t)
	exectest.Run(t, func(t *testing.T, root string) exec.Driver { return newDriver(t, root) })
}

// TestStartedTwice has somebody else start the container of an ended attempt.
func TestStartedTwice(t *testing.T) {
	c := engine(t)
	root, shared := t.TempDir(), t.TempDir()
	spec := exec.Spec{
		ID: "started-twice", Argv: []string{"/bin/sh", "-c", "echo ran >> /shared/ran; exit 3"}, Log: filepath.Join(root, "log"),
		Mounts: []exec.Mount{{Source: shared, Target: "/shared", Writable: true}},
	}
	d := newDriver(t, root)
	run := func() {
		if x, err := d.Run(t.Context(), spec, "", nil); err != nil || x.Code != 3 {
			t.Fatalf("Run: got %+v, %v; want code 3", x, err)
		}
	}
	run()
	list, err := c.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: client.Filters{}.Add("label", "fairlead.attempt="+spec.ID)})
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("containers of the attempt: got %d, %v; want 1", len(list.Items), err)
	}
	if _, err := c.ContainerStart(t.Context(), list.Items[0].ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	run()
	if ran, _ := os.ReadFile(filepath.Join(shared, "ran")); string(ran) != "ran\n" {
		t.Errorf("a container that was started twice: the command wrote %q, want one line", ran)
	}
}
