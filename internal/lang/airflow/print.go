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

// WriteText prints one finding a line: file:line:column: severity: path:
// message (fix).
func WriteText(w io.Writer, file string, ds []flow.Diagnostic) error {
	b := bufio.NewWriter(w)
	for _, d := range ds {
		fmt.Fprintf(b, "%s%s: %s\n", place(file, d), d.Severity, sentence(d))
		if d.Fix != "" {
			fmt.Fprintf(b, "    %s\n", visible(d.Fix))
		}
	}
	return b.Flush()
}

// WriteTerminal prints the findings with the source line of each and a caret
// below the place. Colors are those that every terminal has; color false
// leaves them out.
func WriteTerminal(w io.Writer, file string, src []byte, ds []flow.Diagnostic, color bool) error {
	paint := func(code, s string) string {
		if !color {
			return s
		}
		return "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	shade := [...]string{flow.Fault: "1;31", flow.Caution: "1;33", flow.Remark: "1;36"}
	source := bytes.Split(src, []byte("\n"))
	b := bufio.NewWriter(w)
	for _, d := range ds {
		fmt.Fprintf(b, "%s%s: %s\n", place(file, d), paint(shade[d.Severity], d.Severity.String()), sentence(d))
		if d.Line >= 1 && d.Line <= len(source) {
			text, caret := excerpt(string(bytes.TrimSuffix(source[d.Line-1], []byte("\r"))), d.Column)
			number := fmt.Sprintf("%5d", d.Line)
			fmt.Fprintf(b, "%s %s\n", paint("2", number+" |"), text)
			fmt.Fprintf(b, "%s %s\n", paint("2", "      |"), paint(shade[d.Severity], caret))
		}
		if d.Fix != "" {
			fmt.Fprintf(b, "      %s %s\n", paint("1;32", "fix:"), visible(d.Fix))
		}
	}
	return b.Flush()
}

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
	return visible(string(runes)), strings.Repeat(" ", at) + "^"
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

// WriteJSON prints the findings as one JSON array of objects with the members
// file, line, column, severity (error, warning or note), path, message, fix
// and service; what is empty is left out.
func WriteJSON(w io.Writer, file string, ds []flow.Diagnostic) error {
	out := make([]finding, len(ds))
	for i, d := range ds {
		out[i] = finding{file, d.Line, d.Column, d.Severity.String(), d.Path, d.Message, d.Fix, d.Public}
	}
	if err := json.MarshalWrite(w, out, jsontext.WithIndent("  ")); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// WriteGitHub prints the findings as workflow commands of GitHub Actions,
// which show them beside the changed lines.
func WriteGitHub(w io.Writer, file string, ds []flow.Diagnostic) error {
	b := bufio.NewWriter(w)
	data := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	property := strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
	for _, d := range ds {
		command := [...]string{flow.Fault: "error", flow.Caution: "warning", flow.Remark: "notice"}[d.Severity]
		fmt.Fprintf(b, "::%s file=%s", command, property.Replace(file))
		if d.Line > 0 {
			fmt.Fprintf(b, ",line=%d,col=%d", d.Line, d.Column)
		}
		text := sentence(d)
		if d.Fix != "" {
			text += "\n" + visible(d.Fix)
		}
		fmt.Fprintf(b, "::%s\n", data.Replace(text))
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
		return visible(d.Message)
	}
	return visible(d.Path + ": " + d.Message)
}

// visible keeps what a text quotes from steering a terminal.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7F && r < 0xA0 {
			return '\uFFFD'
		}
		return r
	}, s)
}
