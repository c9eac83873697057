package airflow

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"fairlead/internal/flow"
)

// FileDiagnostics are the findings about one text.
type FileDiagnostics struct {
	File   string
	Source []byte
	Found  []flow.Diagnostic
}

// PrintText prints one finding a line, file:line:column: severity: path:
// message, and below it what to write instead and what the service would
// say, where that is known. For a terminal it adds the
// source line with a caret below the place, and colors.
func PrintText(w io.Writer, all []FileDiagnostics, terminal bool) error {
	b := bufio.NewWriter(w)
	for _, f := range all {
		source := bytes.Split(f.Source, []byte("\n"))
		for _, d := range f.Found {
			if terminal {
				printExcerpt(b, f.File, source, d)
				continue
			}
			fmt.Fprintf(b, "%s%s: %s\n", place(f.File, d), d.Severity, sentence(d))
			if d.Fix != "" {
				fmt.Fprintf(b, "    %s\n", Visible(d.Fix))
			}
			if d.Public != "" && d.Public != d.Message {
				fmt.Fprintf(b, "    AWS says: %s\n", oneLine(d.Public))
			}
		}
	}
	return b.Flush()
}

// printExcerpt prints a finding as a terminal shows it, in colors that every
// terminal has.
func printExcerpt(b *bufio.Writer, file string, source [][]byte, d flow.Diagnostic) {
	paint := func(code, s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
	shade := [...]string{flow.Fault: "1;31", flow.Caution: "1;33", flow.Remark: "1;36"}[d.Severity]
	fmt.Fprintf(b, "%s%s: %s\n", place(file, d), paint(shade, d.Severity.String()), sentence(d))
	if d.Line >= 1 && d.Line <= len(source) {
		text, caret := excerpt(string(bytes.TrimSuffix(source[d.Line-1], []byte("\r"))), d.Column)
		fmt.Fprintf(b, "%s %s\n", paint("2", fmt.Sprintf("%5d |", d.Line)), text)
		fmt.Fprintf(b, "%s %s\n", paint("2", "      |"), paint(shade, caret))
	}
	if d.Fix != "" {
		fmt.Fprintf(b, "      %s %s\n", paint("1;32", "fix:"), Visible(d.Fix))
	}
	if d.Public != "" && d.Public != d.Message {
		fmt.Fprintf(b, "      %s %s\n", paint("2", "AWS says:"), oneLine(d.Public))
	}
}

// oneLine shows a text of the service, some of which have line ends, on one
// line.
func oneLine(s string) string { return Visible(strings.ReplaceAll(s, "\n", " ")) }

// excerpt returns what of a source line to show, and the caret under a
// column. A tab is one character wide in both.
func excerpt(line string, column int) (text, caret string) {
	const width = 160
	runes := []rune(strings.ReplaceAll(line, "\t", " "))
	at := min(max(column-1, 0), len(runes))
	if at > width-20 {
		cut := at - width/2
		runes, at = append([]rune("… "), runes[cut:]...), at-cut+2
	}
	if len(runes) > width {
		runes = append(runes[:width:width], '…')
	}
	return Visible(string(runes)), strings.Repeat(" ", at) + "^"
}

// A finding is a diagnostic as JSON. The names are a promise to scripts.
type finding struct {
	File     string `json:"file,omitzero"`
	Line     int    `json:"line,omitzero"`
	Column   int    `json:"column,omitzero"`
	Severity string `json:"severity"`
	Path     string `json:"path,omitzero"`
	Message  string `json:"message"`
	Fix      string `json:"fix,omitzero"`
	// Service is what the real service says, where that is known.
	Service string `json:"service,omitzero"`
}

// PrintJSON prints the findings of all files as one JSON array of objects
// with the members file, line, column, severity (error, warning or note),
// path, message, fix and service; what is empty is left out.
func PrintJSON(w io.Writer, all []FileDiagnostics) error {
	out := []finding{}
	for _, f := range all {
		for _, d := range f.Found {
			out = append(out, finding{f.File, d.Line, d.Column, d.Severity.String(), d.Path, d.Message, d.Fix, d.Public})
		}
	}
	if err := json.MarshalWrite(w, out, jsontext.WithIndent("  "), jsontext.AllowInvalidUTF8(true)); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// PrintGitHub prints the findings as workflow commands of GitHub Actions,
// which show them beside the changed lines.
func PrintGitHub(w io.Writer, all []FileDiagnostics) error {
	b := bufio.NewWriter(w)
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, f := range all {
		for _, d := range f.Found {
			command := [...]string{flow.Fault: "error", flow.Caution: "warning", flow.Remark: "notice"}[d.Severity]
			fmt.Fprintf(b, "::%s file=%s", command, property.Replace(f.File))
			if d.Line > 0 {
				fmt.Fprintf(b, ",line=%d,col=%d", d.Line, d.Column)
			}
			text := sentence(d)
			if d.Fix != "" {
				text += "\n" + Visible(d.Fix)
			}
			fmt.Fprintf(b, "::%s\n", data.Replace(text))
		}
	}
	return b.Flush()
}

// place is the file and position of a finding, ready for the rest of a line.
func place(file string, d flow.Diagnostic) string {
	if d.Line == 0 {
		return file + ": "
	}
	return fmt.Sprintf("%s:%d:%d: ", file, d.Line, d.Column)
}

func sentence(d flow.Diagnostic) string {
	if d.Path == "" {
		return Visible(d.Message)
	}
	return Visible(d.Path + ": " + d.Message)
}

// Visible keeps what a text quotes from steering a terminal.
func Visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
