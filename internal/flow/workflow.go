package flow

import (
	"encoding/json"
	"time"
)

// A Workflow is a named line of versions.
type Workflow struct {
	ID       WorkflowID
	Name     string // unique among workflows that are not being deleted
	Latest   VersionID
	Deleting bool
	Tags     map[string]string
	// Settings is what the door keeps with the workflow, in the door's terms.
	Settings json.RawMessage
	Created  time.Time
	Modified time.Time
}

// A Version is one immutable state of a workflow's definition.
type Version struct {
	ID       VersionID
	Workflow WorkflowID
	// N orders the versions of a workflow; the first is 1.
	N      int
	Source string // the definition's text, as it was when the version was made
	// Graph is the key of the compiled graph.
	Graph string
	// Schedule is nil unless this version fires by itself.
	Schedule *Schedule
	MaxRuns  int
	// Code is the key of the code package's snapshot; empty without one.
	Code    string
	CodeAt  time.Time
	Created time.Time
	// Settings is what the door keeps with the version, in the door's terms.
	Settings json.RawMessage
}

// A Page bounds a list: at most Limit items after the one that After names.
type Page struct {
	Limit int
	// After is the sort key of the last item already seen; empty begins at
	// the front.
	After string
}

// A Token makes a request that is sent twice take effect once.
type Token struct {
	// Key is what the caller sent, with the operation and its scope; empty
	// means that the request has no token.
	Key string
	// Fingerprint tells requests apart that carry the same key.
	Fingerprint string
	// Expires is when the token is forgotten.
	Expires time.Time
}

// A Fire is a moment at which a version of a workflow is to run by itself.
type Fire struct {
	Workflow WorkflowID
	Version  VersionID
	At       time.Time
}

// A Pause keeps a workflow, or everything if Workflow is empty, from
// beginning anything new.
type Pause struct {
	Workflow WorkflowID
	By       string
	Since    time.Time
}
