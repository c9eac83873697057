// Package arn reads and writes Amazon Resource Names. It knows their parts,
// not what stands behind them.
package arn

import (
	"strings"

	"fairlead/internal/flow"
)

// Patterns of the ARNs that requests carry, to be matched as a whole. The
// Region part takes names of any number of words: the published model of
// MWAA Serverless allows one and so refuses us-gov-west-1, its later
// documentation does not.
const (
	partition = `arn:aws(?:-(?:cn|us-gov|iso|iso-b|iso-e|iso-f))?`
	region    = `([a-z]{2}-(?:[a-z]+-)+[0-9]{1})`

	WorkflowPattern = partition + `:airflow-serverless:` + region + `:([0-9]{12}):workflow/([a-zA-Z0-9][a-zA-Z0-9\.\-_]{0,254}-[a-zA-Z0-9]{10})`
	RolePattern     = partition + `:iam::[0-9]{12}:role(/[a-zA-Z0-9+=,.@_\-]{1,512})*?/[a-zA-Z0-9+=,.@_\-]{1,64}`
)

// maxLen bounds an ARN in bytes.
const maxLen = 2048

// An ARN is arn:Partition:Service:Region:Account:Resource.
type ARN struct {
	Partition, Service, Region, Account string
	// Resource is everything after the fifth colon, such as
	// "workflow/etl-a1B2c3D4e5" or "run/1234567".
	Resource string
}

// Parse takes an ARN apart. Region and account may be empty, as they are for
// roles and buckets; nothing else may.
func Parse(s string) (ARN, error) {
	parts := strings.SplitN(s, ":", 6)
	if len(s) > maxLen || len(parts) != 6 || parts[0] != "arn" || parts[1] == "" || parts[2] == "" || parts[5] == "" {
		return ARN{}, flow.Errorf(flow.Invalid, "%.200q is not an ARN of the form arn:partition:service:region:account:resource", s)
	}
	return ARN{parts[1], parts[2], parts[3], parts[4], parts[5]}, nil
}

// String puts the ARN together.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// ID returns what follows typ and a slash in the resource, and whether it is
// of that type: ID("run") of "run/12" is "12".
func (a ARN) ID(typ string) (string, bool) { return strings.CutPrefix(a.Resource, typ+"/") }

// Workflow names a workflow of MWAA Serverless by its name with suffix.
func Workflow(region, account, id string) ARN {
	return ARN{Partition(region), "airflow-serverless", region, account, "workflow/" + id}
}

// OmicsRun names a run of HealthOmics.
func OmicsRun(region, account, id string) ARN {
	return ARN{Partition(region), "omics", region, account, "run/" + id}
}

// Role names an IAM role; path begins and ends with a slash.
func Role(region, account, path, name string) ARN {
	return ARN{Partition(region), "iam", "", account, "role" + path + name}
}

// Partition returns the partition that a region belongs to; "aws" when it is
// not one of the others.
func Partition(region string) string {
	for _, p := range [...]struct{ prefix, partition string }{
		{"cn-", "aws-cn"},
		{"us-gov-", "aws-us-gov"},
		{"us-isob-", "aws-iso-b"},
		{"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"},
		{"eu-isoe-", "aws-iso-e"},
		{"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition
		}
	}
	return "aws"
}
