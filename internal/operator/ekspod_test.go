package operator

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"fairlead/internal/operator/awstest"
)

// A kubeWorld is a Kubernetes in which one pod at a time goes through phases,
// one at each look.
type kubeWorld struct {
	*testing.T
	mu     sync.Mutex
	pod    map[string]any
	phases []string
	exit   int
	born   time.Time
	looked func(n int) // after each look
	looks  int
	log    string
}

func (w *kubeWorld) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer k8s-aws-v1.")
	signed, err := base64.RawURLEncoding.DecodeString(text)
	u, _ := url.Parse(string(signed))
	if !ok || err != nil || u.Query().Get("X-Amz-SignedHeaders") != "host;x-k8s-aws-id" || u.Query().Get("Action") != "GetCallerIdentity" {
		w.Errorf("the token %q stands for %q", text, signed)
	}
	const pods = "/api/v1/namespaces/jobs/pods"
	switch path := strings.TrimPrefix(r.URL.Path, pods); {
	case r.Method == http.MethodPost && path == "":
		if err := json.NewDecoder(r.Body).Decode(&w.pod); err != nil {
			w.Error(err)
		}
		rw.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(rw).Encode(w.pod)
	case w.pod == nil:
		http.Error(rw, `{"message": "pods not found"}`, http.StatusNotFound)
	case strings.HasSuffix(path, "/log"):
		since, _, _ := strings.Cut(r.URL.Query().Get("sinceTime"), ".")
		var text strings.Builder
		for line := range strings.Lines(w.log) {
			// As Kubernetes does, give those of the same second again.
			if at, _, _ := strings.Cut(line, "."); at >= since {
				text.WriteString(line)
			}
		}
		_, _ = io.WriteString(rw, text.String()[:min(text.Len(), 1<<20)])
	case r.Method == http.MethodDelete:
		w.pod = nil
	case r.Method == http.MethodGet:
		phase := w.phases[min(w.looks, len(w.phases)-1)]
		w.looks++
		w.log += fmt.Sprintf("2026-11-21T08:00:%02d.5Z line %d\n", w.looks, w.looks)
		if w.looked != nil {
			w.looked(w.looks)
		}
		if phase == "sick" {
			http.Error(rw, "later", http.StatusServiceUnavailable)
			return
		}
		state := map[string]any{}
		if phase == "Succeeded" || phase == "Failed" {
			state["terminated"] = map[string]any{"exitCode": w.exit, "reason": "Error"}
		}
		_ = json.NewEncoder(rw).Encode(map[string]any{
			"metadata": map[string]any{"creationTimestamp": w.born.Format(time.RFC3339)},
			"status":   map[string]any{"phase": phase, "containerStatuses": []any{map[string]any{"name": "base", "state": state}}},
		})
	}
}

// TestEksPod sees pods through.
func TestEksPod(t *testing.T) {
	const args = `{"cluster_name": "c", "namespace": "jobs", "pod_name": "My_Pod", "image": "i", "cmds": ["sh"], "arguments": ["-c", "true"],
		"env_vars": {"A": "1"}, "labels": {"l": "v"}, "service_account_name": "sa", "startup_timeout_seconds": 60`
	for _, tt := range []struct {
		name, more   string
		phases       []string
		age          time.Duration
		exit         int
		event        string
		at           int
		verdict, end string
		kept         bool
		logs         []string
		lines        int // in the log before the first look
	}{
		{"a pod that succeeds", ``, []string{"Pending", "Running", "sick", "Running", "Succeeded"}, 0, 0, "", 0, "success", "", false, []string{"line 2", "line 5"}, 0},
		{"a log of more than one answer", ``, []string{"Succeeded"}, 0, 0, "", 0, "success", "", false, []string{"old 0 ", "old 29999 ", "line 1"}, 30000},
		{"a pod that fails", ``, []string{"Running", "Failed"}, 0, 3, "", 0, "failure", "exit code 3, Error", false, nil, 0},
		{"one that succeeded is kept if that is asked", `, "on_finish_action": "keep_pod"`, []string{"Succeeded"}, 0, 0, "", 0, "success", "", true, nil, 0},
		{"one that failed is kept if that is asked", `, "on_finish_action": "delete_succeeded_pod"`, []string{"Failed"}, 0, 1, "", 0, "failure", "returned a failure", true, nil, 0},
		{"an exit code that skips", `, "skip_on_exit_code": [4, 5]`, []string{"Failed"}, 0, 5, "", 0, "skip", "returned exit code 5", false, nil, 0},
		{"one that does not start", ``, []string{"Pending"}, 2 * time.Minute, 0, "", 0, "failure", "Pod took too long to start", false, nil, 0},
		{"a restart makes no second pod", ``, []string{"Running", "Running", "Succeeded"}, 0, 0, "restart", 1, "success", "", false, nil, 0},
		{"a stop deletes the pod", ``, []string{"Running"}, 0, 0, "stop", 1, "failure", "The task was stopped", false, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &kubeWorld{T: t, phases: tt.phases, exit: tt.exit, born: time.Now().Add(-tt.age)}
			var long strings.Builder
			for i := range tt.lines {
				fmt.Fprintf(&long, "2026-11-20T08:00:%02d.%06dZ old %d %060d\n", i/1000, i%1000, i, 0)
			}
			w.log = long.String()
			kube := httptest.NewTLSServer(w)
			t.Cleanup(kube.Close)
			ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: kube.Certificate().Raw})
			c := opCase{
				file: "ekspod_test.go", class: "EksPodOperator", title: tt.name, events: map[int]string{}, verdict: tt.verdict, end: tt.end, logs: tt.logs,
				script: []awstest.Exchange{{Call: "eks:DescribeCluster", Input: map[string]any{"name": "c"}, Reply: map[string]any{
					"cluster": map[string]any{"name": "c", "endpoint": kube.URL, "certificateAuthority": map[string]any{"data": base64.StdEncoding.EncodeToString(ca)}},
				}}},
			}
			if err := json.Unmarshal([]byte(args+tt.more+"}"), &c.args); err != nil {
				t.Fatal(err)
			}
			var seen map[string]any
			var log *strings.Builder
			tryIn(t, c, func(tr *trial) {
				log = &tr.log
				w.looked = func(n int) {
					if seen = w.pod; tt.event != "" && n == tt.at {
						tr.end(tt.event)
					}
				}
			})
			if n := strings.Count(log.String(), " old "); n != tt.lines {
				t.Errorf("%d of the %d old lines are in the task's log", n, tt.lines)
			}
			if (w.pod != nil) != tt.kept {
				t.Errorf("the pod is there: %v, want %v", w.pod != nil, tt.kept)
			}
			spec, _ := seen["spec"].(map[string]any)
			got := string(encode(spec))
			if want := `{"containers":[{"args":["-c","true"],"command":["sh"],"env":[{"name":"A","value":"1"}],"image":"i","name":"base"}],"restartPolicy":"Never","serviceAccountName":"sa"}`; got != want {
				t.Errorf("the pod's spec is\n%s, want\n%s", got, want)
			}
			meta, _ := seen["metadata"].(map[string]any)
			labels, _ := meta["labels"].(map[string]any)
			if name, _ := meta["name"].(string); !strings.HasPrefix(name, "my-pod-") || labels["l"] != "v" || labels["dag_id"] != "etl" {
				t.Errorf("the pod's metadata is %s", encode(meta))
			}
		})
	}
}
