package wdl

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestInstances holds the choice against HealthOmics' table and its examples.
func TestInstances(t *testing.T) {
	for _, tt := range []struct {
		cpus, gib, gpus int
		gpu, want       string
	}{
		{1, 1, 0, "", "omics.c.large"},
		{2, 4, 0, "", "omics.c.large"},
		{2, 5, 0, "", "omics.m.large"},
		{4, 8, 0, "", "omics.c.xlarge"},
		{8, 64, 0, "", "omics.r.2xlarge"},
		{1, 17, 0, "", "omics.r.xlarge"},
		{192, 1536, 0, "", "omics.r.48xlarge"},
		{193, 1, 0, "", ""},
		{4, 16, 1, "nvidia-tesla-t4", "omics.g4dn.xlarge"},
		{4, 16, 4, "nvidia-tesla-a10g", "omics.g5.12xlarge"},
		{4, 30, 1, "nvidia-l40s", "omics.g6e.xlarge"},
		{4, 16, 1, "nvidia-t4-a10g-l4", "omics.g6.xlarge"},
		{4, 16, 1, "abacus", ""},
	} {
		if got := instance(tt.cpus, int64(tt.gib)*gib, tt.gpus, tt.gpu); got != tt.want {
			t.Errorf("%d processors, %d GiB, %d of %q: got %q, want %q", tt.cpus, tt.gib, tt.gpus, tt.gpu, got, tt.want)
		}
	}
}

func TestResources(t *testing.T) {
	plain := Resources{CPUs: 1, Memory: gib, Preemptible: 2, Instance: "omics.c.large"}
	with := func(f func(*Resources)) Resources {
		r := plain
		f(&r)
		return r
	}
	for _, tt := range []struct {
		keys string
		want Resources
		err  string
	}{
		{"", plain, ""},
		{`cpu: 1.5 memory: "15 GB"`, with(func(r *Resources) { r.CPUs, r.Memory, r.Instance = 2, 14*gib, "omics.r.large" }), ""},
		{`memory: "4G"`, with(func(r *Resources) { r.Memory, r.Instance = 4*gib, "omics.c.large" }), ""},
		{`memory: "~{n} GiB"`, with(func(r *Resources) { r.Memory, r.Instance = 3*gib, "omics.c.large" }), ""},
		{`memory: 2147483648`, with(func(r *Resources) { r.Memory = 2 * gib }), ""},
		{`memory: "much"`, plain, `memory: expected an amount such as "4 GiB", found "much"`},
		{`memory: "9999999999 TiB"`, plain, "more than any machine"},
		{`cpu: "x"`, plain, `cpu: expected a number, found "x"`},
		{`docker: "ubuntu:22.04"`, with(func(r *Resources) { r.Images = []string{"ubuntu:22.04"} }), ""},
		{`container: ["a", "b"]`, with(func(r *Resources) { r.Images = []string{"a", "b"} }), ""},
		{`disks: "local-disk 10 SSD, /mnt/x 5 HDD"`, with(func(r *Resources) { r.Disk = 15 * gib }), ""},
		{`disks: "20 GB"`, with(func(r *Resources) { r.Disk = 20e9 }), ""},
		{`maxRetries: 2 preemptible: 0`, with(func(r *Resources) { r.MaxRetries, r.Preemptible = 2, 0 }), ""},
		{`maxRetries: -1`, plain, "0 or more"},
		{`returnCodes: [0, 3]`, with(func(r *Resources) { r.ReturnCodes = []int{0, 3} }), ""},
		{`returnCodes: "*"`, with(func(r *Resources) { r.AnyCode = true }), ""},
		{`omicsTimeout: "1h30m30s"`, with(func(r *Resources) { r.Timeout = 90 * time.Minute }), ""},
		{`omicsTimeout: 30`, plain, "less than a minute"},
		{`gpuType: "nvidia-tesla-t4" gpuCount: 1 cpu: 4 memory: "16 GiB"`, with(func(r *Resources) {
			r.GPU, r.GPUs, r.CPUs, r.Memory, r.Instance = "nvidia-tesla-t4", 1, 4, 16*gib, "omics.g4dn.xlarge"
		}), ""},
		{`omicsResourceFallbackOrder: flatten([[{"cpu": "4", "memory": "8 GiB"}, {"cpu": "2"}]])`, with(func(r *Resources) {
			r.CPUs, r.Memory, r.Instance = 4, 8*gib, "omics.c.xlarge"
			r.Others = []Resources{{CPUs: 2, Memory: gib}}
		}), ""},
		{`omicsResourceFallbackOrder: flatten([[{"disk": "4"}]])`, plain, `profile 1: no such key: "disk"`},
	} {
		text := fmt.Sprintf("version 1.1\ntask t {\n  input { Int n = 3 }\n  command <<< >>>\n  runtime { %s }\n}\n", tt.keys)
		doc, found := Load(fstest.MapFS{"main.wdl": {Data: []byte(text)}}, "main.wdl", Options{})
		if Refused(found) {
			t.Errorf("%s: refused: %v", tt.keys, found)
			continue
		}
		v := &Evaluator{Rules: Rules{Version: doc.Version}}
		NewScope(v, nil, nil, doc.Tasks[0].Inputs)
		got, err := v.Resources(doc.Tasks[0])
		switch {
		case tt.err != "":
			if err == nil || !strings.Contains(err.Error(), tt.err) || !strings.Contains(err.Error(), "main.wdl:5:") {
				t.Errorf("%s: got %v, want an error with its place that says %s", tt.keys, err, tt.err)
			}
		case err != nil:
			t.Errorf("%s: %v", tt.keys, err)
		default:
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%s: (-want +got)\n%s", tt.keys, diff)
			}
		}
	}
}
