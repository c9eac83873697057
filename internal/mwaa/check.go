package mwaa

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fairlead/internal/flow"
)

// faults collects what is wrong with a request beyond what its model says.
type faults []flow.Field

func (f *faults) add(name, format string, args ...any) {
	*f = append(*f, flow.Field{Name: name, Message: fmt.Sprintf(format, args...)})
}

// err returns nil if nothing is wrong.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	var texts []string
	for _, field := range f {
		texts = append(texts, field.Name+" "+field.Message)
	}
	err := flow.Errorf(flow.Invalid, "%s", strings.Join(texts, "; "))
	err.Fields = f
	return err
}

// The trigger modes that we know. Requests may write them in any case.
const (
	modeScheduled = "scheduled"
	modeManual    = "manual_only"
	modeDisabled  = "disabled"
)

// triggerMode returns which mode a request means; empty is the default.
func triggerMode(s string) (mode string, ok bool) {
	switch strings.ToLower(s) {
	case "", modeScheduled:
		return modeScheduled, true
	case modeManual, "manual":
		return modeManual, true
	case modeDisabled:
		return modeDisabled, true
	}
	return "", false
}

func (f *faults) checkTriggerMode(s string) {
	if _, ok := triggerMode(s); !ok {
		f.add("TriggerMode", "must be one of %s, %s, %s, got %q", modeScheduled, modeManual, modeDisabled, s)
	}
}

func (f *faults) checkEngineVersion(v *int32) {
	if v != nil && *v != 1 {
		f.add("EngineVersion", "must be 1, the only one there is, got %d", *v)
	}
}

func (f *faults) checkEncryption(e *encryptionConfiguration) {
	const name = "EncryptionConfiguration.KmsKeyId"
	switch {
	case e == nil:
	case e.Type == "AWS_MANAGED_KEY":
		if e.KmsKeyId != "" {
			f.add(name, "must be absent with an AWS managed key")
		}
	case e.KmsKeyId == "":
		f.add(name, "is required with a customer managed key")
	case len(e.KmsKeyId) > 2048:
		f.add(name, "must have at most 2048 characters")
	case strings.HasPrefix(e.KmsKeyId, "alias/") || strings.Contains(e.KmsKeyId, ":alias/"):
		f.add(name, "must be the id or ARN of a key, not an alias")
	case strings.Contains(e.KmsKeyId, "mrk-"):
		f.add(name, "must not be a multi-Region key")
	}
}

var logGroupName = regexp.MustCompile(`\A[.\-_/#A-Za-z0-9]{1,512}\z`)

func (f *faults) checkLogging(l *loggingConfiguration) {
	if l != nil && !logGroupName.MatchString(l.LogGroupName) {
		f.add("LoggingConfiguration.LogGroupName", "must have 1 to 512 letters, digits and characters of . - _ / #")
	}
}

func (f *faults) checkDefinition(l *definitionS3Location) {
	for _, m := range []struct {
		name, value string
		max         int
	}{{"Bucket", l.Bucket, 255}, {"ObjectKey", l.ObjectKey, 1024}} {
		if n := len(m.value); n == 0 || n > m.max {
			f.add("DefinitionS3Location."+m.name, "must have 1 to %d bytes, has %d", m.max, n)
		}
	}
	if len(l.VersionId) > 1024 {
		f.add("DefinitionS3Location.VersionId", "must have at most 1024 bytes")
	}
}

// checkNetwork keeps to the documented numbers, which the model does not
// have. Whether the subnets are private is not for us to know.
func (f *faults) checkNetwork(n *networkConfiguration, l Limits) {
	if n == nil {
		return
	}
	if got := len(n.SubnetIds); got > 0 && (got < l.MinSubnets || l.MaxSubnets > 0 && got > l.MaxSubnets) {
		f.add("NetworkConfiguration.SubnetIds", "must have %d to %d subnets, has %d", l.MinSubnets, l.MaxSubnets, got)
	}
	if got := len(n.SecurityGroupIds); l.SecurityGroups > 0 && got > l.SecurityGroups {
		f.add("NetworkConfiguration.SecurityGroupIds", "must have at most %d groups, has %d", l.SecurityGroups, got)
	}
}

// checkTags refuses keys that AWS keeps for itself.
func (f *faults) checkTags(tags map[string]string) {
	for key := range tags {
		if len(key) >= 4 && strings.EqualFold(key[:4], "aws:") {
			f.add("Tags", "must not have a key that begins with aws:, got %q", key)
		}
	}
	f.sort()
}

// checkEnvironment refuses names that the workers need for themselves.
func (f *faults) checkEnvironment(e *environment) {
	if e == nil {
		return
	}
	const backend = "AIRFLOW__WORKERS__SECRETS_BACKEND"
	for name := range e.Variables {
		switch {
		case name == backend, name == backend+"_KWARGS", strings.HasPrefix(name, backend+"_KWARG__"):
		case strings.HasPrefix(name, "AWS_"), strings.HasPrefix(name, "AIRFLOW__"):
			f.add("Environment.Variables."+name, "is reserved: names that begin with AWS_ or AIRFLOW__ are, but for those of %s", backend)
		}
	}
	f.sort()
}

// sort puts findings of a map's entries into an order that does not change.
func (f faults) sort() {
	slices.SortStableFunc(f, func(a, b flow.Field) int { return strings.Compare(a.Name+a.Message, b.Name+b.Message) })
}
