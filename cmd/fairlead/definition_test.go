package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"fairlead/internal/aws/sigv4"
)

// archived returns a zip of files, each as name=text.
func archived(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestOmicsCompiler(t *testing.T) {
	const good = "version 1.0\ntask t {\n  command {}\n}\nworkflow w {\n  input { File f String? s }\n  call t\n}\n"
	var many []string
	for i := range maxArchiveFiles + 1 {
		many = append(many, fmt.Sprintf("f%d=", i))
	}
	var link bytes.Buffer
	z := zip.NewWriter(&link)
	h := &zip.FileHeader{Name: "main.wdl"}
	h.SetMode(fs.ModeSymlink | 0o777)
	w, _ := z.CreateHeader(h)
	_, _ = w.Write([]byte("/etc/passwd"))
	_ = z.Close()
	long := strings.Repeat("x", 60_000)
	var crowded []string
	for i := range 160 {
		crowded = append(crowded, fmt.Sprintf("%s%d=", long, i))
	}

	for _, tt := range []struct {
		name         string
		archive      []byte
		engine, main string
		failed       bool
		says         string
	}{
		{"a workflow", archived(t, "main.wdl="+good), "", "", false, "workflow w"},
		{"beside others", archived(t, "main.wdl="+good, "lib/x.wdl="+good), "WDL", "", false, "call t"},
		{"named", archived(t, "a.wdl="+good, "b.wdl="+good), "WDL_LENIENT", "b.wdl", false, "b.wdl"},
		{"with what macOS adds", archived(t, "__MACOSX/._flow.wdl=x", "flow.wdl="+good, "._flow.wdl=x", ".DS_Store=x", "lib/.DS_Store=x"), "", "", false, "workflow w"},
		{"with a fault", archived(t, "main.wdl="+good+"workflow w {}"), "", "", true, "main.wdl:9"},
		{"no archive", []byte("PK\x03\x04nonsense"), "", "", true, "not a zip archive"},
		{"empty", archived(t), "", "", true, "no definition"},
		{"no definition", archived(t, "README.md=x"), "", "", true, "no definition"},
		{"of another engine", archived(t, "main.nf=x"), "", "", true, "NEXTFLOW are not run here"},
		{"of another engine that is named", archived(t, "main.wdl="+good), "CWL", "", true, "CWL are not run here"},
		{"two engines", archived(t, "main.nf=x", "main.wdl="+good), "", "", true, "several engines"},
		{"a path that leads out", archived(t, "../main.wdl="+good), "", "", true, "leads out"},
		{"an absolute path", archived(t, "/main.wdl="+good), "", "", true, "leads out"},
		{"a link", link.Bytes(), "", "", true, "a link or a device"},
		{"many files", archived(t, many...), "", "", true, "at most 10000"},
		{"a crowded directory", archived(t, crowded...), "", "", true, "too many files"},
		{"tasks alone", archived(t, "main.wdl=version 1.0\ntask t {\n  command {}\n}\n"), "", "", true, "main.wdl"},
	} {
		got, err := omicsCompiler{}.Compile(t.Context(), tt.archive, tt.engine, tt.main)
		if err != nil || got.Failed != tt.failed || !strings.Contains(got.Message, tt.says) {
			t.Errorf("%s: failed %v, %v, message %q; want %v with %q", tt.name, got.Failed, err, got.Message, tt.failed, tt.says)
			continue
		}
		if tt.failed {
			continue
		}
		if len(got.Graph.Nodes) == 0 || !strings.HasPrefix(got.Digest, "sha256:") || len(got.Parameters) != 2 ||
			got.Parameters[0].Optional || !got.Parameters[1].Optional {
			t.Errorf("%s: got %d nodes, digest %q, parameters %+v", tt.name, len(got.Graph.Nodes), got.Digest, got.Parameters)
		}
	}
}

func TestOmicsResource(t *testing.T) {
	a := &app{opt: defaultOptions()}
	const prefix = "arn:aws:omics:us-east-1:000000000000:"
	for path, want := range map[string]string{
		"/run": "*", "/run/12": prefix + "run/12", "/run/12/task/3": prefix + "run/12", "/workflow/7": prefix + "workflow/7",
		"/workflow/7/version": prefix + "workflow/7", "/workflow/7/version/v1": prefix + "workflow/7/version/v1",
		"/runBatch/cancel": "*", "/runBatch/9": prefix + "runBatch/9", "/configuration/c": prefix + "configuration/c",
		"/tags/arn%3Aaws%3Aomics%3Aus-east-1%3A0%3Arun%2F1": "arn:aws:omics:us-east-1:0:run/1", "/": "*",
	} {
		if got := a.omicsResource(path); got != want {
			t.Errorf("omicsResource(%q) = %q, want %q", path, got, want)
		}
	}
	if a.permit(sigv4.WithIdentity(t.Context(), sigv4.Identity{}), "omics:GetRun", "*") != nil {
		t.Error("the server's own key is refused")
	}
}
