package sim

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are ways to get the rules or the shell around them wrong, each an
// edit of a line that has an effect while flow.Mutant is its name.
var mutants = []struct{ name, file, was, is string }{
	{
		"one retry more", "engine/run.go",
		"left := t.Attempt-t.Base <= r.nodes[i].Retries && ",
		`left := (t.Attempt-t.Base <= r.nodes[i].Retries || MUTANT && t.Attempt-t.Base == r.nodes[i].Retries+1) && `,
	},
	{
		"slots without end", "engine/run.go",
		"if r.graph.MaxActive > 0 && len(r.live) >= r.graph.MaxActive {",
		"if r.graph.MaxActive > 0 && len(r.live) >= r.graph.MaxActive && !(MUTANT) {",
	},
	{
		"an end counts twice", "engine/run.go",
		"return i, t.Attempt == attempt && t.State.Live()",
		"return i, t.Attempt == attempt && (t.State.Live() || MUTANT)",
	},
	{
		"acts on what is not saved", "conductor/run.go",
		"if err := r.c.store.Save(ctx, steps...); err != nil {",
		"if err := r.c.store.Save(ctx, steps...); err != nil && !(MUTANT) {",
	},
	{
		"never looks for what nobody sees to", "conductor/sweep.go",
		"open, err := c.store.Unfinished(ctx)\n",
		"open, err := c.store.Unfinished(ctx)\n\tif MUTANT {\n\t\topen = nil\n\t}\n",
	},
	{
		"a run that ends lets nobody in", "conductor/conductor.go",
		"\tc.begin(next)\n",
		"\tif !(MUTANT) {\n\t\tc.begin(next)\n\t}\n",
	},
	{
		"fires and stays", "conductor/schedule.go",
		"fired, err := k.c.store.FireSchedule(ctx, f.Workflow, f.At, next, r)",
		"if MUTANT {\n\t\tnext = f.At\n\t}\n\tfired, err := k.c.store.FireSchedule(ctx, f.Workflow, f.At, next, r)",
	},
	{
		"lets go of what is not saved", "conductor/run.go",
		"\tcase err := <-saved:\n\t\tif err == nil {",
		"\tcase err := <-saved:\n\t\tif err == nil || MUTANT {",
	},
	{
		"begins what is paused", "engine/run.go",
		"if r.row.State != flow.Running || r.row.Held {",
		"if r.row.State != flow.Running || r.row.Held && !(MUTANT) {",
	},
	{
		"gives up without ending", "conductor/run.go",
		"\t\t\tif ended++; ended == endings {",
		"\t\t\tif ended++; ended == endings || MUTANT {",
	},
	{
		"gathers too early", "engine/unfold.go",
		"\tr.up[i] += int32(n)\n",
		"\tif !(MUTANT) {\n\t\tr.up[i] += int32(n)\n\t}\n",
	},
	{
		"forgets what has unfolded", "engine/unfold.go",
		"\t\tif t.Instances > 0 && len(",
		"\t\tif t.Instances > 0 && !(MUTANT) && len(",
	},
	{
		"sleeps past the time of a run", "engine/owed.go",
		"if r.opt.MaxDuration > 0 && r.row.State == flow.Running {",
		"if !(MUTANT) && r.opt.MaxDuration > 0 && r.row.State == flow.Running {",
	},
	{
		"keeps no outputs", "engine/run.go",
		"r.publish(i, e.Outcome)\n",
		"if !(MUTANT) {\n\tr.publish(i, e.Outcome)\n}\n",
	},
	{
		"keeps no past attempts", "engine/run.go",
		"r.past = append(r.past, flow.Attempt{",
		"if MUTANT {\n\t\tt.Attempt++\n\t\treturn\n\t}\n\tr.past = append(r.past, flow.Attempt{",
	},
	{
		"what fails is good", "engine/run.go",
		"case r.bad > 0:",
		"case r.bad > 0 && !(MUTANT):",
	},
	{
		"forgets who is ready", "engine/run.go",
		"case t.State == flow.Ready:\n\t\t\tr.enqueue(i)",
		"case t.State == flow.Ready:\n\t\t\tif !(MUTANT) {\n\t\t\tr.enqueue(i)\n}",
	},
	{
		"goes on while it is ended", "engine/run.go",
		"if t.State != flow.Starting {\n\t\treturn",
		"if t.State != flow.Starting && !(MUTANT) {\n\t\treturn",
	},
	{
		"tries again at once", "engine/run.go",
		"r.setDue(i, end.Add(r.nodes[i].Delay))",
		"if MUTANT {\n\t\t\t\tr.setDue(i, end)\n\t\t\t\tbreak\n\t\t\t}\n\t\t\tr.setDue(i, end.Add(r.nodes[i].Delay))",
	},
	{
		"tries again what is fatal", "engine/run.go",
		"case flow.Fatal:\n",
		"case flow.Fatal:\n\t\tif left && MUTANT {\n\t\t\tr.set(i, flow.Retrying, now)\n\t\t\tr.setDue(i, now)\n\t\t\tbreak\n\t\t}\n",
	},
	{
		"tries nothing again", "engine/run.go",
		"case left:\n",
		"case left && !(MUTANT):\n",
	},
	{
		"gives up what is due", "engine/run.go",
		"len(r.settle) == 0 && !r.hasDue()",
		"len(r.settle) == 0 && (!r.hasDue() || MUTANT)",
	},
	{
		"clears less than it is asked to", "engine/redo.go",
		"if c.Downstream {",
		"if c.Downstream && !(MUTANT) {",
	},
	{
		"goes on as if it had never ended", "engine/redo.go",
		"r.row.Started, r.row.Ended = now, time.Time{}",
		"if r.row.Ended = (time.Time{}); !(MUTANT) {\n\t\tr.row.Started = now\n\t}",
	},
	{
		"goes on after the first failure", "engine/unfold.go",
		"if r.fallen < 0 || !r.graph.FailFast || ",
		"if MUTANT || r.fallen < 0 || !r.graph.FailFast || ",
	},
	{
		"one run more", "engine/admit.go",
		"g.count[c.Workflow] < c.Limit)",
		"g.count[c.Workflow] < c.Limit || MUTANT && g.count[c.Workflow] == c.Limit)",
	},
	{
		"ends nothing that is stopped", "conductor/run.go",
		"\tif duty.End {\n\t\thave.end(errEnd)\n\t}\n}",
		"\tif duty.End && !(MUTANT) {\n\t\thave.end(errEnd)\n\t}\n}",
	},
	{
		"fires what is too late", "conductor/schedule.go",
		"late > k.c.set.Grace {",
		"late > k.c.set.Grace && !(MUTANT) {",
	},
	{
		"fires what is paused", "conductor/schedule.go",
		"if k.c.paused(v.Workflow) {",
		"if k.c.paused(v.Workflow) && !(MUTANT) {",
	},
	{
		"an epoch that lasts", "conductor/run.go",
		"r.epoch = r.c.epochs.Add(1)\n\t\t}\n\t}",
		"if !(MUTANT) {\n\t\t\t\tr.epoch = r.c.epochs.Add(1)\n\t\t\t}\n\t\t}\n\t}",
	},
	{
		"wakes late", "engine/owed.go",
		"if r.hasDue() {\n\t\tat = r.due[0].at",
		"if r.hasDue() {\n\t\tat = r.due[0].at\n\t\tif MUTANT {\n\t\t\tat = at.Add(10 * time.Minute)\n\t\t}",
	},
	{
		"slots out of turn", "engine/run.go",
		"return h[i].since < h[j].since ||",
		"return !(MUTANT) && h[i].since < h[j].since || MUTANT && h[i].task < h[j].task ||",
	},
	{
		"waits for the clock to catch up", "conductor/run.go",
		"if back < setBack {",
		"if back < setBack || MUTANT {",
	},
	{
		"goes on while all is paused", "conductor/conductor.go",
		"if c.gate.Held(row.Workflow) && !row.Held && er.Refuse(wish.ev) == nil {",
		"if c.gate.Held(row.Workflow) && !row.Held && er.Refuse(wish.ev) == nil && !(MUTANT) {",
	},
	{
		"one run more of a group", "engine/admit.go",
		"if in := g.group(c); in != nil && in.limit > 0 && in.inside >= in.limit {",
		"if in := g.group(c); in != nil && in.limit > 0 && in.inside >= in.limit && !(MUTANT && in.inside == in.limit) {",
	},
	{
		"nothing is urgent", "engine/admit.go",
		"o.Priority < c.Priority })",
		"o.Priority < c.Priority && !(MUTANT) })",
	},
	{
		"keeps to the terms of before", "conductor/conductor.go",
		"r.eng.Bound(r.options.MaxDuration)",
		"if !(MUTANT) {\n\t\t\t\tr.eng.Bound(r.options.MaxDuration)\n\t\t\t}",
	},
}

// TestMutantsAreNoticed gets the rules and the shell wrong in several ways:
// among some hundred seeds, one must fail.
func TestMutantsAreNoticed(t *testing.T) {
	if err := Supported(); err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("builds a world of its own")
	}
	m, err := Build(t.Context(), t.TempDir(), mutate(t))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	t.Run("none", func(t *testing.T) {
		err := m.Run(t.Context(), Order{From: 1, Count: 50}, func(r Result) bool {
			if !r.OK {
				t.Errorf("seed %d fails without a mutant: %s", r.Seed, r.Text)
			}
			return r.OK
		})
		if err != nil {
			t.Error(err)
		}
	})
	for _, mutant := range mutants {
		t.Run(mutant.name, func(t *testing.T) { noticed(t, m, Order{From: 1, Count: 2000, Broken: mutant.name}) })
	}
}

// mutate writes the sources with all mutants in them.
func mutate(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	replace := map[string]string{}
	edit := func(file, was, is string) {
		from, err := filepath.Abs(filepath.Join("..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if replace[from] == "" {
			replace[from] = from
		}
		src, err := os.ReadFile(replace[from])
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(src), was) != 1 {
			t.Fatalf("%s does not say %q once: see what the mutant shall be now", file, was)
		}
		if err := os.WriteFile(to, []byte(strings.Replace(string(src), was, is, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[from] = to
	}
	for _, m := range mutants {
		edit(m.file, m.was, strings.ReplaceAll(m.is, "MUTANT", `flow.Mutant == "`+m.name+`"`))
	}
	edit("flow/state.go", "\ntype State ", "\nvar Mutant string\n\ntype State ")
	edit("sim/world/world.go", "func Run(cfg Config) Report {\n", "func Run(cfg Config) Report {\n\tflow.Mutant = cfg.Broken\n")
	return replace
}
