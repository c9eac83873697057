package container_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/container/enginetest"
	"fairlead/internal/flow"
)

// registry serves one image without programs under the name "image", and refuses
// others by what their names say. Engines ask registries at loopback addresses
// without TLS.
func registry(t *testing.T) (host string) {
	t.Helper()
	var layer bytes.Buffer
	z := gzip.NewWriter(&layer)
	w := tar.NewWriter(z)
	files := &bytes.Buffer{}
	for _, out := range []*tar.Writer{w, tar.NewWriter(files)} {
		if err := out.WriteHeader(&tar.Header{Name: "tmp/", Mode: 0o755, Typeflag: tar.TypeDir}); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	digest := func(b []byte) string { return fmt.Sprintf("sha256:%x", sha256.Sum256(b)) }
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	config := encode(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{digest(files.Bytes())}},
	})
	const docker = "application/vnd.docker."
	part := func(kind string, b []byte) map[string]any {
		return map[string]any{"mediaType": docker + kind, "size": len(b), "digest": digest(b)}
	}
	manifest := encode(map[string]any{
		"schemaVersion": 2, "mediaType": docker + "distribution.manifest.v2+json",
		"config": part("container.image.v1+json", config), "layers": []any{part("image.rootfs.diff.tar.gzip", layer.Bytes())},
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func(status int, code string) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"errors": [{"code": %q, "message": "says the registry"}]}`, code)
		}
		switch path := r.URL.Path; {
		case path == "/v2/":
		case strings.HasPrefix(path, "/v2/private/"):
			refuse(http.StatusUnauthorized, "UNAUTHORIZED")
		case strings.HasPrefix(path, "/v2/broken/"):
			refuse(http.StatusInternalServerError, "UNKNOWN")
		case strings.HasPrefix(path, "/v2/image/manifests/"):
			w.Header().Set("Content-Type", docker+"distribution.manifest.v2+json")
			w.Header().Set("Docker-Content-Digest", digest(manifest))
			_, _ = w.Write(manifest)
		case path == "/v2/image/blobs/"+digest(config):
			_, _ = w.Write(config)
		case path == "/v2/image/blobs/"+digest(layer.Bytes()):
			_, _ = w.Write(layer.Bytes())
		default:
			refuse(http.StatusNotFound, "MANIFEST_UNKNOWN")
		}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// TestPull has the engine fetch images that there are, and that cannot be had.
func TestPull(t *testing.T) {
	c := enginetest.Client(t)
	enginetest.Static(t)
	host, root := registry(t), t.TempDir()
	d := newDriver(t, root)
	for i, tt := range []struct {
		name, want string
		kind       flow.Kind
	}{
		{"image:1", "", 0},
		{"absent:1", "does not exist", flow.Invalid},
		{"private:1", "wants a login", flow.Invalid},
		{"broken:1", "500 Internal Server Error", flow.Busy},
	} {
		name := host + "/" + tt.name
		spec := exec.Spec{ID: fmt.Sprint("pull", i), Argv: []string{"/no/such"}, Image: name, Log: filepath.Join(root, fmt.Sprint("log", i))}
		x, err := d.Run(t.Context(), spec, "", nil)
		log, _ := os.ReadFile(spec.Log)
		if !strings.Contains(string(log), "Pulling image "+name) {
			t.Errorf("%s: the log has no line about it:\n%s", tt.name, log)
		}
		if tt.want == "" {
			if err != nil || x.Code != 127 || !strings.Contains(string(log), "Pulled image "+name) {
				t.Errorf("%s: got %+v, %v, log\n%s\nwant status 127 in the image", tt.name, x, err, log)
			}
			if _, err := c.ImageRemove(t.Context(), name, client.ImageRemoveOptions{Force: true}); err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) || flow.KindOf(err) != tt.kind {
			t.Errorf("%s: got %v (kind %v), want %q (kind %v)", tt.name, err, flow.KindOf(err), tt.want, tt.kind)
		}
	}
}
