// Package role knows the roles of a deployment: what each permits, and which
// real one stands behind it. It knows no credentials, and nothing of who asks.
package role

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"fairlead/internal/aws/arn"
	"fairlead/internal/flow"
)

// A Role is one entry of the file of roles.
type Role struct {
	// Policy is what the role may do here; nil is everything.
	Policy *Policy `json:"policy,omitempty"`
	// Assume is the ARN of a real role that tasks act as, with this
	// machine's own credentials as the way in; or [Host].
	Assume string `json:"assume,omitempty"`
	// ExternalID goes along where Assume is a role.
	ExternalID string `json:"externalId,omitempty"`
	// Endpoint is the URL that AWS calls of such tasks go to; empty means
	// AWS itself.
	Endpoint string `json:"endpoint,omitempty"`
}

// Host as the role to assume stands for this machine's credentials as they
// are.
const Host = "host"

// A Book is a file of roles. It is read again when it has changed; while what
// was written cannot be read, or the file has gone, what was there before holds:
// a role that is not found may do everything.
type Book struct {
	path string
	warn func(error)

	mu      sync.Mutex // guards what follows
	seen    stamp
	roles   map[string]Role
	checked time.Time
}

// A stamp tells one state of a file from another.
type stamp struct {
	size int64
	at   time.Time
}

// Open reads the roles of a file. Without the file there are none. warn is
// told, later, when the file can no longer be read.
func Open(path string, warn func(error)) (*Book, error) {
	b := &Book{path: path, warn: warn}
	var err error
	b.seen = b.stat()
	if b.roles, err = read(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return b, nil
}

// Find returns the entry for the role of an ARN: that of the ARN, else that
// of its name.
func (b *Book) Find(roleArn string) (Role, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refresh(time.Now())
	if r, ok := b.roles[roleArn]; ok {
		return r, true
	}
	r, ok := b.roles[Name(roleArn)]
	return r, ok
}

// lookEvery is how long a change of the file may go unseen.
const lookEvery = time.Second

// refresh reads the file again if it has changed. The caller holds mu.
func (b *Book) refresh(now time.Time) {
	if now.Sub(b.checked).Abs() < lookEvery {
		return
	}
	b.checked = now
	s := b.stat()
	if s == b.seen {
		return
	}
	b.seen = s
	roles, err := read(b.path)
	if err != nil {
		b.warn(err)
		return
	}
	b.roles = roles
}

func (b *Book) stat() stamp {
	fi, err := os.Stat(b.path)
	if err != nil {
		return stamp{}
	}
	return stamp{fi.Size(), fi.ModTime()}
}

// Name returns the name of the role of an ARN, without its path.
func Name(roleArn string) string { return roleArn[strings.LastIndexByte(roleArn, '/')+1:] }

const (
	maxFile  = 4 << 20
	maxRoles = 1000
)

func read(path string) (map[string]Role, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("roles %s: the file is larger than %d bytes", path, maxFile)
	}
	roles, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("roles %s: %w", path, err)
	}
	return roles, nil
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9+=,.@_-]{1,64}$`)

// arnPattern takes 2 ms to compile, and this program begins for each attempt
// of an AWS operator.
var arnPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^` + arn.RolePattern + `$`) })

// parse reads a JSON object from names or ARNs to roles.
func parse(text []byte) (map[string]Role, error) {
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(text, &entries); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			line := 1 + bytes.Count(text[:min(int(e.Offset), len(text))], []byte("\n"))
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		return nil, fmt.Errorf("expected an object from role names to roles: %w", err)
	}
	if len(entries) > maxRoles {
		return nil, fmt.Errorf("%d roles; at most %d are read", len(entries), maxRoles)
	}
	roles := make(map[string]Role, len(entries))
	names := make([]string, 0, len(entries))
	for name := range entries {
		names = append(names, name)
	}
	slices.Sort(names) // so that of several faults the same is told
	for _, name := range names {
		if !namePattern.MatchString(name) && !arnPattern().MatchString(name) {
			return nil, fmt.Errorf("%.80q is neither the name nor the ARN of a role", name)
		}
		// Null would be no policy, under which a role may do everything.
		var given struct{ Policy json.RawMessage }
		if err := json.Unmarshal(entries[name], &given); err == nil && (string(given.Policy) == "null" || string(entries[name]) == "null") {
			return nil, fmt.Errorf("role %s: the entry or its policy is null; leave a policy out for a role that may do everything", name)
		}
		var r Role
		d := json.NewDecoder(bytes.NewReader(entries[name]))
		d.DisallowUnknownFields()
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("role %s: %w", name, err)
		}
		if r.Assume != "" && r.Assume != Host && !arnPattern().MatchString(r.Assume) {
			return nil, fmt.Errorf("role %s: assume is %.80q; expected the ARN of a role, or %q", name, r.Assume, Host)
		}
		if r.Assume == "" && (r.ExternalID != "" || r.Endpoint != "") {
			return nil, fmt.Errorf("role %s: externalId and endpoint have a meaning only beside assume", name)
		}
		if r.Assume != "" && r.Policy != nil {
			return nil, fmt.Errorf("role %s: policy and assume exclude each other: what the real role may do is for AWS to say", name)
		}
		roles[name] = r
	}
	return roles, nil
}

// Refusal is the error for what a policy does not allow, in AWS's words.
// caller is the ARN of who asked.
func Refusal(caller, action, resource string, v Verdict) error {
	why := "because no identity-based policy allows the " + action + " action"
	if v == Denied {
		why = "with an explicit deny in an identity-based policy"
	}
	if strings.HasPrefix(action, "s3:") {
		resource = strconv.Quote(resource) // as this service alone does
	}
	return flow.Errorf(flow.Denied, "User: %s is not authorized to perform: %s on resource: %s %s", caller, action, resource, why)
}
