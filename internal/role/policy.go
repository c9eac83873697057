package role

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Policy is what a role may do: a part of the policy language of IAM.
// Statements have an Effect, Actions and Resources with wildcards; what is
// not allowed is denied, and a Deny wins. The zero Policy allows nothing.
type Policy struct {
	allow, deny []statement
}

// A statement is one of a policy.
type statement struct{ actions, resources []string }

// A Verdict is what a policy says to one action.
type Verdict int

// The verdicts.
const (
	Silent  Verdict = iota // no statement matches: denied
	Denied                 // a statement denies it
	Allowed                // a statement allows it, and none denies it
)

// Judge says whether an action, such as "s3:GetObject", may be done to a
// resource, an ARN or "*".
func (p *Policy) Judge(action, resource string) Verdict {
	matches := func(list []statement) bool {
		for _, s := range list {
			if anyMatches(s.actions, strings.ToLower(action)) && anyMatches(s.resources, resource) {
				return true
			}
		}
		return false
	}
	switch {
	case matches(p.deny):
		return Denied
	case matches(p.allow):
		return Allowed
	}
	return Silent
}

func anyMatches(patterns []string, s string) bool {
	for _, p := range patterns {
		if match(p, s) {
			return true
		}
	}
	return false
}

// match reports whether s is what pattern says: * is any text, ? any one
// byte. It takes time in the product of both lengths at worst.
func match(pattern, s string) bool {
	star, from := -1, 0 // the last * met, and where what it stands for ends
	p := 0
	for i := 0; i < len(s); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			from++
			p, i = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

const (
	maxStatements = 200
	maxPatterns   = 500
	maxPattern    = 2048
)

// versions are those of the policy language.
var versions = [...]string{"2012-10-17", "2008-10-17"}

// UnmarshalJSON implements [encoding/json.Unmarshaler]. Its errors name the
// member, and what may stand there.
func (p *Policy) UnmarshalJSON(data []byte) error {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return fmt.Errorf("policy: expected an object with Version and Statement: %w", err)
	}
	*p = Policy{}
	for name, value := range doc {
		switch name {
		case "Id", "Statement":
		case "Version":
			var v string
			if json.Unmarshal(value, &v) != nil || v != versions[0] && v != versions[1] {
				return fmt.Errorf("policy: Version is %.40s; expected %q", value, versions[0])
			}
		default:
			return fmt.Errorf("policy: unknown member %.40q; expected Version, Id or Statement", name)
		}
	}
	list, err := oneOrMore[map[string]json.RawMessage](doc["Statement"])
	if err != nil || len(list) == 0 {
		return fmt.Errorf("policy: Statement must be a list of statements")
	}
	if len(list) > maxStatements {
		return fmt.Errorf("policy: %d statements; at most %d are read", len(list), maxStatements)
	}
	for i, raw := range list {
		if err := p.add(raw); err != nil {
			return fmt.Errorf("policy: statement %d: %w", i+1, err)
		}
	}
	return nil
}

// add reads one statement.
func (p *Policy) add(raw map[string]json.RawMessage) error {
	var effect string
	var s statement
	for name, value := range raw {
		var err error
		switch name {
		case "Sid":
		case "Effect":
			if err = json.Unmarshal(value, &effect); err != nil {
				return fmt.Errorf("%s must be \"Allow\" or \"Deny\"", name)
			}
		case "Action":
			s.actions, err = patterns(name, value)
			for i, a := range s.actions {
				if a != "*" && !strings.Contains(a, ":") {
					return fmt.Errorf("the action %.80q names no service; write one such as s3:GetObject", a)
				}
				s.actions[i] = strings.ToLower(a)
			}
		case "Resource":
			s.resources, err = patterns(name, value)
			for _, r := range s.resources {
				if strings.Contains(r, "${") {
					return fmt.Errorf("the resource %.80q has a variable, which is not supported: write the text itself", r)
				}
				if r != "*" && !strings.HasPrefix(r, "arn:") {
					return fmt.Errorf("the resource %.80q is neither an ARN nor *", r)
				}
			}
		case "Condition":
			return fmt.Errorf("conditions are not supported: a statement that were heeded without its condition would allow or deny too much")
		case "NotAction", "NotResource", "Principal", "NotPrincipal":
			return fmt.Errorf("%s is not supported: name the actions and resources themselves", name)
		default:
			return fmt.Errorf("unknown member %.40q; expected Sid, Effect, Action and Resource", name)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case len(s.actions) == 0:
		return fmt.Errorf("Action is missing")
	case len(s.resources) == 0:
		return fmt.Errorf("Resource is missing")
	}
	switch effect {
	case "Allow":
		p.allow = append(p.allow, s)
	case "Deny":
		p.deny = append(p.deny, s)
	default:
		return fmt.Errorf("the Effect is %.40q; expected Allow or Deny", effect)
	}
	return nil
}

func patterns(name string, value json.RawMessage) ([]string, error) {
	list, err := oneOrMore[string](value)
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("%s must be a text or a list of texts", name)
	}
	if len(list) > maxPatterns {
		return nil, fmt.Errorf("%s has %d entries; at most %d are read", name, len(list), maxPatterns)
	}
	for _, p := range list {
		if p == "" || len(p) > maxPattern {
			return nil, fmt.Errorf("%s has an entry of %d bytes; expected 1 to %d", name, len(p), maxPattern)
		}
	}
	return list, nil
}

// oneOrMore reads a list, or a single entry that stands for one.
func oneOrMore[T any](value json.RawMessage) ([]T, error) {
	var list []T
	if err := json.Unmarshal(value, &list); err == nil {
		return list, nil
	}
	var one T
	err := json.Unmarshal(value, &one)
	return []T{one}, err
}
