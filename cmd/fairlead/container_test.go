package main

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	"fairlead/internal/exec/container/enginetest"
)

// inContainers has a server run tasks in containers of the image for tests.
// Without an engine the test is skipped.
func inContainers(t *testing.T) func(*options) {
	t.Helper()
	enginetest.Client(t)
	return func(o *options) { o.driver, o.image, o.python = "container", enginetest.Image, "python3" }
}

// TestContainers runs a workflow with a code package in containers. The image of
// one task cannot be had, and its error says why.
func TestContainers(t *testing.T) {
	in := inContainers(t)
	c := serve(t, func(o *options) {
		in(o)
		o.isolation = "require"
	})
	arn := c.packaged("boxes", `boxes:
  default_args: {retries: 0}
  tasks:
    shell:
      operator: airflow.operators.bash.BashOperator
      bash_command: cat words.txt
    python:
      operator: airflow.operators.python.PythonOperator
      python_callable: boxes.greet
      op_args: ["{{ ti.xcom_pull(task_ids='shell') }}"]
      dependencies: [shell]
    absent:
      operator: airflow.operators.bash.BashOperator
      bash_command: "true"
`, map[string]string{"boxes.py": "def greet(text): return text.upper()\n", "words.txt": "hello"})
	_, err := c.api.TagResource(t.Context(), &mwaaserverless.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{
		imageTag + ":absent": "127.0.0.1:1/no/such:image",
	}})
	if err != nil {
		t.Fatal(err)
	}
	run := c.start(arn, nil)
	c.until(arn, run, over)
	for _, ti := range c.instances(arn, run) {
		got := string(ti.Status) + " " + ti.Xcom["return_value"] + aws.ToString(ti.ErrorMessage)
		if want := map[string]string{
			"shell": `SUCCESS "hello"`, "python": `SUCCESS "HELLO"`, "absent": "connection refused",
		}[*ti.TaskId]; !strings.Contains(got, want) {
			t.Errorf("task %s in a container: got %s, want %s", *ti.TaskId, got, want)
		}
	}
}

// TestNetworkOfContainers runs the same workflow under each word.
func TestNetworkOfContainers(t *testing.T) { checkNetworks(t, inContainers(t)) }

// TestOmicsImages has a registry map name the image of a task: it is what the
// task gets, and GetRunTask says what it is called where.
func TestOmicsImages(t *testing.T) {
	in := inContainers(t)
	l := newLab(t, in)
	const text = `version 1.1
task t {
  command <<< true >>>
  runtime { docker: "quay.io/no/such:1" returnCodes: "*" }
}
workflow main { call t }`
	w := l.workflowOf(text, object{"containerRegistryMap": object{"imageMappings": []object{
		{"sourceImage": "quay.io/no/such:1", "destinationImage": enginetest.Image},
	}}})
	id := l.begin(object{"workflowId": w})
	if r := l.ends(id); r["status"] != "COMPLETED" {
		t.Fatalf("run: %v", r)
	}
	item := l.must(200, "GET", "/run/"+id+"/task", nil)["items"].([]any)[0].(object)
	task := l.must(200, "GET", "/run/"+id+"/task/"+item["taskId"].(string), nil)
	image := task["imageDetails"].(object)
	if image["image"] != enginetest.Image || image["sourceImage"] != "quay.io/no/such:1" || !strings.HasPrefix(image["imageDigest"].(string), "sha256:") {
		t.Errorf("imageDetails: %v", image)
	}

	// Without the map there is no such image, and with a GPU no means to give it.
	r := l.ends(l.begin(object{"workflowId": l.wdl(strings.Replace(text, "quay.io/no", "127.0.0.1:1/no", 1))}))
	if r["status"] != "FAILED" || !strings.Contains(r["statusMessage"].(string), "127.0.0.1:1/no/such:1") {
		t.Errorf("an image that is not there: %v", r)
	}
}

// TestGPUsOfAnEngine holds what is said where an engine has no means to give
// containers GPUs.
func TestGPUsOfAnEngine(t *testing.T) {
	in := inContainers(t)
	l := newLab(t, func(o *options) { in(o); o.gpuCount = "1" })
	r := l.ends(l.begin(object{"workflowId": l.wdl(`version 1.1
task t { command <<< true >>> runtime { gpu: true } }
workflow main { call t }`)}))
	if r["status"] != "FAILED" || !strings.Contains(r["statusMessage"].(string), "NVIDIA") {
		t.Errorf("run: %v", r)
	}
}
