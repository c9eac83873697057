package wdl

import (
	"fmt"
	"strings"
)

// slip says what to write in place of the next token where it is one that
// other languages have, or that an editor has put there; empty of any other.
func (p *parser) slip(expected string) string {
	switch t := p.tok; t.text {
	case "/":
		return "a comment begins with #"
	case ";":
		return "leave it out: a declaration ends without a mark"
	case "“", "”", "„", "‘", "’", "`", "´":
		return `write straight quotes, "…"`
	case "?":
		return "write if … then … else …"
	case "&", "|":
		return "write && or ||"
	case "=":
		if expected == ":" || expected == ")" {
			return map[string]string{":": "write : in place of =", ")": "write == to compare"}[expected]
		}
	case "and", "AND":
		return "write &&"
	case "or", "OR":
		return "write ||"
	case "else":
		if expected != "else" {
			return "write if … then … else …"
		}
	}
	if expected == "else" {
		return "add else and the value for false"
	}
	if expected == ")" && p.last.EndLine == p.tok.Line && p.tok.kind == tokIdent && strings.HasSuffix(p.lex.text[:p.lex.off], "not "+p.tok.text) {
		return "write ! in place of not"
	}
	return ""
}

// otherNames are what other languages call functions of the library, or what
// does the same.
var otherNames = map[string]string{
	"len": "length(…)", "count": "length(…)", "join": `sep(", ", …)`, "concat": "flatten([…, …])", "append": "flatten([…, […]])",
	"strip": `sub(…, "^\\s+|\\s+$", "")`, "trim": `sub(…, "^\\s+|\\s+$", "")`, "replace": `sub(…, pattern, with)`, "gsub": `sub(…, pattern, with)`,
	"split": "read_lines() or read_tsv() of a file that the command splits", "dirname": `sub(…, "/[^/]*$", "")`, "filename": "basename(…)",
	"str": `"~{…}"`, "string": `"~{…}"`, "int": "floor(…) of a number, or read_int(…) of a file", "float": "… + 0.0",
	"isdefined": "defined(…)", "is_defined": "defined(…)", "exists": "defined(…)", "coalesce": "select_first([…])", "enumerate": "zip(range(length(…)), …)",
	"sum": "a command that adds them up", "print": "an output", "file_size": "size(…)", "filesize": "size(…)", "read_file": "read_string(…)", "read_text": "read_string(…)",
	"write_string": "write_lines([…])", "write_file": "write_lines([…])", "map": "scatter, and an array of what is declared in it", "filter": "select_all(…)", "abs": "if x < 0 then -x else x",
}

// shellNames remarks on ${name} in a command in <<< >>>, where it is the
// shell's, if it is the name of a declaration that the shell is not given.
func (c *checker) shellNames(t *Task, s *scope) {
	if t.Command == nil || t.Command.Braces || c.rules.Version == Draft2 {
		return
	}
	var all strings.Builder
	for _, p := range t.Command.Parts {
		all.WriteString(p.Text)
	}
	text := all.String()
	seen := map[string]bool{}
	for rest := text; len(seen) < maxShellNames; {
		_, after, ok := strings.Cut(rest, "${")
		if !ok {
			return
		}
		rest = after
		name, _, ok := strings.Cut(after[:min(len(after), 100)], "}")
		sym, known := s.find(name)
		d, isDecl := sym.to.(*Decl)
		if !ok || !known || !isDecl || d.Env || seen[name] {
			continue
		}
		seen[name] = true
		if !strings.Contains(text, name+"=") && !strings.Contains(text, " "+name+" in ") && !strings.Contains(text, "read ") {
			c.remark(t.Command.At(), fmt.Sprintf("write ~{%s}", name), "task %s: ${%s} in <<< >>> is a variable of the shell, and not the declaration %[2]s", t.Name.Text, name)
		}
	}
}

// maxShellNames bounds the names that a command is searched for.
const maxShellNames = 50

// indentation warns of a command whose lines begin with tabs and with spaces:
// what they share is not told apart then.
func (c *checker) indentation(t *Task) {
	if t.Command == nil || !t.Command.Mixed {
		return
	}
	c.caution(t.Command.At(), "use one of them", "task %s: lines of the command begin with spaces and others with tabs, so that what they share is counted in characters", t.Name.Text)
}
