package operator

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// outside names the arguments that the tables leave to the dialect.
var outside = map[string]bool{"deferrable": true, "aws_conn_id": true, "region_name": true, "verify": true, "botocore_config": true}

// rendered lists classes of which the reference does not know what they
// render; the provider's own lists decide.
var rendered = map[string]bool{
	"BedrockCreateGuardrailOperator": true, "BedrockCreateGuardrailVersionOperator": true, "BedrockDeleteGuardrailOperator": true,
	"SageMakerNotebookOperator": true,
}

func TestTableHoldsTheReference(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../../shared/reference/operators.md"))
	if err != nil {
		t.Skip("the reference is not here:", err)
	}
	table := Default()
	entry := regexp.MustCompile("(?m)^\\*\\*(\\w+)\\*\\* `([^`]+)`\n- args: (.*)$")
	arg := regexp.MustCompile(`(?:^| )([a-z_0-9]+):([A-Za-z0-9'][^ =?*†]*)([?*†]*)(=[^ ]*)?`)
	entries := entry.FindAllStringSubmatch(string(text), -1)
	if len(entries) != 221 {
		t.Errorf("the reference has %d entries, want 221", len(entries))
	}
	args := 0
	for _, e := range entries {
		class, path, line := e[1], e[2], e[3]
		s, ok := table.Lookup(path)
		if !ok || s.Class != class || s.Paths[0] != path {
			t.Errorf("Lookup(%q) = %+v, %v; want class %s", path, s, ok, class)
			continue
		}
		if want := strings.Contains(path, ".sensors."); s.Sensor != want {
			t.Errorf("%s: Sensor = %v, want %v", class, s.Sensor, want)
		}
		for _, m := range arg.FindAllStringSubmatch(line, -1) {
			name, flags, def := m[1], m[3], m[4]
			args++
			if outside[name] {
				continue
			}
			a, ok := s.Arg(name)
			if d, inDefaults := s.Defaults[name]; s.Sensor && inDefaults {
				if "="+strings.Trim(string(d), `"`) != def {
					t.Errorf("%s: default of %s is %s, want %s", class, name, d, def)
				}
				continue
			}
			if !ok {
				t.Errorf("%s has no argument %s; the reference says %q", class, name, m[0])
				continue
			}
			if got, want := a.Required, strings.Contains(flags, "*"); got != want {
				t.Errorf("%s.%s: Required = %v, want %v", class, name, got, want)
			}
			if got, want := a.Template, strings.Contains(flags, "†"); got != want && !rendered[class] {
				t.Errorf("%s.%s: Template = %v, want %v", class, name, got, want)
			}
			if got, want := a.Nullable, strings.Contains(flags, "?") || def == "=None"; got != want {
				t.Errorf("%s.%s: Nullable = %v, want %v", class, name, got, want)
			}
			if got, want := len(a.Default) > 0, def != "" && a.Type != "callable"; got != want {
				t.Errorf("%s.%s: has default %v, want %v", class, name, got, want)
			}
		}
	}
	t.Logf("%d entries, %d arguments", len(entries), args)
}

func TestTableIsSound(t *testing.T) {
	types := map[string]bool{"str": true, "int": true, "float": true, "bool": true, "list": true, "dict": true,
		"callable": true, "object": true, "timedelta": true, "datetime": true}
	for _, s := range Default().Specs() {
		seen := map[string]bool{}
		for _, a := range s.Args {
			if seen[a.Name] {
				t.Errorf("%s takes %s twice", s.Class, a.Name)
			}
			seen[a.Name] = true
			for typ := range strings.SplitSeq(a.Type, "|") {
				if !types[typ] {
					t.Errorf("%s.%s has the type %q", s.Class, a.Name, a.Type)
				}
			}
			if a.Required && len(a.Default) > 0 {
				t.Errorf("%s.%s is required and has the default %s", s.Class, a.Name, a.Default)
			}
			if string(a.Default) == "null" && !a.Nullable {
				t.Errorf("%s.%s may not be null, its default", s.Class, a.Name)
			}
		}
		if s.Abstract && (len(s.Args) > 0 || Default().Implemented(s.Paths[0])) {
			t.Errorf("%s is abstract and has arguments or an implementation", s.Class)
		}
	}
}

func TestTableKnowsBothPaths(t *testing.T) {
	for _, tt := range []struct{ a, b string }{
		{"airflow.operators.bash.BashOperator", "airflow.providers.standard.operators.bash.BashOperator"},
		{"airflow.operators.empty.EmptyOperator", "airflow.providers.standard.operators.empty.EmptyOperator"},
		{"airflow.operators.python.PythonOperator", "airflow.providers.standard.operators.python.PythonOperator"},
	} {
		a, _ := Default().Lookup(tt.a)
		b, _ := Default().Lookup(tt.b)
		if a == nil || a != b || a.Paths[0] != tt.b {
			t.Errorf("%s gives %v, %s gives %v; want the same, the second first", tt.a, a, tt.b, b)
		}
	}
}

func TestNearest(t *testing.T) {
	const s3 = "airflow.providers.amazon.aws.operators.s3."
	for _, tt := range []struct{ in, want string }{
		{"S3ListOperator", s3 + "S3ListOperator"},
		{"airflow.providers.amazon.aws.operators.s3.S3LstOperator", s3 + "S3ListOperator"},
		{"airflow.providers.amazon.aws.s3.S3CreateObjectOperator", s3 + "S3CreateObjectOperator"},
		{"airflow.operators.bash_operator.BashOperator", "airflow.operators.bash.BashOperator"},
		{"airflow.operators.dummy.DummyOperator", "airflow.operators.empty.EmptyOperator"},
		{"nothing.of.the.KindOperator", ""},
		{"", ""},
	} {
		if got := Default().Nearest(tt.in); got != tt.want {
			t.Errorf("Nearest(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

func BenchmarkReadTable(b *testing.B) {
	for b.Loop() {
		if _, err := readTable(); err != nil {
			b.Fatal(err)
		}
	}
}
