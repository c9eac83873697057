package airflow

import "encoding/json"

// An Action is what a node's Action holds: one task as the performer needs
// it.
type Action struct {
	// Operator is the import path as written.
	Operator string
	// Custom marks a class that the operator table does not have and that the
	// code package is expected to bring. In its Args a timedelta, date or
	// datetime is an object whose __type__ names it.
	Custom bool `json:",omitempty"`
	// Args are the operator's arguments as written, templates unrendered:
	// integers stay integers, floats have a point, objects keep their order,
	// a timedelta is its seconds, a datetime its ISO text.
	Args map[string]json.RawMessage `json:",omitempty"`
	// Params are the task's own, to be merged over the workflow's.
	Params []Param `json:",omitempty"`
	// Sensor is set for a sensor.
	Sensor *Sensor `json:",omitempty"`
	// Line is where the task begins, and ArgLines where each argument stands.
	Line     int            `json:",omitempty"`
	ArgLines map[string]int `json:",omitempty"`
}

// A Sensor says how a sensor waits. Every field is set, by the text, by the
// operator's own default or by Airflow's.
type Sensor struct {
	PokeInterval       float64 // seconds between two looks
	Timeout            float64 // seconds after which it gives up
	Mode               string  // "poke" or "reschedule"
	SoftFail           bool    // giving up is a skip
	SilentFail         bool    // an error while looking counts as "not yet"
	NeverFail          bool    // any error is a skip
	ExponentialBackoff bool
	MaxWait            float64 // seconds that a growing interval may reach; 0 is no bound
}

// A Meta is what a graph's Meta holds: what all tasks share.
type Meta struct {
	DagID  string
	Params []Param `json:",omitempty"`
}

// A Param is one parameter of a workflow or task.
type Param struct {
	Name string
	// Default is the value when nobody gives another; nil means that a run
	// must give one.
	Default json.RawMessage `json:",omitempty"`
	// Schema is a JSON Schema that every value must satisfy; nil allows all.
	Schema json.RawMessage `json:",omitempty"`
}
