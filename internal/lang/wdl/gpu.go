package wdl

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang"
)

// A loan is what an attempt has of a Performer's GPUs, from before it begins
// until its end is saved: whatever fails in between, its command may be running.
type loan struct {
	gpus    []int // places in the Performer's list
	release func()
}

// checkGPUs refuses a task that asks for more GPUs than there are, in each of the
// profiles that it would do with.
func (w *work) checkGPUs(t *call) error {
	n := t.want.GPUs
	if n <= len(w.GPUs) || w.WithoutGPUs || w.Task.Handle != "" {
		return nil
	}
	for _, o := range t.want.Others {
		if o.GPUs <= len(w.GPUs) {
			t.want.CPUs, t.want.Memory, t.want.GPUs, t.want.GPU = o.CPUs, o.Memory, o.GPUs, o.GPU
			t.want.Instance = instance(o.CPUs, o.Memory, o.GPUs, o.GPU)
			return nil
		}
	}
	asks := "the task asks for " + plural(n, "GPU")
	if t.want.GPU != "" {
		asks += " (" + t.want.GPU + ")"
	}
	if len(t.want.Others) > 0 {
		return &failure{codeProfiles, fmt.Errorf("each of the task's %d profiles asks for more GPUs than this machine has, which are %d; with --gpus ignore such tasks run without", len(t.want.Others)+1, len(w.GPUs))}
	}
	if len(w.GPUs) == 0 {
		return &failure{codeGPU, fmt.Errorf("%s, and this machine has none: there is no /dev/nvidia0; with --gpus ignore such tasks run without", asks)}
	}
	return &failure{codeValue, fmt.Errorf("%s, and this machine has %d; with --gpus ignore such tasks run without", asks, len(w.GPUs))}
}

// borrowed returns the GPUs that an attempt has already.
func (p *Performer) borrowed(id string) ([]exec.GPU, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.loans[id]
	return p.listed(l.gpus), ok
}

// borrow gives an attempt GPUs that nobody has. There are as many, since there
// was room in the Performer's Room, which release gives back.
func (p *Performer) borrow(id string, n int, release func()) ([]exec.GPU, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var taken []int
	for i := range p.GPUs {
		if len(taken) < n && !p.inUse(i) {
			taken = append(taken, i)
		}
	}
	if len(taken) < n {
		release()
		return nil, fmt.Errorf("attempt %s wants %d GPUs, and %d are free", id, n, len(taken))
	}
	p.lend(id, loan{taken, release})
	return p.listed(taken), nil
}

// inUse says that an attempt has a GPU. The caller holds mu.
func (p *Performer) inUse(i int) bool {
	for _, l := range p.loans {
		if slices.Contains(l.gpus, i) {
			return true
		}
	}
	return false
}

// lend notes what an attempt has. The caller holds mu.
func (p *Performer) lend(id string, l loan) {
	if p.loans == nil {
		p.loans = map[string]loan{}
	}
	p.loans[id] = l
}

// listed returns the GPUs at some places.
func (p *Performer) listed(places []int) []exec.GPU {
	var out []exec.GPU
	for _, i := range places {
		out = append(out, p.GPUs[i])
	}
	return out
}

// giveBack ends the loan of an attempt that has ended.
func (p *Performer) giveBack(id string) {
	p.unkeep(id)
	p.mu.Lock()
	l, ok := p.loans[id]
	delete(p.loans, id)
	p.mu.Unlock()
	if ok {
		l.release()
	}
}

// unkeep gives back the room that [Performer.Reserve] has kept for an attempt.
func (p *Performer) unkeep(id string) {
	p.mu.Lock()
	kept := p.kept[id]
	delete(p.kept, id)
	p.mu.Unlock()
	for _, release := range kept {
		release()
	}
}

// Reserve keeps what an attempt under way, of an earlier server, has of the GPUs,
// of the Room and of its group's, until it is performed again. It is called for
// each of them before others are performed, so that none takes its place.
func (p *Performer) Reserve(run flow.Run, t flow.Task) {
	var u Usage
	if json.Unmarshal(t.Mark, &u) != nil || u.CPUs == 0 {
		return // its inputs were not there yet, or it has no command
	}
	want, id := Resources{CPUs: u.CPUs, Memory: u.Memory, GPUs: len(u.Devices)}, AttemptID(run.ID, t)
	if t.Handle != "" {
		rooms := p.rooms(run)
		if len(u.Devices) > 0 {
			rooms = rooms[:len(rooms)-1] // the last is lent with the GPUs
		}
		p.mu.Lock()
		if p.kept == nil {
			p.kept = map[string][]func(){}
		}
		for _, room := range rooms {
			release, _ := room.take(context.Background(), &guest{asks: want}, true)
			p.kept[id] = append(p.kept[id], release)
		}
		p.mu.Unlock()
	}
	if len(u.Devices) == 0 {
		return
	}
	release, _ := p.Room.take(context.Background(), &guest{asks: want}, true)
	var places []int
	for _, index := range u.Devices {
		if i := slices.IndexFunc(p.GPUs, func(g exec.GPU) bool { return g.Index == index }); i >= 0 {
			places = append(places, i)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lend(id, loan{places, release})
}

// equip gives an attempt the GPUs that it asks for, and room on this machine with
// them; none if it is to end before there is any.
func (w *work) equip(t *call, tell lang.Tell, take func() (func(), bool)) error {
	id := AttemptID(w.Run.ID, w.Task)
	if gpus, ok := w.borrowed(id); ok {
		t.spec.GPUs = gpus
		return nil
	}
	release, in := take()
	if !in {
		return nil
	}
	gpus, err := w.borrow(id, t.want.GPUs, release)
	if err != nil {
		return err
	}
	t.spec.GPUs = gpus
	// The next server has to know which they are, should the command outlive
	// this one.
	u := t.said
	for _, g := range gpus {
		u.Devices = append(u.Devices, g.Index)
	}
	t.said = u
	return tell.Mark(u.mark())
}
