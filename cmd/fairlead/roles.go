package main

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"fairlead/internal/aws/awsjson"
	"fairlead/internal/aws/sigv4"
	"fairlead/internal/cwlogs"
	"fairlead/internal/flow"
	"fairlead/internal/omics"
	"fairlead/internal/operator"
	"fairlead/internal/role"
	"fairlead/internal/session"
)

// openRoles reads the file of roles, and makes what issues credentials to
// tasks.
func (a *app) openRoles() error {
	var err error
	if a.opt.roles != "" {
		// Without an entry a role may do everything: a slip must not lead there.
		if _, err := os.Stat(a.opt.roles); err != nil {
			return usagef("--roles: %v", err)
		}
	}
	a.roles, err = role.Open(cmp.Or(a.opt.roles, a.opt.data.path("roles.json")), func(err error) {
		a.opt.log.Warn("the file of roles cannot be read; what it said before holds", "err", err)
	})
	if err != nil {
		return err
	}
	a.sessions = session.New(session.Config{
		Secret: a.key.secret(), Life: a.opt.credentialLife, Roles: a.roles, Attempts: attempts{a},
		Strict: a.opt.strictRoles, Assume: a.assume,
	})
	return nil
}

// attempts is the store as the issuer of credentials sees it.
type attempts struct{ a *app }

// Role implements [session.Attempts].
func (s attempts) Role(ctx context.Context, at session.Attempt) (string, error) {
	over := flow.Errorf(flow.Denied, "attempt %d of task %s of run %s is over, and so is its right to credentials", at.N, at.Task, at.Run)
	task, err := s.a.db.Instance(ctx, at.Run, at.Task, 0)
	switch {
	case flow.KindOf(err) == flow.NotFound && err != nil:
		return "", over
	case err != nil:
		return "", err
	case task.Attempt != at.N || !task.State.Live():
		return "", over
	}
	run, err := s.a.db.RunByID(ctx, at.Run)
	if err != nil {
		return "", err
	}
	around, err := s.a.place.of(ctx, run)
	if err != nil {
		return "", err
	}
	return around.role, nil
}

// assume returns the credentials of a real role by those of this machine.
func (a *app) assume(ctx context.Context, r role.Role, name string) (session.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, backendTime) // others wait meanwhile
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx, config.WithRegion(a.opt.region))
	if err != nil {
		return session.Credentials{}, err
	}
	from := cfg.Credentials
	if r.Assume != role.Host {
		from = stscreds.NewAssumeRoleProvider(awssts.NewFromConfig(cfg), r.Assume, func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName, o.Duration = name, max(a.opt.credentialLife, 15*time.Minute) // the least that STS gives
			if r.ExternalID != "" {
				o.ExternalID = &r.ExternalID
			}
		})
	}
	c, err := from.Retrieve(ctx)
	if err != nil {
		return session.Credentials{}, err
	}
	out := session.Credentials{AccessKey: c.AccessKeyID, SecretKey: c.SecretAccessKey, Token: c.SessionToken}
	if c.CanExpire {
		out.Expires = c.Expires
	}
	if r.Assume != role.Host {
		out.Role = r.Assume
	}
	return out, nil
}

// signer returns what the waiting half of a task signs with, in the server.
func (a *app) signer(c operator.Call) aws.CredentialsProvider {
	token := c.Env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	if token == "" {
		// What the SDK would find are the server's own.
		return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, flow.Errorf(flow.Denied, "the task has no credentials: with --s3-endpoint its role needs assume in the file of roles")
		})
	}
	return aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		c, err := a.sessions.Credentials(ctx, token)
		return aws.Credentials{
			AccessKeyID: c.AccessKey, SecretAccessKey: c.SecretKey, SessionToken: c.Token, Source: "the task's role",
			CanExpire: !c.Expires.IsZero(), Expires: c.Expires,
		}, err
	})
}

// credentials returns what the processes of an attempt find in their
// environment to sign with.
func (a *app) credentials(roleArn string, r flow.Run, t flow.Task) map[string]string {
	entry, _ := a.roles.Find(roleArn)
	if entry.Assume == "" && a.opt.s3 != "" {
		return a.endpoints() // keys of ours are good for nothing there
	}
	env := a.sessions.Environment(a.inner, session.Attempt{Run: r.ID, Task: t.ID, N: t.Attempt})
	if entry.Assume != "" {
		env["AWS_ENDPOINT_URL"] = entry.Endpoint // empty: AWS itself
		return env
	}
	maps.Copy(env, a.endpoints())
	return env
}

// endpointVariable begins the names of variables that say where one service
// is.
const endpointVariable = "AWS_ENDPOINT_URL_"

// endpoints returns the environment that sends the calls of tasks to services
// that are not built in: those that the server's own environment names, and
// the others at --aws-endpoint.
func (a *app) endpoints() map[string]string {
	env := map[string]string{}
	if a.opt.aws != "" {
		env["AWS_ENDPOINT_URL"] = a.opt.aws
		for _, own := range []string{"S3", "STS", "MWAA_SERVERLESS"} {
			env[endpointVariable+own] = a.inner
		}
		if a.opt.s3 != "" {
			env[endpointVariable+"S3"] = a.opt.s3
		}
	}
	for _, kv := range os.Environ() {
		if name, url, _ := strings.Cut(kv, "="); strings.HasPrefix(name, endpointVariable) {
			env[name] = url
		}
	}
	return env
}

// elsewhere returns the URLs, other than the server's own, that tasks call.
func (a *app) elsewhere() []string {
	return slices.Sorted(maps.Values(a.endpoints()))
}

// permit refuses what the policy of the caller's role does not allow. Callers
// without a role may do everything, and so may a role without an entry, unless
// entries are demanded.
func (a *app) permit(ctx context.Context, action, resource string) error {
	id, ok := sigv4.IdentityOf(ctx)
	if !ok || id.Role == "" {
		return nil
	}
	return a.judge(id.Role, id.ARN, action, resource)
}

// judge refuses what the policy of a role does not allow; who is the ARN that
// the refusal names.
func (a *app) judge(name, who, action, resource string) error {
	r, known := a.roles.Find(name)
	if !known && !a.opt.strictRoles || known && r.Policy == nil {
		return nil
	}
	verdict := role.Silent
	if known {
		verdict = r.Policy.Judge(action, resource)
	}
	if verdict == role.Allowed {
		return nil
	}
	return role.Refusal(who, action, resource, verdict)
}

// permitJSON is permit for a request to a service that speaks awsJson or
// restJson.
func (a *app) permitJSON(ctx context.Context, service string, r *http.Request, body []byte) error {
	id, ok := sigv4.IdentityOf(ctx)
	if !ok || id.Role == "" {
		return nil
	}
	in, op := readMembers(body), awsjson.Operation(ctx)
	if op == "" { // one that nobody knows
		op = awsjson.Target(r)
	}
	resource := "*"
	switch service {
	case omics.Service:
		return a.permitOmics(ctx, op, r, in)
	case "airflow-serverless":
		resource = a.workflowOf(ctx, op, in)
	case "logs":
		resource = a.logsOf(op, in)
	}
	if err := a.permit(ctx, service+":"+op, resource); err != nil {
		return err
	}
	if op != "CreateWorkflow" && op != "UpdateWorkflow" {
		return nil
	}
	// Tasks act in the workflow's role, and the server reads what they are: who
	// asks for it must have a right to both.
	if roleArn := in.text("RoleArn"); roleArn != "" {
		if err := a.permit(ctx, "iam:PassRole", roleArn); err != nil {
			return err
		}
	}
	for _, l := range []members{in.within("DefinitionS3Location"), in.within("Code").within("S3Location")} {
		action := "s3:GetObject"
		if l.text("VersionId") != "" {
			action = "s3:GetObjectVersion"
		}
		if bucket := l.text("Bucket"); bucket != "" {
			if err := a.permit(ctx, action, "arn:aws:s3:::"+bucket+"/"+l.text("ObjectKey")); err != nil {
				return err
			}
		}
	}
	return nil
}

// members are those of a JSON object, by the names that the doors read: in their
// case, each once. What the doors refuse has none.
type members map[string]jsontext.Value

func readMembers(body []byte) members {
	var m members
	if json.Unmarshal(body, &m) != nil {
		return nil
	}
	return m
}

// text returns a member that is a text, else nothing.
func (m members) text(name string) string {
	var s string
	if json.Unmarshal(m[name], &s) != nil {
		return ""
	}
	return s
}

func (m members) within(name string) members { return readMembers(m[name]) }

// workflowOf returns the ARN of the workflow that an operation is about, or "*".
func (a *app) workflowOf(ctx context.Context, op string, in members) string {
	name := ""
	switch op {
	case "CreateWorkflow", "ListWorkflows":
	case "TagResource", "UntagResource", "ListTagsForResource":
		name = in.text("ResourceArn")
	default:
		name = in.text("WorkflowArn")
	}
	if name != "" && !strings.HasPrefix(name, "arn:") { // as a lenient door takes it
		if w, err := a.db.WorkflowByName(ctx, name); err == nil {
			return a.door.ARN(w.ID)
		}
	}
	return cmp.Or(name, "*")
}

// logsOf returns the ARN of the log group or stream that an operation is about,
// or "*".
func (a *app) logsOf(op string, in members) string {
	group, err := cwlogs.GroupName(in.text("logGroupName"), in.text("logGroupIdentifier"))
	if err != nil || op == "DescribeLogGroups" {
		return "*" // the door will say what is wrong
	}
	// Whatever account an identifier names, this one's group is meant.
	group = "arn:aws:logs:" + a.opt.region + ":" + a.opt.account + ":log-group:" + group
	switch op {
	case "GetLogEvents", "PutLogEvents", "CreateLogStream", "DeleteLogStream":
		return group + ":log-stream:" + cwlogs.StreamName(in.text("logStreamName"))
	}
	return group + ":*"
}

// checkRole refuses a workflow whose role tasks could not act in.
func (a *app) checkRole(roleArn string) error {
	if !a.opt.strictRoles {
		return nil
	}
	if _, ok := a.roles.Find(roleArn); !ok {
		return flow.Errorf(flow.Invalid, "the role %s cannot be assumed: it has no entry in the server's file of roles", roleArn)
	}
	return nil
}
