package web

import "fairlead/internal/flow"

// A service is one whose workflows and runs the pages show.
type service string

const (
	mwaa  service = "mwaa"
	omics service = "omics"
)

// none stands in strings of states for a task that is not there.
const none = '-'

// letter returns the letter that stands for a state.
func letter(s flow.State) byte {
	switch s {
	case flow.Waiting:
		return 'w'
	case flow.Ready:
		return 'q'
	case flow.Starting:
		return 't'
	case flow.Running:
		return 'r'
	case flow.Deferred:
		return 'd'
	case flow.Retrying:
		return 'u'
	case flow.Resting:
		return 'z'
	case flow.Stopping:
		return 'x'
	case flow.Succeeded:
		return 's'
	case flow.Failed:
		return 'f'
	case flow.TimedOut:
		return 'o'
	case flow.Blocked:
		return 'b'
	case flow.Skipped:
		return 'k'
	case flow.Canceled:
		return 'c'
	case flow.Removed:
		return 'g'
	}
	return none
}

// A state is written as its letter.
type state flow.State

// MarshalText implements [encoding.TextMarshaler].
func (s state) MarshalText() ([]byte, error) { return []byte{letter(flow.State(s))}, nil }

// A word is how a service spells a state, and how people say it.
type word struct {
	Word  string `json:"word"`
	Plain string `json:"plain"`
}

// A wordList has the words of states by their letters.
type wordList map[string]word

// words returns how each service spells the states of its tasks and runs.
func words(showSkipped bool) map[service]map[string]wordList {
	all := map[service]map[string]wordList{mwaa: {"task": {}, "run": {}}, omics: {"task": {}, "run": {}}}
	for _, s := range flow.States() {
		l := string(letter(s))
		all[mwaa]["task"][l] = word{mwaaTask(s, showSkipped), plainTask(s)}
		all[mwaa]["run"][l] = word{mwaaRun(s), plainRun(s)}
		all[omics]["task"][l] = word{omicsWord(s), plainTask(s)}
		all[omics]["run"][l] = word{omicsWord(s), plainRun(s)}
	}
	return all
}

// mwaaTask is the status of a task instance at MWAA Serverless.
func mwaaTask(s flow.State, showSkipped bool) string {
	switch s {
	case flow.Ready:
		return "SCHEDULED"
	case flow.Starting:
		return "QUEUED"
	case flow.Running, flow.Stopping:
		return "RUNNING"
	case flow.Deferred:
		return "DEFERRED"
	case flow.Retrying:
		return "UP_FOR_RETRY"
	case flow.Resting:
		return "UP_FOR_RESCHEDULE"
	case flow.Succeeded:
		return "SUCCESS"
	case flow.Failed:
		return "FAILED"
	case flow.TimedOut:
		return "TIMEOUT"
	case flow.Blocked:
		return "UPSTREAM_FAILED"
	case flow.Canceled:
		return "CANCELLED"
	case flow.Removed:
		return "REMOVED"
	case flow.Skipped:
		if showSkipped {
			return "SKIPPED"
		}
	}
	return "NONE" // also of what is skipped: the API has no word for it
}

// mwaaRun is the status of a run at MWAA Serverless.
func mwaaRun(s flow.State) string {
	switch s {
	case flow.Starting:
		return "STARTING"
	case flow.Waiting, flow.Ready:
		return "QUEUED"
	case flow.Stopping:
		return "STOPPING"
	case flow.Succeeded, flow.Skipped:
		return "SUCCESS"
	case flow.Failed, flow.Blocked:
		return "FAILED"
	case flow.TimedOut:
		return "TIMEOUT"
	case flow.Canceled, flow.Removed:
		return "STOPPED"
	}
	return "RUNNING"
}

// omicsWord is the status of a run or a task at HealthOmics.
func omicsWord(s flow.State) string {
	switch s {
	case flow.Waiting, flow.Ready, flow.Retrying:
		return "PENDING"
	case flow.Starting:
		return "STARTING"
	case flow.Stopping:
		return "STOPPING"
	case flow.Succeeded:
		return "COMPLETED"
	case flow.Failed, flow.TimedOut:
		return "FAILED"
	case flow.Blocked, flow.Skipped, flow.Canceled, flow.Removed:
		return "CANCELLED"
	}
	return "RUNNING"
}

func plainTask(s flow.State) string {
	switch s {
	case flow.Deferred:
		return "waits outside"
	case flow.Retrying:
		return "up for retry"
	case flow.Resting:
		return "asked again later"
	case flow.TimedOut:
		return "timed out"
	case flow.Blocked:
		return "upstream failed"
	}
	return string(s)
}

func plainRun(s flow.State) string {
	switch s {
	case flow.Ready, flow.Waiting:
		return "queued"
	case flow.TimedOut:
		return "timed out"
	case flow.Canceled:
		return "stopped"
	}
	return string(s)
}
