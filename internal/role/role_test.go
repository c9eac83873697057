package role

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	roles, err := parse([]byte(`{"etl": {"policy": {"Version": "2012-10-17", "Statement": [
		{"Effect": "Allow", "Action": ["s3:Get*", "S3:ListBucket"], "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]},
		{"Sid": "x", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::data/secret/??/*"},
		{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:logs:*:*:log-group:mine:*"}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		action, resource string
		want             Verdict
	}{
		{"s3:GetObject", "arn:aws:s3:::data/a/b", Allowed},
		{"s3:getobject", "arn:aws:s3:::data/a", Allowed},
		{"s3:GetObject", "arn:aws:s3:::Data/a", Silent},
		{"s3:GetObject", "arn:aws:s3:::database/a", Silent},
		{"s3:ListBucket", "arn:aws:s3:::data", Allowed},
		{"s3:PutObject", "arn:aws:s3:::data/a", Silent},
		{"s3:GetObject", "arn:aws:s3:::data/secret/ab/c", Denied},
		{"s3:GetObject", "arn:aws:s3:::data/secret/abc/c", Allowed},
		{"logs:PutLogEvents", "arn:aws:logs:us-east-1:1:log-group:mine:log-stream:s", Allowed},
		{"logs:PutLogEvents", "*", Silent},
	} {
		if got := roles["etl"].Policy.Judge(tt.action, tt.resource); got != tt.want {
			t.Errorf("Judge(%s, %s) = %d, want %d", tt.action, tt.resource, got, tt.want)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"*", "", true}, {"?", "", false}, {"a*b*c", "aXbYbc", true}, {"a*b*c", "aXbY", false},
		{"**a", "ba", true}, {"*a?", "aab", true}, {"a", "ab", false}, {"ab", "a", false}, {"a**", "a", true},
	} {
		if got := match(tt.pattern, tt.s); got != tt.want {
			t.Errorf("match(%q, %q) = %t, want %t", tt.pattern, tt.s, got, tt.want)
		}
	}
}

func TestBadRolesAreRefused(t *testing.T) {
	statement := func(s string) string {
		return `{"r": {"policy": {"Version": "2012-10-17", "Statement": [` + s + `]}}}`
	}
	for _, tt := range []struct{ name, text, want string }{
		{"no JSON", "{\n\"r\": x}", "line 2: "},
		{"not an object", `[]`, "expected an object"},
		{"bad name", `{"a b": {}}`, "neither the name nor the ARN"},
		{"unknown member", `{"r": {"polices": {}}}`, "polices"},
		{"assume", `{"r": {"assume": "me"}}`, "expected the ARN of a role"},
		{"both", statement(`{"Effect":"Allow","Action":"*","Resource":"*"}`)[:len(statement(`{"Effect":"Allow","Action":"*","Resource":"*"}`))-2] + `, "assume": "host"}}`, "exclude each other"},
		{"endpoint alone", `{"r": {"endpoint": "http://x"}}`, "only beside assume"},
		{"null for a policy", `{"r": {"policy": null}}`, "policy is null; leave"},
		{"null for a role", `{"r": null}`, "is null; leave"},
		{"version", `{"r": {"policy": {"Version": "2020", "Statement": []}}}`, "2012-10-17"},
		{"no statement", `{"r": {"policy": {}}}`, "Statement must be"},
		{"condition", statement(`{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}`), "conditions are not supported"},
		{"not action", statement(`{"Effect":"Allow","NotAction":"*","Resource":"*"}`), "NotAction is not supported"},
		{"effect", statement(`{"Effect":"allow","Action":"*","Resource":"*"}`), "expected Allow or Deny"},
		{"no action", statement(`{"Effect":"Allow","Resource":"*"}`), "Action is missing"},
		{"no resource", statement(`{"Effect":"Allow","Action":"*"}`), "Resource is missing"},
		{"no service", statement(`{"Effect":"Allow","Action":"GetObject","Resource":"*"}`), "names no service"},
		{"variable", statement(`{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::${aws:username}"}`), "has a variable"},
		{"no ARN", statement(`{"Effect":"Allow","Action":"*","Resource":"data/*"}`), "neither an ARN nor *"},
	} {
		_, err := parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: parse(%s) = %v, want an error with %q", tt.name, tt.text, err, tt.want)
		}
	}
}

func TestBookFollowsItsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roles.json")
	var warned error
	b, err := Open(path, func(err error) { warned = err })
	if err != nil {
		t.Fatal(err)
	}
	const full = "arn:aws:iam::000000000000:role/path/etl"
	look := func() bool {
		b.checked = b.checked.Add(-lookEvery)
		_, ok := b.Find(full)
		return ok
	}
	if look() {
		t.Errorf("Find(%s) finds a role without a file", full)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"etl": {}}`)
	if !look() {
		t.Errorf("Find(%s) does not find the role by its name", full)
	}
	write(`{"etl": {}`)
	if !look() || warned == nil {
		t.Errorf("with a broken file the role is found: %t, want true; warned: %v, want an error", look(), warned)
	}
	write(`{"` + full + `": {"assume": "host"}, "etl": {}}`)
	look()
	if r, _ := b.Find(full); r.Assume != Host {
		t.Errorf("Find(%s) = %+v, want the entry of the ARN before that of the name", full, r)
	}
	warned = nil
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if r, _ := b.Find(full); !look() || r.Assume != Host || warned == nil {
		t.Errorf("after the file has gone: Find(%s) = %+v, want what it said before; warned: %v, want an error", full, r, warned)
	}
	warned = nil
	write(`{}`)
	if look() || warned != nil {
		t.Errorf("Find(%s) finds a role that the file, which is back, does not have; warned: %v", full, warned)
	}
	if _, err := Open(t.TempDir(), nil); err == nil || errors.Is(err, os.ErrNotExist) {
		t.Errorf("Open of a directory = %v, want an error", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"r": {"policy": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}}}`))
	f.Fuzz(func(_ *testing.T, text []byte) {
		roles, err := parse(text)
		if err != nil {
			return
		}
		for _, r := range roles {
			if r.Policy != nil {
				r.Policy.Judge("s3:GetObject", "arn:aws:s3:::b/k")
			}
		}
	})
}
