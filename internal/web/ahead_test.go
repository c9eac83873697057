package web

import (
	"slices"
	"strings"
	"testing"
)

func TestPageAt(t *testing.T) {
	for _, tt := range []struct {
		path, page string
		asks       []string
	}{
		{"/", "workflows", nil},
		{"/omics", "omics", nil},
		{"/omics/workflows", "omicsWorkflows", nil},
		{"/omics/workflows/1000001", "omicsWorkflows", nil},
		{"/omics/runs", "", nil},
		{"/workflows/etl-abc", "workflow", []string{"workflows/etl-abc/grid?limit=50", "workflows/etl-abc"}},
		{"/workflows/etl-abc/", "workflow", []string{"workflows/etl-abc/grid?limit=50", "workflows/etl-abc"}},
		{`/workflows/"><script>`, "workflow", []string{"workflows/%22%3E%3Cscript%3E/grid?limit=50", "workflows/%22%3E%3Cscript%3E"}},
		{"/workflows/etl-abc/runs", "workflow", nil},
		{"/workflows/etl-abc/edit", "", nil},
		{"/runs/abc", "run", nil},
		{"/runs/abc/table", "run", nil},
		{"/runs/abc/tasks/load", "task", nil},
		{"/nowhere", "", nil},
		{"//", "", nil},
	} {
		page, asks := pageAt(tt.path)
		if page != tt.page || !slices.Equal(asks, tt.asks) {
			t.Errorf("pageAt(%q) = %q, %q, want %q, %q", tt.path, page, asks, tt.page, tt.asks)
		}
	}
}

// TestAheadIsInTheBundle holds what pages are sent along with against the files
// that there are.
func TestAheadIsInTheBundle(t *testing.T) {
	files := loadFiles()
	a := loadAhead(files)
	if len(a.Fonts) == 0 {
		t.Error("ahead.json names no font")
	}
	for _, page := range []string{"workflows", "workflow", "omics", "run", "task"} {
		if len(a.Pages[page]) == 0 {
			t.Errorf("ahead.json names no code of the page %s", page)
		}
	}
	all := a.Fonts
	for _, names := range a.Pages {
		all = append(all, names...)
	}
	for _, name := range all {
		if files[name] == nil || !files[name].lasting {
			t.Errorf("ahead.json names %q, which is no file of the bundle for ever", name)
		}
	}
	if page := string(files["index.html"].plain()); strings.Count(page, "</head>") != 1 {
		t.Errorf("index.html has no place for what goes into its head:\n%s", page)
	}
}
