// Package enginetest finds a container engine for tests, and gives it an image
// made of this machine's own shell, tools and Python, since tests download none.
package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"
)

// Image is the image for tests.
const Image = "fairlead-exectest:local"

// Client returns a client of the container engine, with the image for tests in
// it. Without an engine the test is skipped.
func Client(t testing.TB) *client.Client {
	t.Helper()
	c, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if _, err := c.Info(t.Context(), client.InfoOptions{}); err != nil {
		t.Skipf("NOT TESTED: no container engine answers at %s; name its socket in DOCKER_HOST: %v", c.DaemonHost(), err)
	}
	if err := imported(); err != nil {
		t.Fatalf("make the image for tests: %v", err)
	}
	return c
}

// Static skips a test whose binary needs libraries, which images without any file
// lack.
func Static(t testing.TB) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Skip("NOT TESTED: the test needs the libraries of the C language; run it with CGO_ENABLED=0")
	}
}

// imported gives the engine the image, once.
var imported = sync.OnceValue(func() error {
	c, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer c.Close()
	root, err := tree()
	if err != nil {
		return err
	}
	before, err := c.ImageInspect(context.Background(), Image)
	if err == nil { // it would stay without a name
		defer func() {
			_, _ = c.ImageRemove(context.Background(), before.ID, client.ImageRemoveOptions{}) // if nobody uses it
		}()
	}
	res, err := c.ImageImport(context.Background(), client.ImageImportSource{Source: root, SourceName: "-"}, Image, client.ImageImportOptions{})
	if err != nil {
		return err
	}
	defer res.Close()
	_, err = io.Copy(io.Discard, res)
	return err
})

// tree returns a small file system as a tar file.
func tree() (*bytes.Buffer, error) {
	b := &bytes.Buffer{}
	p := packer{tar.NewWriter(b), map[string]bool{}}
	for _, d := range strings.Fields("usr usr/bin usr/lib usr/lib64 usr/local usr/local/bin usr/local/share etc tmp var home root dev proc sys") {
		if err := p.w.WriteHeader(&tar.Header{Name: d + "/", Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{"bin", "lib", "lib64"} {
		if err := p.w.WriteHeader(&tar.Header{Name: d, Linkname: "usr/" + d, Mode: 0o777, Typeflag: tar.TypeSymlink}); err != nil {
			return nil, err
		}
	}
	if err := p.put("/etc/passwd", 0o644, []byte("root:x:0:0:root:/root:/bin/sh\n")); err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(tools) {
		for _, dir := range []string{"/usr/bin", "/usr/sbin"} {
			err := p.file(filepath.Join(dir, name), "/usr/bin/"+name)
			if err == nil {
				break
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	if err := p.python(); err != nil {
		return nil, err
	}
	return b, p.w.Close()
}

// tools are what tests call.
const tools = `sh bash env true cat ls touch mkdir rm wc tr cut grep head tail yes sleep setsid readlink seq printf
	mount umount mknod chroot python3 dd id ln date`

// A packer writes files of this machine, each once.
type packer struct {
	w   *tar.Writer
	had map[string]bool
}

func (p packer) put(name string, mode int64, content []byte) error {
	p.had[name] = true
	if err := p.w.WriteHeader(&tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: mode, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
		return err
	}
	_, err := p.w.Write(content)
	return err
}

// file adds a file and, if it is a program, the libraries that it names.
func (p packer) file(source, target string) error {
	if p.had[target] {
		return nil
	}
	content, err := os.ReadFile(source)
	if err != nil {
		return err
	}
	if err := p.put(target, 0o755, content); err != nil {
		return err
	}
	e, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return nil // a script
	}
	names, _ := e.ImportedLibraries()
	for _, s := range e.Progs {
		if s.Type == elf.PT_INTERP {
			interp := make([]byte, s.Filesz-1)
			if _, err := s.ReadAt(interp, 0); err != nil {
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
			if err := p.file(real, at); err != nil {
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
		if err := p.file(found[0], found[0]); err != nil {
			return err
		}
	}
	return nil
}

// python adds what Python's own modules need, but for the large and rare.
func (p packer) python() error {
	out, err := exec.Command("/usr/bin/python3", "-c", "import sysconfig; print(sysconfig.get_path('stdlib'))").Output()
	if err != nil {
		return nil // the command that needs it says so
	}
	lib := strings.TrimSpace(string(out))
	rare := []string{"__pycache__", "test", "idlelib", "lib2to3", "tkinter", "ensurepip", "distutils", "site-packages", "dist-packages", "pydoc_data"}
	return filepath.WalkDir(lib, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && (slices.Contains(rare, e.Name()) || strings.HasPrefix(e.Name(), "config-")):
			return fs.SkipDir
		case strings.HasSuffix(name, ".py"), strings.HasSuffix(name, ".so"):
			return p.file(name, name)
		}
		return nil
	})
}
