// Package archtest keeps the import arrows pointing down.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "fairlead/"

// mayImport lists, for each of our packages, those of ours that it may
// import. A trailing "/..." takes in the packages below. A new package
// begins with a line here.
var mayImport = map[string][]string{
	"internal/archtest":        {},
	"internal/flow":            {},
	"internal/engine":          {"internal/flow"},
	"internal/engine/cron":     {"internal/flow"},
	"internal/rehearsal":       {"internal/flow", "internal/engine", "internal/engine/cron", "internal/lang", "internal/lang/airflow", "internal/operator"},
	"internal/sim":             {},
	"internal/sim/world":       {"internal/flow", "internal/engine", "internal/conductor", "internal/lang"},
	"internal/sim/guest":       {"internal/sim/world"},
	"internal/conductor":       {"internal/flow", "internal/engine", "internal/engine/cron", "internal/lang", "internal/killpoint"},
	"internal/lang":            {"internal/flow", "internal/exec", "internal/blob", "internal/logs"},
	"internal/lang/jinja":      {},
	"internal/lang/airflow":    {"internal/near", "internal/flow", "internal/exec", "internal/blob", "internal/logs", "internal/operator", "internal/lang", "internal/lang/jinja", "internal/engine/cron", "internal/mask"},
	"internal/lang/wdl":        {"internal/near", "internal/flow", "internal/exec", "internal/blob", "internal/logs", "internal/lang"},
	"internal/operator":        {"internal/near", "internal/flow", "internal/exec", "internal/blob", "internal/logs", "internal/operator/awscall", "internal/aws/transport", "internal/secret"},
	"internal/exec":            {"internal/flow"},
	"internal/exec/cage":       {"internal/ebb", "internal/killpoint", "internal/mask"},
	"internal/exec/sandbox":    {"internal/flow", "internal/exec", "internal/exec/cage", "internal/exec/exectest", "internal/killpoint"},
	"internal/exec/container":  {"internal/flow", "internal/exec", "internal/exec/cage", "internal/exec/exectest", "internal/exec/container/enginetest"},
	"internal/exec/exectest":   {"internal/flow", "internal/exec"},
	"internal/killpoint":       {},
	"internal/mask":            {},
	"internal/near":            {},
	"internal/ebb":             {},
	"internal/disk":            {"internal/flow"},
	"internal/code":            {"internal/flow", "internal/disk"},
	"internal/blob":            {"internal/flow"},
	"internal/blob/file":       {"internal/flow", "internal/blob", "internal/disk"},
	"internal/blob/s3":         {"internal/flow", "internal/blob"},
	"internal/blob/blobtest":   {"internal/flow", "internal/blob"},
	"internal/logs":            {"internal/flow", "internal/disk"},
	"internal/meter":           {"internal/flow"},
	"internal/events":          {"internal/flow"},
	"internal/trace":           {"internal/flow"},
	"internal/store":           {"internal/flow", "internal/engine", "internal/store/storetest", "internal/store/disktest", "internal/killpoint"},
	"internal/store/disktest":  {},
	"internal/store/pgtest":    {},
	"internal/store/storetest": {"internal/flow", "internal/engine", "internal/store"},
	"internal/aws/awsjson":     {"internal/flow"},
	"internal/aws/restjson":    {"internal/flow", "internal/aws/awsjson"},
	"internal/aws/sigv4":       {"internal/flow"},
	"internal/aws/arn":         {"internal/flow"},
	"internal/aws/page":        {"internal/flow"},
	"internal/aws/transport":   {},
	"internal/mwaa":            {"internal/flow", "internal/aws/..."},
	"internal/ops":             {"internal/flow", "internal/aws/..."},
	"internal/omics":           {"internal/flow", "internal/aws/..."},
	"internal/cwlogs":          {"internal/flow", "internal/aws/..."},
	"internal/s3door":          {"internal/flow", "internal/aws/..."},
	"internal/egress":          {"internal/flow"},
	"internal/secret":          {"internal/flow"},
	"internal/role":            {"internal/flow", "internal/aws/arn"},
	"internal/session":         {"internal/flow", "internal/aws/...", "internal/role"},
	"internal/sts":             {"internal/flow", "internal/aws/..."},
	"internal/web":             {"internal/flow", "internal/aws/..."},
	"cmd/fairlead":             {"internal/...", "examples"},
	"examples":                 {},
	"bench":                    {"internal/..."},
	"internal/clienttest":      {"internal/..."},

	"internal/operator/awscall":     {"internal/aws/transport"},
	"internal/operator/awscall/gen": {},
	"internal/operator/awstest":     {},

	"internal/exec/container/enginetest": {},
}

// pure lists the packages that must not reach the outside world.
var pure = []string{"internal/flow", "internal/engine", "internal/engine/cron"}

var impure = []string{
	"context", "sync", "sync/atomic", "os", "net", "net/http", "database/sql",
	"math/rand", "math/rand/v2", "crypto/rand",
}

var clock = []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "NewTimer", "NewTicker", "Tick", "LoadLocation"}

func TestArrowsPointDown(t *testing.T) {
	cmd := exec.Command("go", "list", "-f", `{{.ImportPath}} {{.Dir}} {{if .Doc}}doc{{else}}-{{end}} {{join .Imports " "}}`, "./...")
	cmd.Dir = filepath.Join("..", "..")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		name, dir, doc, imports := strings.TrimPrefix(f[0], module), f[1], f[2], f[3:]
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("package %s has no place in the layout; add it to mayImport", name)
		}
		if doc != "doc" && name != "internal/archtest" {
			t.Errorf("package %s has no package comment", name)
		}
		isPure := slices.Contains(pure, name)
		for _, imp := range imports {
			if ours, ok := strings.CutPrefix(imp, module); ok && !permits(allowed, ours) {
				t.Errorf("%s must not import %s", name, ours)
			}
			if isPure && slices.Contains(impure, imp) {
				t.Errorf("%s must stay pure: it imports %s", name, imp)
			}
		}
		if isPure {
			checkClock(t, dir)
		}
	}
}

func permits(allowed []string, imp string) bool {
	return slices.ContainsFunc(allowed, func(a string) bool {
		if below, ok := strings.CutSuffix(a, "..."); ok {
			return strings.HasPrefix(imp, below)
		}
		return a == imp
	})
}

// checkClock reports uses of the clock in the package in dir.
func checkClock(t *testing.T, dir string) {
	files, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, s.Sel.Name) {
					t.Errorf("%s: time.%s: time enters as data", fset.Position(s.Pos()), s.Sel.Name)
				}
			}
			return true
		})
	}
}
