package wdl

import (
	"encoding/json"
	"strings"
	"time"

	"fairlead/internal/flow"
)

// A Usage is what the attempt of a task has asked for, and what it has used of
// that. An attempt keeps it as its mark while it is under way, and publishes it
// under [KeyUsage] when it has ended, however it has.
type Usage struct {
	Name     string // of the call
	CPUs     int
	Memory   int64 // bytes
	GPUs     int
	Devices  []int  `json:",omitempty"` // the GPUs that it has of this machine, by their indices
	Instance string // the machine of HealthOmics that would have been taken
	Image    string `json:",omitempty"`
	// Digest is that of the image, once it is here, and Source what the task calls
	// it, if that is not what it is fetched by.
	Digest, Source string `json:",omitempty"`
	// CPUTime is the time that it took of processors, and MaxMemory the most
	// bytes that it had at once; zero if not known.
	CPUTime   time.Duration `json:",omitempty"`
	MaxMemory int64         `json:",omitempty"`
	// CacheHit says that no command has run, since what it makes was in a cache,
	// and CacheURI where. CacheMiss says of a run with a cache why it was not.
	CacheHit  bool   `json:",omitempty"`
	CacheURI  string `json:",omitempty"`
	CacheMiss string `json:",omitempty"`
}

// KeyUsage is the key under which an attempt publishes its [Usage].
const KeyUsage = "usage"

// usage is what a call that is prepared asks for.
func (t *call) usage() Usage {
	u := Usage{
		Name: t.name, CPUs: t.want.CPUs, Memory: t.spec.Limits.Memory, GPUs: t.want.GPUs,
		Image: t.spec.Image, Source: t.source, Instance: t.want.Instance,
	}
	if u.Memory != t.want.Memory { // it has been doubled
		u.Instance = instance(u.CPUs, u.Memory, u.GPUs, t.want.GPU)
	}
	return u
}

func (u Usage) mark() json.RawMessage {
	raw, err := json.Marshal(u)
	if err != nil {
		panic(err) // texts and numbers always have a form
	}
	return raw
}

// Commands returns what says which tasks of a run have commands: calls of
// tasks, and not the scatters, conditionals and workflows around them.
func Commands(g *flow.Graph) func(flow.TaskID) bool {
	calls := map[*flow.Node]bool{}
	index := map[string]map[flow.TaskID]*flow.Node{}
	note := func(body string, nodes []flow.Node) {
		index[body] = map[flow.TaskID]*flow.Node{}
		for i := range nodes {
			n := &nodes[i]
			index[body][n.ID] = n
			var a Action
			calls[n] = json.Unmarshal(n.Action, &a) == nil && a.Do == DoCall
		}
	}
	note("", g.Nodes)
	for name, nodes := range g.Bodies {
		note(name, nodes)
	}
	return func(id flow.TaskID) bool {
		words := strings.Split(string(id), "/")
		body := ""
		for ; len(words) > 2; words = words[2:] {
			n := index[body][flow.TaskID(words[0])]
			if n == nil {
				return false
			}
			body = n.Unfolds
		}
		return calls[index[body][flow.TaskID(words[0])]]
	}
}
