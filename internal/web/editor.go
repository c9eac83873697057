package web

import (
	"strings"

	"fairlead/internal/flow"
)

// An Edit is a definition to be stored.
type Edit struct {
	Name        string
	Source      string
	Role        string
	Description string
	Tags        map[string]string
	Code        string // s3://bucket/key of a code package; empty: none
	Token       string
}

// A Stored says what became of a definition.
type Stored struct {
	Workflow flow.WorkflowID
	Version  flow.VersionID
	Warnings []string
}

type diagnosticView struct {
	Severity string `json:"severity"`
	Line     int    `json:"line"`
	Column   int    `json:"column"`
	Path     string `json:"path"`
	Message  string `json:"message"`
	Fix      string `json:"fix"`
	Public   string `json:"public"`
}

type checkView struct {
	OK          bool                `json:"ok"`
	Diagnostics []diagnosticView    `json:"diagnostics"`
	Graph       *graphView          `json:"graph"`
	Lines       map[flow.TaskID]int `json:"lines"`
	Name        string              `json:"name"`
	Schedule    *scheduleView       `json:"schedule"`
	Params      []Param             `json:"params"`
}

// maxFindings bounds how many findings one answer has.
const maxFindings = 500

// check says what is to be said of a definition, and stores nothing. It is no
// action: a console that changes nothing has an editor, too.
func (s *Console) check(c *call) (any, error) {
	var in struct {
		Source string `json:"source"`
		Code   bool   `json:"code"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	def, found := s.c.Language.Compile(in.Source, in.Code)
	out := checkView{OK: true, Diagnostics: []diagnosticView{}, Lines: map[flow.TaskID]int{}, Name: def.Name, Params: []Param{}}
	for _, d := range found {
		out.OK = out.OK && d.Severity != flow.Fault
		if len(out.Diagnostics) < maxFindings {
			out.Diagnostics = append(out.Diagnostics, diagnosticView{d.Severity.String(), d.Line, d.Column, d.Path, d.Message, d.Fix, d.Public})
		}
	}
	if !out.OK {
		return out, nil
	}
	sk, err := s.newSkeleton(&def.Graph)
	if err != nil {
		return nil, err
	}
	if out.Graph, err = sk.view(); err != nil {
		return nil, err
	}
	out.Lines, out.Params, out.Schedule = sk.lines, sk.params, s.viewSchedule(def.Schedule, false)
	return out, nil
}

type storedView struct {
	Workflow flow.WorkflowID `json:"workflow"`
	Version  flow.VersionID  `json:"version"`
	Warnings []string        `json:"warnings"`
}

func (s *Console) stored(st Stored, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	s.Changed(st.Workflow)
	return storedView{st.Workflow, st.Version, list(st.Warnings)}, nil
}

func (s *Console) create(c *call) (any, error) {
	var in struct {
		Name        string            `json:"name"`
		Source      string            `json:"source"`
		Role        string            `json:"role"`
		Description string            `json:"description"`
		Tags        map[string]string `json:"tags"`
		Code        string            `json:"code"`
		Token       string            `json:"token"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if err := checkToken(in.Token); err != nil {
		return nil, err
	}
	if in.Name == "" || len(in.Name) > 255 || strings.ContainsAny(in.Name, "/\\ \t\n") {
		return nil, fault("name", "expected a name of letters, digits, dots, dashes and underscores, at most 255 of them")
	}
	if in.Role == "" {
		in.Role = s.c.Role
	}
	return s.stored(s.c.Actions.Create(c.Context(), Edit(in)))
}

func (s *Console) update(c *call) (any, error) {
	var in struct {
		Source string         `json:"source"`
		Base   flow.VersionID `json:"base"`
	}
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	row, err := s.row(c.Context(), workflowOf(c))
	if err != nil {
		return nil, err
	}
	if in.Base != row.Latest.ID {
		return nil, flow.Errorf(flow.Conflict, "somebody has updated %s meanwhile: its latest version is %d; compare, and save again", row.Workflow.Name, row.Latest.N)
	}
	return s.stored(s.c.Actions.Update(c.Context(), row.Workflow, row.Latest, in.Source))
}

func (s *Console) deleteWorkflow(c *call) (any, error) {
	if err := c.nothing(); err != nil {
		return nil, err
	}
	w, err := s.c.Workflows.Workflow(c.Context(), workflowOf(c))
	if err != nil {
		return nil, err
	}
	if err := s.c.Actions.Delete(c.Context(), w.ID, ""); err != nil {
		return nil, err
	}
	s.Changed(w.ID)
	return struct{}{}, nil
}

func (s *Console) deleteVersion(c *call) (any, error) {
	if err := c.nothing(); err != nil {
		return nil, err
	}
	w, v, err := s.versionOf(c)
	if err != nil {
		return nil, err
	}
	if err := s.c.Actions.Delete(c.Context(), w.ID, v.ID); err != nil {
		return nil, err
	}
	s.Changed(w.ID)
	return struct{}{}, nil
}
