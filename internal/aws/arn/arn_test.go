package arn

import (
	"regexp"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, tt := range []struct {
		in   string
		want ARN
	}{
		{"arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl-a1B2c3D4e5", Workflow("us-east-1", "111122223333", "etl-a1B2c3D4e5")},
		{"arn:aws-us-gov:airflow-serverless:us-gov-west-1:111122223333:workflow/x-0000000000", Workflow("us-gov-west-1", "111122223333", "x-0000000000")},
		{"arn:aws-cn:omics:cn-north-1:111122223333:run/1234567", OmicsRun("cn-north-1", "111122223333", "1234567")},
		{"arn:aws:iam::111122223333:role/service-role/etl", Role("eu-west-1", "111122223333", "/service-role/", "etl")},
		{"arn:aws:logs:us-east-1:111122223333:log-group:/aws/x:*", ARN{"aws", "logs", "us-east-1", "111122223333", "log-group:/aws/x:*"}},
	} {
		got, err := Parse(tt.in)
		if err != nil || got != tt.want || got.String() != tt.in {
			t.Errorf("Parse(%q) = %+v (%s), %v, want %+v", tt.in, got, got, err, tt.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "etl", "arn:aws:s3", "arn::s3:::b", "arn:aws::::x", "arn:aws:s3:::", "urn:aws:s3:::b", "arn:aws:s3:::" + strings.Repeat("b", 2048)} {
		if got, err := Parse(in); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", in, got)
		}
	}
}

func TestID(t *testing.T) {
	if id, ok := OmicsRun("us-east-1", "1", "12").ID("run"); id != "12" || !ok {
		t.Errorf(`ID("run") = %q, %v, want "12", true`, id, ok)
	}
	if id, ok := OmicsRun("us-east-1", "1", "12").ID("workflow"); ok {
		t.Errorf(`ID("workflow") of a run = %q, want none`, id)
	}
}

func TestPatterns(t *testing.T) {
	workflow := regexp.MustCompile(`\A(?:` + WorkflowPattern + `)\z`)
	role := regexp.MustCompile(`\A(?:` + RolePattern + `)\z`)
	for _, tt := range []struct {
		re   *regexp.Regexp
		in   string
		want bool
	}{
		{workflow, "arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl-a1B2c3D4e5", true},
		{workflow, "arn:aws-us-gov:airflow-serverless:us-gov-west-1:111122223333:workflow/etl-a1B2c3D4e5", true},
		{workflow, "arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl", false},
		{workflow, "arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl-a1B2c3D4e5\n", false},
		{role, "arn:aws:iam::111122223333:role/a/b/c", true},
		{role, "arn:aws:iam::111122223333:user/a", false},
	} {
		if got := tt.re.MatchString(tt.in); got != tt.want {
			t.Errorf("%q matches: %v, want %v", tt.in, got, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:airflow-serverless:us-east-1:111122223333:workflow/etl-a1B2c3D4e5")
	f.Add("arn:aws:s3:::bucket/key:with:colons")
	f.Add("arn:::::")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := Parse(s); err == nil && a.String() != s {
			t.Errorf("Parse(%q).String() = %q", s, a.String())
		}
	})
}
