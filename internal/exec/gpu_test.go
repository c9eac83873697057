package exec

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestGPUs looks for device files of a machine that is made up: this one may
// have no GPU.
func TestGPUs(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		t.Helper()
		at := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"nvidia10", "nvidia0", "nvidia2", "nvidiactl", "nvidia-uvm", "nvidia-caps", "null"} {
		put("dev/"+name, "")
	}
	const uuid = "GPU-4f0a1234-0000-1111-2222-333344445555"
	put("proc/gpus/0000:00:1e.0/information", "Model: \t\t Tesla T4\nGPU UUID: \t "+uuid+"\nDevice Minor: \t 2\n")
	put("proc/gpus/0000:00:1f.0/information", "GPU UUID: \t GPU-????????-????-????-????-????????????\nDevice Minor: \t 0\n")
	got, err := FindGPUs(filepath.Join(dir, "dev"), filepath.Join(dir, "proc"))
	if err != nil {
		t.Fatal(err)
	}
	node := func(name string) string { return filepath.Join(dir, "dev", name) }
	want := []GPU{{0, "", node("nvidia0")}, {2, uuid, node("nvidia2")}, {10, "", node("nvidia10")}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("GPUs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{node("nvidiactl"), node("nvidia-uvm"), node("nvidia2")}, GPUNodes(got[1:2])); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		gpus  []GPU
		alone bool
		want  string
	}{
		{nil, true, ""},
		{got[1:2], true, "NVIDIA_VISIBLE_DEVICES=" + uuid + " CUDA_VISIBLE_DEVICES=" + uuid},
		{got[1:], true, "NVIDIA_VISIBLE_DEVICES=" + uuid + ",10 CUDA_VISIBLE_DEVICES=0,1"},
		{got[2:], false, "NVIDIA_VISIBLE_DEVICES=10 CUDA_VISIBLE_DEVICES=10"},
	} {
		if got := strings.Join(GPUEnv(tt.gpus, tt.alone), " "); got != tt.want {
			t.Errorf("GPUEnv(%v, %v) = %q, want %q", tt.gpus, tt.alone, got, tt.want)
		}
	}
	if none, err := FindGPUs(filepath.Join(dir, "nowhere"), ""); err != nil || len(none) != 0 {
		t.Errorf("of a directory that is not there: %v, %v, want none", none, err)
	}
}
