package operator

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A pod of EksPodOperator is made in the child and seen through in the server.
// It is spoken of with the Kubernetes API alone: one object, four requests.

// podArgs gives the place of arguments that go into the pod as they are:
// in its container, if the place begins with a dot, else in its spec.
func podArgs() map[string]string {
	return map[string]string{
		"image": ".image", "cmds": ".command", "arguments": ".args", "ports": ".ports", "volume_mounts": ".volumeMounts", "env_from": ".envFrom",
		"image_pull_policy": ".imagePullPolicy", "container_resources": ".resources", "container_security_context": ".securityContext",
		"termination_message_policy": ".terminationMessagePolicy",
		"volumes":                    "volumes", "affinity": "affinity", "node_selector": "nodeSelector", "image_pull_secrets": "imagePullSecrets",
		"service_account_name": "serviceAccountName", "automount_service_account_token": "automountServiceAccountToken", "hostnetwork": "hostNetwork",
		"host_aliases": "hostAliases", "tolerations": "tolerations", "security_context": "securityContext", "dnspolicy": "dnsPolicy",
		"dns_config": "dnsConfig", "hostname": "hostname", "subdomain": "subdomain", "schedulername": "schedulerName",
		"init_containers": "initContainers", "priority_class_name": "priorityClassName", "active_deadline_seconds": "activeDeadlineSeconds",
		"termination_grace_period": "terminationGracePeriodSeconds",
	}
}

// podPassed lists arguments that are let through without effect: how a pod is
// found and watched.
func podPassed() []string {
	return strings.Fields(`in_cluster region kubernetes_conn_id cluster_context reattach_on_restart startup_check_interval_seconds
		base_container_status_polling_interval log_events_on_failure log_pod_spec_on_failure poll_interval logging_interval
		container_name_log_prefix_enabled trigger_kwargs on_kill_action do_xcom_push`)
}

// eksPod makes the pod and returns its name.
func eksPod(ctx context.Context, j *job) (any, error) {
	if j.has("config_file") {
		return nil, &Error{Message: "The config_file is not an allowed parameter for the EksPodOperator.", Fatal: true}
	}
	if j.flag("do_xcom_push") {
		return nil, &Error{Message: "EksPodOperator: do_xcom_push, the result of a pod, is not carried out here", Fatal: true}
	}
	places := podArgs()
	for _, name := range slices.Sorted(maps.Keys(j.given)) {
		if _, ok := j.spec.Arg(name); !ok && places[name] == "" && !slices.Contains(podPassed(), name) && j.has(name) {
			return nil, &Error{Message: "EksPodOperator: the argument " + name + " is not carried out here", Fatal: true}
		}
	}
	pod, err := podObject(j)
	if err != nil {
		return nil, err
	}
	made, err := j.kube(context.WithoutCancel(ctx), http.MethodPost, "", pod)
	if err != nil {
		return nil, err
	}
	var got struct{ Metadata struct{ Name string } }
	if err := json.Unmarshal(made, &got); err != nil || got.Metadata.Name == "" {
		return nil, Errorf("EksPodOperator: the answer to a new pod names none: %s", clip(string(made), 200))
	}
	j.say("info", "the pod %s is made", got.Metadata.Name)
	return got.Metadata.Name, nil
}

// podObject puts the pod together.
func podObject(j *job) (map[string]any, error) {
	container := map[string]any{"name": podContainer(j)}
	spec := map[string]any{"restartPolicy": "Never"}
	for arg, place := range podArgs() {
		v := j.json(arg)
		if v == nil {
			continue
		}
		if inner, ok := strings.CutPrefix(place, "."); ok {
			container[inner] = v
		} else {
			spec[place] = v
		}
	}
	switch env := j.json("env_vars").(type) {
	case nil:
	case map[string]any:
		l, err := applyMany("$pairs", []any{env, "name", "value"})
		if err != nil {
			return nil, err
		}
		container["env"] = l
	default:
		container["env"] = env
	}
	spec["containers"] = []any{container}
	labels := map[string]any{"kubernetes_pod_operator": "True", "try_number": fmt.Sprint(j.task.Try)}
	for k, v := range map[string]string{"dag_id": j.task.DagID, "task_id": j.task.TaskID, "run_id": j.task.RunID} {
		labels[k] = safeLabel(v)
	}
	given, _ := j.json("labels").(map[string]any)
	all := maps.Clone(given)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, labels)
	meta := map[string]any{"name": podName(j), "namespace": podSpace(j), "labels": all}
	if notes := j.json("annotations"); notes != nil {
		meta["annotations"] = notes
	}
	return map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}, j.err
}

func podContainer(j *job) string { return cmp.Or(j.text("base_container_name"), "base") }

func podSpace(j *job) string { return cmp.Or(j.text("namespace"), "default") }

// podName is a name that Kubernetes takes, with an end of the attempt's own
// unless the task wants none.
func podName(j *job) string {
	name := strings.ToLower(cmp.Or(j.text("pod_name"), j.text("name"), j.task.TaskID))
	name = strings.Trim(regexp.MustCompile(`[^a-z0-9-]+`).ReplaceAllString(name, "-"), "-")
	if j.has("random_name_suffix") && !j.flag("random_name_suffix") {
		return name
	}
	end := token(j.task.RunID, j.task.TaskID, fmt.Sprint(j.task.Try))[:8]
	return strings.TrimRight(name[:min(len(name), 54)], "-") + "-" + end
}

// safeLabel is a text as the value of a label, which is short and of few
// characters.
func safeLabel(s string) string {
	safe := strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9_.-]`).ReplaceAllString(s, ""), "_.-")
	if safe == s && len(s) <= 63 {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return strings.TrimLeft(safe[:min(len(safe), 30)]+"-"+hex.EncodeToString(sum[:16]), "-")
}

// podStatus is what is read of a pod.
type podStatus struct {
	Metadata struct {
		CreationTimestamp time.Time `json:"creationTimestamp"`
	} `json:"metadata"`
	Status struct {
		Phase, Reason, Message string
		ContainerStatuses      []struct {
			Name  string
			State struct {
				Terminated *struct {
					ExitCode        int `json:"exitCode"`
					Reason, Message string
				}
				Waiting *struct{ Reason, Message string }
			}
		} `json:"containerStatuses"`
	} `json:"status"`
}

// eksPodLook looks at the pod and copies what it has written since.
func eksPodLook(ctx context.Context, j *job) (any, error) {
	name, _ := j.lookup("pod")
	text, err := j.kube(ctx, http.MethodGet, "/"+pythonText(name), nil)
	var refused *kubeError
	switch {
	case errors.As(err, &refused) && refused.status == http.StatusNotFound:
		return map[string]any{"phase": "Gone"}, nil
	case errors.As(err, &refused) && refused.status < http.StatusInternalServerError && refused.status != http.StatusTooManyRequests:
		return nil, err
	case err != nil && ctx.Err() == nil:
		j.say("warning", "%v: looking again", err)
		return map[string]any{"phase": "Unknown"}, nil
	case err != nil:
		return nil, err
	}
	var p podStatus
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, Errorf("EksPodOperator: read the pod %s: %v", pythonText(name), err)
	}
	seen := map[string]any{"phase": p.Status.Phase, "why": strings.TrimSpace(p.Status.Reason + " " + p.Status.Message)}
	for _, c := range p.Status.ContainerStatuses {
		if c.Name != podContainer(j) {
			continue
		}
		if t := c.State.Terminated; t != nil {
			seen["code"], seen["why"] = int64(t.ExitCode), strings.TrimSpace(t.Reason+" "+t.Message)
		} else if w := c.State.Waiting; w != nil {
			seen["why"] = strings.TrimSpace(w.Reason + " " + w.Message)
		}
	}
	if p.Status.Phase == "Pending" {
		limit := 120.0
		if j.has("startup_timeout_seconds") {
			limit = j.number("startup_timeout_seconds")
		}
		seen["late"] = time.Since(p.Metadata.CreationTimestamp).Seconds() > limit
	} else if !j.has("get_logs") || j.flag("get_logs") {
		j.podLog(ctx, pythonText(name))
	}
	return seen, j.err
}

// maxPodLog is how much of a log one request asks for, in bytes, and
// maxPodLogs how many are made at one look.
const (
	maxPodLog  = 1 << 20
	maxPodLogs = 64
)

// podLog copies the lines of the pod's log that have come since the last look.
// Each begins with its time.
func (j *job) podLog(ctx context.Context, name string) {
	last := ""
	if v, _ := j.lookup("podLine"); v != nil {
		last = pythonText(v)
	}
	query := url.Values{"container": {podContainer(j)}, "timestamps": {"true"}, "limitBytes": {fmt.Sprint(maxPodLog)}}
	for range maxPodLogs {
		if last != "" {
			query.Set("sinceTime", last)
		}
		text, err := j.kube(ctx, http.MethodGet, "/"+name+"/log?"+query.Encode(), nil)
		if err != nil {
			j.say("warning", "the log of the pod cannot be read: %v", err)
			return
		}
		more := len(text) >= maxPodLog
		if end := bytes.LastIndexByte(text, '\n'); more && end >= 0 {
			text = text[:end] // the last line may have been cut
		}
		before := last
		for line := range bytes.Lines(text) {
			at, words, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
			if ok && later(at, last) {
				last = at
				j.say("info", "%s", words)
			}
		}
		j.keep("podLine", last)
		if !more || last == before {
			return
		}
	}
}

// later reports whether a time comes after another; all come after nothing.
func later(at, last string) bool {
	t, err := time.Parse(time.RFC3339Nano, at)
	u, none := time.Parse(time.RFC3339Nano, last)
	return err == nil && (none != nil || t.After(u))
}

// eksPodEnd deletes the pod, if it is not to be kept, and says how it ended.
func eksPodEnd(ctx context.Context, j *job) (any, error) {
	v, _ := j.lookup("look")
	look, _ := v.(map[string]any)
	name, _ := j.lookup("pod")
	good := look["phase"] == "Succeeded"
	action := cmp.Or(j.text("on_finish_action"), "delete_pod")
	if look["phase"] != "Gone" && (action == "delete_pod" || action == "delete_succeeded_pod" && good) {
		if _, err := eksPodDelete(ctx, j); err != nil {
			j.say("warning", "the pod is not deleted: %v", err)
		}
	}
	skip, _ := j.json("skip_on_exit_code").([]any)
	if one := j.json("skip_on_exit_code"); skip == nil && one != nil {
		skip = []any{one}
	}
	switch {
	case good:
		return nil, nil
	case truthy(look["late"]):
		return nil, Errorf("Pod took too long to start: %s is %s, %s", pythonText(name), pythonText(look["phase"]), pythonText(look["why"]))
	case look["code"] != nil && slices.ContainsFunc(skip, func(c any) bool { return equal(c, look["code"]) }):
		return nil, &Error{Message: fmt.Sprintf("Pod %s returned exit code %s. Skipping.", pythonText(name), pythonText(look["code"])), Skip: true}
	}
	return nil, Errorf("Pod %s returned a failure: it is %s, exit code %s, %s", pythonText(name), pythonText(look["phase"]), pythonText(look["code"]), pythonText(look["why"]))
}

// eksPodDelete deletes the pod, if there is one.
func eksPodDelete(ctx context.Context, j *job) (any, error) {
	name, _ := j.lookup("pod")
	if name == nil {
		return nil, nil
	}
	_, err := j.kube(ctx, http.MethodDelete, "/"+pythonText(name), nil)
	var refused *kubeError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		err = nil
	}
	return nil, err
}

// A kubeError is a request that Kubernetes refused.
type kubeError struct {
	status int
	says   string
}

func (e *kubeError) Error() string {
	return fmt.Sprintf("Kubernetes answered %d: %s", e.status, e.says)
}

// maxKube bounds an answer of Kubernetes in bytes.
const maxKube = 4 << 20

// kube makes one request about pods of the task's namespace, with a token that
// stands for the task's role. A new client each time holds no connection open
// while a pod is waited for.
func (j *job) kube(ctx context.Context, method, path string, body any) ([]byte, error) {
	v, _ := j.lookup("DescribeCluster")
	endpoint, err := dig(v, ".cluster.endpoint")
	if err != nil || endpoint == nil {
		return nil, Errorf("EksPodOperator: the cluster %s has no endpoint", j.text("cluster_name"))
	}
	ca, _ := dig(v, ".cluster.certificateAuthority.data")
	pem, err := base64.StdEncoding.DecodeString(pythonText(ca))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, Errorf("EksPodOperator: the cluster %s has no certificate authority", j.text("cluster_name"))
	}
	token, err := j.kubeToken(ctx)
	if err != nil {
		return nil, fmt.Errorf("make a token for the cluster: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, pokeTime)
	defer cancel()
	where := strings.TrimRight(pythonText(endpoint), "/") + "/api/v1/namespaces/" + url.PathEscape(podSpace(j)) + "/pods" + path
	var in io.Reader
	if body != nil {
		in = bytes.NewReader(encode(body))
	}
	r, err := http.NewRequestWithContext(ctx, method, where, in)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	reply, err := (&http.Client{Transport: t}).Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(reply.Body, maxKube))
	if err != nil {
		return nil, err
	}
	if reply.StatusCode >= http.StatusMultipleChoices {
		var s struct{ Message string }
		_ = json.Unmarshal(text, &s) // shown as it came
		return nil, &kubeError{reply.StatusCode, cmp.Or(s.Message, clip(string(text), 500))}
	}
	return text, nil
}

// kubeToken signs the question who the caller is, which EKS asks to know whom
// a request comes from.
func (j *job) kubeToken(ctx context.Context) (string, error) {
	cfg := j.cfg.AWS("STS")
	base := "https://sts." + cfg.Region + ".amazonaws.com"
	if strings.HasPrefix(cfg.Region, "cn-") {
		base += ".cn"
	}
	if cfg.BaseEndpoint != nil {
		base = strings.TrimRight(*cfg.BaseEndpoint, "/")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Expires=60", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("X-K8s-Aws-Id", j.text("cluster_name"))
	keys, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return "", err
	}
	none := sha256.Sum256(nil)
	signed, _, err := v4.NewSigner().PresignHTTP(ctx, keys, r, hex.EncodeToString(none[:]), "sts", cfg.Region, time.Now())
	return "k8s-aws-v1." + base64.RawURLEncoding.EncodeToString([]byte(signed)), err
}
