package container

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"

	"fairlead/internal/exec"
)

// TestGPURequest holds what the engine is asked for: no GPU is needed to ask.
func TestGPURequest(t *testing.T) {
	d := &Driver{opts: Options{Root: t.TempDir(), Helper: "/bin/true"}}
	const uuid = "GPU-4f0a1234-0000-1111-2222-333344445555"
	spec := exec.Spec{ID: "a", Log: "/l", GPUs: []exec.GPU{{Index: 1}, {Index: 2, UUID: uuid, Node: "/dev/nvidia2"}}}
	want := []container.DeviceRequest{{DeviceIDs: []string{"1", uuid}, Capabilities: [][]string{{"gpu"}}}}
	if diff := cmp.Diff(want, d.hostConfig(spec).DeviceRequests); diff != "" {
		t.Errorf("device requests (-want +got):\n%s", diff)
	}
	spec.GPUs = nil
	if got := d.hostConfig(spec).DeviceRequests; got != nil {
		t.Errorf("without GPUs the engine is asked for %v", got)
	}
}
