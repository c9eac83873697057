package rehearsal

import (
	"bufio"
	"cmp"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
)

// A Played is a file of tests and what came of it. Workflow is the path of the
// definition; empty if the file names none.
type Played struct {
	File, Workflow string
	Report
}

// unplayed is the name, in the answers for machines, of what a file fails that
// cannot be played.
const unplayed = "the file can be played"

// faults yields what keeps the file from being played, each with the path of
// the file that it is about.
func (p Played) faults() iter.Seq2[string, flow.Diagnostic] {
	return func(yield func(string, flow.Diagnostic) bool) {
		for _, d := range p.Faults {
			if !yield(p.File, d) {
				return
			}
		}
		for _, d := range p.Refused {
			if !yield(p.Workflow, d) {
				return
			}
		}
	}
}

// PrintText prints what came of the tests: a line for each, and below one
// that failed each expectation that was not met, with its place, and the
// timeline. verbose prints every timeline.
func PrintText(w io.Writer, all []Played, verbose bool) error {
	b := bufio.NewWriter(w)
	for _, f := range all {
		for _, r := range f.Results {
			word := "ok"
			if !r.OK() {
				word = "FAIL"
			}
			runs := ""
			if r.Runs != 1 {
				runs = fmt.Sprintf(" (%d runs)", r.Runs)
			}
			fmt.Fprintf(b, "%-4s  %s: %s%s\n", word, f.File, airflow.Visible(r.Name), runs)
			for _, x := range r.Failures {
				b.WriteString(x.text(f.File, "      "))
			}
			if verbose || !r.OK() {
				b.WriteString(r.timeline("      "))
			}
		}
	}
	return b.Flush()
}

// text prints a failure on three lines.
func (x Failure) text(file, indent string) string {
	run := ""
	if x.Run != "" {
		run = ", in the run of " + x.Run
	}
	if x.More > 0 {
		run += fmt.Sprintf(" and %d more", x.More)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s:%d:%d: %s%s\n", indent, file, x.Line, x.Column, airflow.Visible(x.Path), run)
	fmt.Fprintf(&b, "%s    got   %s\n", indent, airflow.Visible(x.Got))
	fmt.Fprintf(&b, "%s    want  %s\n", indent, airflow.Visible(x.Want))
	return b.String()
}

func (r Result) timeline(indent string) string {
	if len(r.Timeline) == 0 {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%stimeline, from %s\n", indent, r.Start.Format(time.RFC3339))
	for _, line := range r.Timeline {
		fmt.Fprintf(&b, "%s    %s\n", indent, airflow.Visible(line))
	}
	return b.String()
}

// PrintJSON prints one object a test: file, name, line, ok, runs, start,
// failures (line, column, path, run, more, got, want) and timeline. A file that
// cannot be played is one too: of each fault there is a failure, whose file is
// that of the definition if it is about that.
func PrintJSON(w io.Writer, all []Played) error {
	type failure struct {
		File   string `json:"file,omitempty"`
		Line   int    `json:"line"`
		Column int    `json:"column"`
		Path   string `json:"path"`
		Run    string `json:"run,omitempty"`
		More   int    `json:"more,omitempty"`
		Got    string `json:"got"`
		Want   string `json:"want"`
	}
	type result struct {
		File     string    `json:"file"`
		Name     string    `json:"name"`
		Line     int       `json:"line"`
		OK       bool      `json:"ok"`
		Runs     int       `json:"runs"`
		Start    time.Time `json:"start"`
		Failures []failure `json:"failures"`
		Timeline []string  `json:"timeline"`
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, f := range all {
		for _, r := range f.Results {
			out := result{f.File, r.Name, r.Line, r.OK(), r.Runs, r.Start, []failure{}, r.Timeline}
			for _, x := range r.Failures {
				out.Failures = append(out.Failures, failure{"", x.Line, x.Column, x.Path, x.Run, x.More, x.Got, x.Want})
			}
			if err := e.Encode(out); err != nil {
				return err
			}
		}
		broken := result{File: f.File, Name: unplayed, Timeline: []string{}}
		for file, d := range f.faults() {
			broken.Failures = append(broken.Failures, failure{File: file, Line: d.Line, Column: d.Column, Path: d.Path, Got: d.Message, Want: cmp.Or(d.Fix, "a file that can be played")})
		}
		if len(broken.Failures) > 0 {
			if err := e.Encode(broken); err != nil {
				return err
			}
		}
	}
	return nil
}

// PrintJUnit prints the results in the XML that CI systems read.
func PrintJUnit(w io.Writer, all []Played) error {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testcase struct {
		Name    string    `xml:"name,attr"`
		Class   string    `xml:"classname,attr"`
		File    string    `xml:"file,attr"`
		Line    int       `xml:"line,attr"`
		Failure []failure `xml:"failure"`
		Error   []failure `xml:"error"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	type suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []suite  `xml:"testsuite"`
	}
	var out suites
	for _, f := range all {
		s := suite{Name: f.File}
		for _, r := range f.Results {
			c := testcase{Name: airflow.Visible(r.Name), Class: f.File, File: f.File, Line: r.Line}
			if !r.OK() {
				s.Failures++
				first := r.Failures[0]
				text := ""
				for _, x := range r.Failures {
					text += x.text(f.File, "")
				}
				c.Failure = []failure{{airflow.Visible(fmt.Sprintf("%s: got %s, want %s", first.Path, first.Got, first.Want)), text + r.timeline("")}}
			}
			s.Cases = append(s.Cases, c)
		}
		for file, d := range f.faults() {
			s.Errors++
			about := file + ": "
			if d.Line > 0 {
				about = file + ":" // the line follows
			}
			s.Cases = append(s.Cases, testcase{
				Name: unplayed, Class: f.File, File: file, Line: d.Line,
				Error: []failure{{airflow.Visible(d.Message), airflow.Visible(about + d.String())}},
			})
		}
		s.Tests = len(s.Cases)
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}
