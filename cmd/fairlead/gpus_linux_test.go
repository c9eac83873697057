package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fairlead/internal/flow"
)

// fakeDevices makes a directory with what stands for the device files of GPUs.
// No GPU is needed to hold who can open which.
func fakeDevices(t *testing.T, names ...string) func(*options) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range append(names, "nvidiactl") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("this is "+name+"\n"), 0o666); err != nil { //nolint:gosec // as devices are
			t.Fatal(err)
		}
	}
	return func(o *options) { o.devices = dir }
}

const onGPU = `version 1.1
task see {
  input { Int i  Int gpus = 1 }
  command <<<
    echo "$NVIDIA_VISIBLE_DEVICES" > ids; echo "$CUDA_VISIBLE_DEVICES" > cuda
    ls /dev | grep -c '^nvidia[0-9]' > seen || true
    sleep 0.3
  >>>
  output { String ids = read_string("ids")  String cuda = read_string("cuda")  Int seen = read_int("seen") }
  runtime { acceleratorType: "nvidia-tesla-t4" acceleratorCount: gpus }
}
workflow main {
  input { Int n = 4  Int gpus = 1 }
  scatter (i in range(n)) { call see { input: i, gpus } }
  output { Array[String] ids = see.ids  Array[String] cuda = see.cuda  Array[Int] seen = see.seen }
}`

// TestOmicsGPUs holds that each task has the GPUs that it asks for, to itself.
func TestOmicsGPUs(t *testing.T) {
	l := newLab(t, fakeDevices(t, "nvidia0", "nvidia1"))
	w := l.wdl(onGPU)
	outputs := func(id string) flow.Output {
		t.Helper()
		raw, ok, err := l.app.db.Output(t.Context(), flow.RunID(id), "outputs.", "outputs")
		if err != nil || !ok {
			t.Fatalf("outputs of run %s: %v, %v", id, ok, err)
		}
		return flow.Output{Value: raw}
	}
	id := l.begin(object{"workflowId": w})
	if r := l.ends(id); r["status"] != "COMPLETED" {
		t.Fatalf("run: %v", r)
	}
	if got := string(outputs(id).Value); !strings.Contains(got, `"0"`) || !strings.Contains(got, `"1"`) || !strings.Contains(got, `"cuda":["0","0","0","0"],"seen":[1,1,1,1]`) {
		t.Errorf("with a GPU each: %s", got)
	}
	// No two had one at once.
	type span struct{ device, from, to string }
	var spans []span
	tasks, err := l.app.db.Tasks(t.Context(), flow.RunID(id))
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		if !strings.HasSuffix(string(task.ID), "/see") {
			continue
		}
		raw, _, err := l.app.db.Output(t.Context(), flow.RunID(id), task.ID, "outputs")
		if err != nil {
			t.Fatal(err)
		}
		const form = "15:04:05.000000"
		spans = append(spans, span{string(raw), task.Started.Format(form), task.Ended.Format(form)})
	}
	slices.SortFunc(spans, func(a, b span) int { return strings.Compare(a.device+a.from, b.device+b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].device == spans[i-1].device && spans[i].from < spans[i-1].to {
			t.Errorf("two tasks had %s, one to %s and one from %s", spans[i].device, spans[i-1].to, spans[i].from)
		}
	}
	for _, item := range l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any) {
		if task := item.(object); task["gpus"] != 1.0 || task["instanceType"] != "omics.g4dn.xlarge" {
			t.Errorf("task: %v", task)
		}
	}

	id = l.begin(object{"workflowId": w, "parameters": object{"n": 1, "gpus": 2}})
	l.ends(id)
	if got := string(outputs(id).Value); got != `{"ids":["0,1"],"cuda":["0,1"],"seen":[2]}` {
		t.Errorf("with two GPUs: %s", got)
	}
	if r := l.ends(l.begin(object{"workflowId": w, "parameters": object{"gpus": 3}})); r["failureReason"] != "INVALID_TASK_RESOURCE_VALUE" || !strings.Contains(r["statusMessage"].(string), "asks for 3 GPUs (nvidia-tesla-t4), and this machine has 2") {
		t.Errorf("more GPUs than there are: %v", r)
	}
	// Others see none.
	const plain = `version 1.0
task see { command { ls /dev | grep -c nvidia || true } output { String s = read_string(stdout()) } }
workflow main { call see  output { String s = see.s } }`
	id = l.begin(object{"workflowId": l.wdl(plain)})
	l.ends(id)
	if got := string(outputs(id).Value); got != `{"s":"0"}` {
		t.Errorf("a task that asks for no GPU sees %s", got)
	}
}

// TestOmicsWithoutGPUs holds what becomes of tasks that ask for a GPU where none
// is.
func TestOmicsWithoutGPUs(t *testing.T) {
	l := newLab(t, fakeDevices(t))
	r := l.ends(l.begin(object{"workflowId": l.wdl(onGPU)}))
	if r["failureReason"] != "UNSUPPORTED_GPU_INSTANCE_TYPE" || !strings.Contains(r["statusMessage"].(string), "asks for 1 GPU (nvidia-tesla-t4), and this machine has none") {
		t.Errorf("run: %v", r)
	}
	profiles := func(last string) string {
		return l.wdl(`version 1.1
task t {
  command <<< true >>>
  runtime { omicsResourceFallbackOrder: [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1, "cpu": 1}` + last + `] }
}
workflow main { call t }`)
	}
	id := l.begin(object{"workflowId": profiles(`, {"cpu": 2}`)})
	if r := l.ends(id); r["status"] != "COMPLETED" {
		t.Errorf("a task that does without a GPU: %v", r)
	}
	if task := l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any)[0].(object); task["gpus"] != 0.0 || task["cpus"] != 2.0 || task["instanceType"] != "omics.c.large" {
		t.Errorf("its second profile: %v", task)
	}
	l = newLab(t, func(o *options) { o.gpuCount = "ignore" })
	if r := l.ends(l.begin(object{"workflowId": l.wdl(onGPU)})); r["status"] != "COMPLETED" {
		t.Errorf("run with --gpus ignore: %v", r)
	}
}

// TestGPUsOutliveTheServer holds that a task keeps its GPU when its server ends,
// and that the next server gives it to nobody else.
func TestGPUsOutliveTheServer(t *testing.T) {
	change := fakeDevices(t, "nvidia0")
	data := dataDir(t.TempDir())
	l := newLab(t, func(o *options) { change(o); o.data = data })
	w := l.wdl(`version 1.1
task hold {
  input { Int i }
  command <<< while [ ! -e go ]; do sleep 0.05; done >>>
  runtime { gpu: true }
}
workflow main { scatter (i in [0, 1]) { call hold { input: i } } }`)
	id := l.begin(object{"workflowId": w})
	l.until(func() bool {
		got := l.tasks(id)
		return got == "RUNNING PENDING" || got == "PENDING RUNNING"
	})
	before := l.tasks(id)
	if err := l.app.close(); err != nil {
		t.Fatal(err)
	}
	_, c := launch(t, func(o *options) { change(o); o.data = data })
	next := omicsClient{c}
	next.until(func() bool { return next.tasks(id) == before })
	next.must(202, "POST", "/run/"+id+"/cancel", nil)
	next.becomes(id, "CANCELLED")
}

// TestGPUFlag holds what --gpus takes.
func TestGPUFlag(t *testing.T) {
	o := defaultOptions()
	fakeDevices(t, "nvidia0", "nvidia2")(&o)
	for flag, want := range map[string]string{
		"auto": "ok 2: DIR/nvidia0, DIR/nvidia2", "1": "ok 1: DIR/nvidia0", "3": "ok 3: DIR/nvidia0, DIR/nvidia2, DIR/nvidia1 (which is not here)",
		"0": "missing none", "ignore": "degraded none", "many": "missing --gpus \"many\": expected auto",
	} {
		o.gpuCount = flag
		f := gpuFinding(o)
		if got := strings.ReplaceAll(f.Status+" "+f.How, o.devices, "DIR"); !strings.HasPrefix(got, want) {
			t.Errorf("--gpus %s: %s, want %s", flag, got, want)
		}
	}
}
