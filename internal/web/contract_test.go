package web

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// contract reads the interfaces of ui/src/api.ts: the members of each, with
// those of what it extends.
func contract(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("ui/src/api.ts")
	if err != nil {
		t.Fatal(err)
	}
	head := regexp.MustCompile(`^export interface (\w+)(?: extends (\w+))? \{$`)
	member := regexp.MustCompile(`^  (\w+)\??: `)
	all := map[string][]string{}
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if m := head.FindStringSubmatch(line); m != nil {
			name = m[1]
			all[name] = slices.Clone(all[m[2]])
		} else if line == "}" {
			name = ""
		} else if m := member.FindStringSubmatch(line); m != nil && name != "" {
			all[name] = append(all[name], m[1])
		}
	}
	return all
}

// membersOf lists the members that a struct has as JSON.
func membersOf(typ reflect.Type) []string {
	var all []string
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous:
			all = append(all, membersOf(f.Type)...)
		case name != "-":
			all = append(all, name)
		}
	}
	return all
}

// TestContract holds what is answered against what the pages are told that it
// is.
func TestContract(t *testing.T) {
	said := contract(t)
	for name, v := range map[string]any{
		"Session": sessionView{}, "Word": word{}, "Pause": pauseView{}, "Schedule": scheduleView{}, "RunRow": runView{},
		"WorkflowRow": workflowView{}, "WorkflowList": workflowList{}, "Workflow": wholeWorkflow{}, "Param": Param{}, "RunList": runList{},
		"Grid": gridView{}, "GridRun": gridRun{}, "CalendarDay": dayView{}, "Calendar": calendarView{}, "VersionRow": versionView{},
		"VersionList": versionList{}, "Version": wholeVersion{}, "Graph": graphView{}, "Group": group{}, "Run": wholeRun{}, "Tasks": tasksView{},
		"Timeline": timelineView{}, "JournalLine": journalLine{}, "JournalEntry": journalEntry{}, "Journal": journalView{}, "Wait": waitView{}, "Waits": waitsView{}, "Exit": exitView{}, "Attempt": attemptView{}, "Task": wholeTask{},
		"Excerpt": excerpt{}, "Argument": Argument{}, "Arguments": Arguments{}, "XComs": xcomsView{}, "LogLine": lineView{}, "LogPage": logView{},
		"LogMatches": matchesView{}, "Diagnostic": diagnosticView{}, "Check": checkView{}, "FieldError": fieldView{},
		"WorkflowsEvent": workflowsEvent{}, "WorkflowEvent": workflowEvent{}, "RunChange": runChange{}, "RunEvent": runEvent{}, "LogEvent": logEvent{},
		"Asked": askedView{}, "OmicsFacts": omicsFacts{}, "OmicsWorkflowRow": omicsWorkflowRow{}, "OmicsWorkflowList": omicsWorkflowList{},
		"OmicsWorkflow": omicsWorkflowView{}, "OmicsParameter": OmicsParameter{}, "OmicsRunRow": omicsRunView{}, "OmicsRunList": omicsRunList{}, "OmicsEvent": omicsEvent{},
	} {
		got, want := membersOf(reflect.TypeOf(v)), said[name]
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s has the members\n%q, and the pages expect\n%q", name, got, want)
		}
		delete(said, name)
	}
	delete(said, "Options") // of the pages themselves
	for name := range said {
		t.Errorf("the pages expect a %s, of which nothing here is known", name)
	}
}

// TestEveryRouteIsAsked holds the routes against the functions of the pages.
func TestEveryRouteIsAsked(t *testing.T) {
	text, err := os.ReadFile("ui/src/api.ts")
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	place := regexp.MustCompile(`\$\{[^}]*\}`)
	for _, m := range regexp.MustCompile("\\b(get|post)<[^(]*>\\(\\s*[`\"]([^`\"]*)[`\"]").FindAllStringSubmatch(string(text), -1) {
		asked[strings.ToUpper(m[1])+" "+place.ReplaceAllString(m[2], "{}")] = true
	}
	for _, m := range regexp.MustCompile("`\\$\\{BASE\\}([^?`]*)").FindAllStringSubmatch(string(text), -1) {
		asked["GET "+place.ReplaceAllString(m[1], "{}")] = true
	}
	source, err := os.ReadFile("web.go")
	if err != nil {
		t.Fatal(err)
	}
	var routes []string
	for _, m := range regexp.MustCompile(`"((?:GET|POST) [a-z][^"]*)"`).FindAllStringSubmatch(string(source), -1) {
		routes = append(routes, regexp.MustCompile(`\{[a-z]+\}`).ReplaceAllString(m[1], "{}"))
	}
	for _, r := range routes {
		if !asked[r] {
			t.Errorf("no page asks for %s", r)
		}
		delete(asked, r)
	}
	for r := range asked {
		t.Errorf("pages ask for %s, which nobody answers", r)
	}
	if len(routes) < 30 {
		t.Errorf("%d routes were found", len(routes))
	}
}
