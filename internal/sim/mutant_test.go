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
