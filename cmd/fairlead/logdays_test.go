package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/mwaa"
)

// TestLogsAreKeptForTheirDays checks which streams go: by the tag of their
// workflow, else by their group, and never those of a run that goes on.
func TestLogsAreKeptForTheirDays(t *testing.T) {
	opt := defaultOptions()
	opt.data, opt.listen = dataDir(t.TempDir()), "127.0.0.1:0"
	a, err := start(opt)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	now := time.Now()
	key, err := a.db.PutGraph(t.Context(), flow.Graph{Nodes: []flow.Node{{ID: "t"}}})
	if err != nil {
		t.Fatal(err)
	}
	for id, tags := range map[string]map[string]string{"tagged-aaaaaaaaaa": {logDaysTag: "30"}, "plain-aaaaaaaaaa": nil} {
		w := flow.Workflow{ID: flow.WorkflowID(id), Name: id, Tags: tags, Created: now, Modified: now}
		v := flow.Version{ID: flow.VersionID("v" + id), Workflow: w.ID, Graph: key, Created: now, Settings: []byte("{}")}
		if _, _, _, err := a.db.CreateWorkflow(t.Context(), w, v, flow.Token{}, 0); err != nil {
			t.Fatal(err)
		}
	}
	open := flow.Run{ID: "open", Workflow: "plain-aaaaaaaaaa", Version: "vplain-aaaaaaaaaa", Kind: flow.OnDemand, State: flow.Running, Graph: key, Created: now, Logical: now}
	if _, _, err := a.db.InsertRun(t.Context(), open, flow.Token{}, 0, 0); err != nil {
		t.Fatal(err)
	}
	put := func(group, stream string, days int) {
		t.Helper()
		if err := a.logs.Append(group, stream, []byte(`{"event":"x"}`)); err != nil {
			t.Fatal(err)
		}
		path, err := a.logs.Path(group, stream)
		if err != nil {
			t.Fatal(err)
		}
		at := now.AddDate(0, 0, -days)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	for _, days := range []int{1, 10, 40} {
		for _, group := range []string{"kept", "week"} {
			put(group, mwaa.LogStream("tagged-aaaaaaaaaa", flow.RunID(fmt.Sprint("r", days)), "t", 1), days)
			put(group, mwaa.LogStream("plain-aaaaaaaaaa", flow.RunID(fmt.Sprint("r", days)), "t", 1), days)
			put(group, fmt.Sprint("foreign", days), days)
		}
	}
	put("week", mwaa.LogStream("plain-aaaaaaaaaa", "open", "t", 1), 40)
	if err := a.logs.SetRetention("week", 7); err != nil {
		t.Fatal(err)
	}
	if err := a.dropOldLogs(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]string{
		"kept": "foreign1 foreign10 foreign40 plain/r1 plain/r10 plain/r40 tagged/r1 tagged/r10",
		"week": "foreign1 plain/open plain/r1 tagged/r1 tagged/r10",
	} {
		streams, err := a.logs.Streams(t.Context(), group, flow.LogList{Page: flow.Page{Limit: 100}})
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, s := range streams {
			name := strings.TrimSuffix(s.Name, "/task_id=t/attempt=1.log")
			names = append(names, strings.NewReplacer("workflow_id=", "", "-aaaaaaaaaa/run_id=", "/").Replace(name))
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("group %s has %s, want %s", group, got, want)
		}
	}
	for _, bad := range []string{"0", "x", "4000", "-1"} {
		if err := checkTags(map[string]string{logDaysTag: bad}); flow.KindOf(err) != flow.Invalid {
			t.Errorf("the tag %s=%s: %v, want an error", logDaysTag, bad, err)
		}
	}
}
