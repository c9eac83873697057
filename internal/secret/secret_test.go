package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fairlead/internal/flow"
)

func open(t *testing.T, dir, key string) *Vault {
	t.Helper()
	v, err := Open(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVault(t *testing.T) {
	dir := t.TempDir()
	v := open(t, dir, "")
	if got, err := v.Values(); len(got) != 0 || err != nil {
		t.Errorf("an empty vault has %v, %v", got, err)
	}
	other := open(t, dir, "")
	var all sync.WaitGroup
	for i, v := range []*Vault{v, other} {
		all.Go(func() {
			for j := range 5 {
				if err := v.Set("variables/k"+string(rune('a'+5*i+j)), "much-hidden"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got, err := v.Values(); len(got) != 10 || err != nil {
		t.Errorf("after 10 secrets from two sides there are %d, %v", len(got), err)
	}
	if err := v.Remove("variables/ka"); err != nil {
		t.Error(err)
	}
	if err := v.Remove("variables/ka"); flow.KindOf(err) != flow.NotFound || err == nil {
		t.Errorf("removed twice: %v, want NotFound", err)
	}
	if got, _ := other.Values(); len(got) != 9 || got["variables/kb"] != "much-hidden" {
		t.Errorf("the other side sees %v", got)
	}
	text, err := os.ReadFile(filepath.Join(dir, "secrets"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("hidden")) || bytes.Contains(text, []byte("variables")) {
		t.Error("the file shows names or values")
	}
	for _, name := range []string{"secrets", "secrets.key"} {
		if fi, err := os.Stat(filepath.Join(dir, name)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v; want 0600", name, fi.Mode(), err)
		}
	}
	for i := range text {
		bad := slices.Clone(text)
		bad[i] ^= 1
		if err := os.WriteFile(filepath.Join(dir, "secrets"), bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := open(t, dir, "").Values(); err == nil {
			t.Fatalf("with byte %d changed the vault has %v", i, got)
		}
	}
}

func TestVaultKeys(t *testing.T) {
	dir := t.TempDir()
	key := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	if err := open(t, dir, key).Set("connections/db", "postgres://u:p@h/d"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets.key")); err == nil {
		t.Error("a key that was given is written beside the secrets")
	}
	if err := open(t, dir, "").Set("variables/x", "y"); err == nil || !strings.Contains(err.Error(), "FAIRLEAD_SECRET_KEY") {
		t.Errorf("without the key: %v, want an error that says where it may be named", err)
	}
	if _, err := open(t, dir, strings.Replace(key, "B", "C", 1)).Values(); err == nil || !strings.Contains(err.Error(), "the key is another one") {
		t.Errorf("with another key: %v", err)
	}
	if _, err := Open(dir, "short"); err == nil {
		t.Error("a short key is accepted")
	}
}

func TestNames(t *testing.T) {
	for name, want := range map[string]bool{
		"variables/a": true, "connections/a/b": true, "environment/DB": true, "a": false, "variables/": false, "x/a": false,
		"variables/a=b": false, "environment/AWS_PROFILE": false, "environment/fairlead_x": false, "variables/" + strings.Repeat("x", 201): false,
	} {
		if err := CheckName(name); (err == nil) != want {
			t.Errorf("CheckName(%.40q) = %v, want none: %t", name, err, want)
		}
	}
}

func TestHidden(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"AIRFLOW_VAR_REGION", "eu", ""},
		{"AIRFLOW_VAR_DB_PASSWORD", "hunter2", "hunter2"},
		{BackendVar, "a.Class", ""},
		{"MY_API_KEY", "k-1", "k-1"},
		{"AIRFLOW_CONN_DB", "postgres://me:p%40ss@host/db?sslmode=x&api_key=abc", "abc p@ss"},
		{"AIRFLOW_CONN_DB", `postgres://h?__extra__={"private_key":"abc","n":1}`, "abc"},
		{"AIRFLOW_CONN_DB", `{"login":"me","password":"p@ss","extra":{"aws_secret_access_key":"abc","region":"eu"}}`, "abc p@ss"},
		{"AIRFLOW_CONN_DB", `{"extra":"{\"token\":\"abc\"}"}`, "abc"},
		{"AIRFLOW_CONN_DB", "%zz", "%zz"},
	} {
		got := Hidden(tt.name, tt.value)
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("Hidden(%s, %s) = %q, want %q", tt.name, tt.value, got, tt.want)
		}
	}
}

// TestForms looks for values in what others make of them.
func TestForms(t *testing.T) {
	value := "p<s\"\\' é😀\tx\nsecond line"
	forms := Forms([]string{value, "tiny"})
	pairs := []string{}
	for _, f := range forms {
		pairs = append(pairs, f, "***")
	}
	r := strings.NewReplacer(pairs...)
	html, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": value, "Go": string(html), "Python": `"p<s\"\\' \u00e9\ud83d\ude00\tx\nsecond line"`,
		"JavaScript": `"p<s\"\\' é😀\tx\nsecond line"`, "repr": `'p<s"\\\' é😀\tx\nsecond line'`, "URL": "p%3Cs%22%5C%27+%C3%A9%F0%9F%98%80%09x%0Asecond+line",
	} {
		got := r.Replace(text)
		if strings.Contains(got, "p<") || strings.Contains(got, "p%3C") || strings.Contains(got, "x") || strings.Contains(got, "second") {
			t.Errorf("%s: %s is shown as %s", name, text, got)
		}
	}
	if slices.Contains(forms, "tiny") {
		t.Error("a text of four letters is masked")
	}
}

func FuzzForms(f *testing.F) {
	f.Add("postgres://u:p@h/d", "AIRFLOW_CONN_X")
	f.Fuzz(func(t *testing.T, value, name string) {
		Hidden(name, value)
		for _, form := range Forms([]string{value}) {
			if form == "" || len(form) > 64<<10 {
				t.Errorf("a form of %q has %d bytes", value, len(form))
			}
		}
	})
}
