package omics

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"fairlead/internal/flow"
)

// LogGroup is the group of all logs of the service.
const LogGroup = "/aws/omics/WorkflowLog"

// The id of a task is that of its run, the place of its node in the run in
// placeDigits digits, and the number of the attempt in attemptDigits. So it
// needs no row of its own, is never given twice while run ids are not, and has
// no more than the 18 digits that ids may have while those of runs have 8.
const (
	placeDigits   = 7 // flow.MaxTasks has as many
	attemptDigits = 3
)

// TaskID returns the id of a task's current attempt.
func TaskID(run flow.RunID, t flow.Task) string {
	return fmt.Sprintf("%s%0*d%0*d", run, placeDigits, t.Index, attemptDigits, t.Attempt)
}

// parseTaskID says which task of a run an id means, and which attempt.
func parseTaskID(run flow.RunID, id string) (index, attempt int, ok bool) {
	rest, ok := strings.CutPrefix(id, string(run))
	if !ok || len(rest) != placeDigits+attemptDigits {
		return 0, 0, false
	}
	index, err1 := strconv.Atoi(rest[:placeDigits])
	attempt, err2 := strconv.Atoi(rest[placeDigits:])
	return index, attempt, err1 == nil && err2 == nil && index >= 0 && attempt > 0
}

// TaskUUID returns the UUID of a task's current attempt, which follows from
// that of its run.
func TaskUUID(key string, t flow.Task) string {
	return derived(fmt.Sprintf("%s/%d/%d", key, t.Index, t.Attempt))
}

// derived returns the UUID that follows from a text.
func derived(text string) string {
	sum := sha256.Sum256([]byte(text))
	sum[6] = sum[6]&0x0f | 0x80 // version 8: our own
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// RunStream names the log of what befalls a run, EngineStream that of what its
// engine does.
func RunStream(run flow.RunID) string { return "run/" + string(run) }

// EngineStream names the log of what the engine of a run does.
func EngineStream(run flow.RunID) string { return RunStream(run) + "/engine" }

// TaskStream names the log of a task's current attempt.
func TaskStream(run flow.RunID, t flow.Task) string {
	return RunStream(run) + "/task/" + TaskID(run, t)
}

// ManifestStream names the log that takes what a run has used, when it has
// ended.
func ManifestStream(run flow.RunID, key string) string {
	return "manifest/" + RunStream(run) + "/" + key
}
