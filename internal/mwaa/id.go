package mwaa

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/flow"
)

const alphanumerics = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// NewRunID returns a run id in the service's form: 15 letters and digits.
func NewRunID() flow.RunID { return flow.RunID(random(15)) }

// NewRunKey returns the UUID that the ids of a run's task instances share.
func NewRunKey() string { return awsjson.NewUUID() }

// newWorkflowID returns the last part of a workflow's ARN: its name with a
// suffix that is never used again.
func newWorkflowID(name string) flow.WorkflowID {
	return flow.WorkflowID(name + "-" + random(10))
}

func newVersionID() flow.VersionID {
	var b [16]byte
	rand.Read(b[:])
	return flow.VersionID(hex.EncodeToString(b[:]))
}

func random(n int) string {
	b := make([]byte, 0, n)
	for len(b) < n {
		var r [32]byte
		rand.Read(r[:])
		for _, c := range r {
			// 248 is the largest multiple of 62 in a byte: beyond it some
			// characters would be more likely than others.
			if c < 248 && len(b) < n {
				b = append(b, alphanumerics[int(c)%len(alphanumerics)])
			}
		}
	}
	return string(b)
}

// InstanceID returns the id of one attempt of a task, in the form that the
// service uses: ex_KEY_TASK_ATTEMPT.
func InstanceID(run flow.Run, task flow.TaskID, attempt int) string {
	return "ex_" + run.Key + "_" + taskPart(task) + "_" + strconv.Itoa(attempt)
}

func instanceID(run flow.Run, t flow.Task) string { return InstanceID(run, t.ID, t.Attempt) }

// The id of an instance may have 255 characters of a few kinds, that of a
// task 250 of more. A task whose id does not fit stands in the instance's id
// as "sha256-" and the first half of its hash, and is found by comparing.
const (
	maxTaskPart = 200
	hashed      = "sha256-"
)

var hashedTask = regexp.MustCompile(`\A` + hashed + `[0-9a-f]{32}\z`)

// plainTask reports whether all of s may be in the id of an instance. No
// expression: GetWorkflowRun asks it of each task of a run.
func plainTask(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_'
	})
}

func taskPart(id flow.TaskID) string {
	s := string(id)
	// An id that looks like a hash is hashed too, so that no two are alike.
	if len(s) <= maxTaskPart && plainTask(s) && !hashedTask.MatchString(s) {
		return s
	}
	h := sha256.Sum256([]byte(s))
	return hashed + hex.EncodeToString(h[:16])
}

// parseInstance splits the id of an instance of run. The task may itself
// have underscores and digits, so the id is read from both ends.
func parseInstance(run flow.Run, id string) (task string, attempt int, ok bool) {
	key, task, attempt, ok := cutInstance(id)
	return task, attempt, ok && key == run.Key
}

// cutInstance splits the id of an instance of any run. Keys of runs have no
// underscores.
func cutInstance(id string) (key, task string, attempt int, ok bool) {
	rest, ok := strings.CutPrefix(id, "ex_")
	if !ok {
		return "", "", 0, false
	}
	key, rest, _ = strings.Cut(rest, "_")
	i := strings.LastIndexByte(rest, '_')
	if i < 1 {
		return "", "", 0, false
	}
	digits := rest[i+1:]
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		return "", "", 0, false
	}
	return key, rest[:i], int(n), true
}

// maxStream is the longest name that CloudWatch Logs allows a stream.
const maxStream = 512

// LogStream returns the name of the log stream of one attempt. The service
// returns names with the group before them, and clients cut those at
// "workflow_id="; the bare name serves them, and those that do not cut.
func LogStream(w flow.WorkflowID, run flow.RunID, task flow.TaskID, attempt int) string {
	name := func(task string) string {
		return fmt.Sprintf("workflow_id=%s/run_id=%s/task_id=%s/attempt=%d.log", w, run, task, attempt)
	}
	if s := name(string(task)); len(s) <= maxStream {
		return s
	}
	return name(taskPart(task))
}

// logGroup returns the default log group of a workflow.
func logGroup(w flow.WorkflowID) string { return "/aws/mwaa-serverless/" + string(w) + "/" }
