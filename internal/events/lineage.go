package events

import (
	"encoding/json"
	"fmt"
	"time"

	"fairlead/internal/flow"
)

// A lineageEvent is an OpenLineage RunEvent, of the specification 2-0-2. Runs
// and attempts are its runs; data sets are not known here.
type lineageEvent struct {
	EventType string       `json:"eventType"`
	EventTime time.Time    `json:"eventTime"`
	Producer  string       `json:"producer"`
	Schema    string       `json:"schemaURL"`
	Run       lineageRun   `json:"run"`
	Job       lineageJob   `json:"job"`
	Inputs    []lineageSet `json:"inputs"`
	Outputs   []lineageSet `json:"outputs"`
}

type (
	lineageSet struct{}
	lineageRun struct {
		ID     string         `json:"runId"`
		Facets map[string]any `json:"facets"`
	}
	lineageJob struct {
		Namespace string         `json:"namespace"`
		Name      string         `json:"name"`
		Facets    map[string]any `json:"facets,omitempty"`
	}
)

const (
	producer     = "https://fairlead.invalid/fairlead" // OpenLineage asks for a URI, not for a page
	runEventSpec = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
	parentSpec   = "https://openlineage.io/spec/facets/1-0-1/ParentRunFacet.json#/$defs/ParentRunFacet"
	errorSpec    = "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet"
	nominalSpec  = "https://openlineage.io/spec/facets/1-0-1/NominalTimeRunFacet.json#/$defs/NominalTimeRunFacet"
)

// lineage returns the OpenLineage form of an event; false if it has none: a
// run or an attempt begins and ends, and nothing else is told.
func (e *Event) lineage(namespace string) ([]byte, bool, error) {
	var what string
	switch e.move.State {
	case flow.Running:
		what = "START"
	case flow.Succeeded:
		what = "COMPLETE"
	case flow.Failed, flow.TimedOut, flow.Retrying:
		what = "FAIL"
	case flow.Canceled:
		what = "ABORT"
	default:
		return nil, false, nil
	}
	facet := func(spec string, with map[string]any) map[string]any {
		with["_producer"], with["_schemaURL"] = producer, spec
		return with
	}
	job := e.job
	out := lineageEvent{
		EventType: what, EventTime: e.Time, Producer: producer, Schema: runEventSpec,
		Run: lineageRun{e.run.Key, map[string]any{}}, Job: lineageJob{Namespace: namespace, Name: job},
		Inputs: []lineageSet{}, Outputs: []lineageSet{},
	}
	if e.move.Task == "" {
		out.Run.Facets["nominalTime"] = facet(nominalSpec, map[string]any{"nominalStartTime": e.run.Logical.UTC()})
	} else {
		out.Run.ID = uuid(fmt.Sprintf("attempt %s %s %d", e.run.Key, e.move.Task, e.move.Attempt))
		out.Job.Name = job + "." + e.task
		out.Run.Facets["parent"] = facet(parentSpec, map[string]any{
			"run": map[string]string{"runId": e.run.Key}, "job": map[string]string{"namespace": namespace, "name": job},
		})
	}
	if what == "FAIL" && e.fault != "" {
		out.Run.Facets["errorMessage"] = facet(errorSpec, map[string]any{"message": e.fault, "programmingLanguage": "unknown"})
	}
	data, err := json.Marshal(out)
	return data, err == nil, err
}
