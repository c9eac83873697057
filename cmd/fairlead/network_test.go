package main

import (
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/mwaaserverless"

	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/role"
	"fairlead/internal/session"
)

const networkWorkflow = `reach:
  tasks:
    put:
      operator: airflow.providers.amazon.aws.operators.s3.S3CreateObjectOperator
      s3_bucket: workflows
      s3_key: put
      data: hello
      replace: true
      retries: 0
    look:
      operator: airflow.operators.bash.BashOperator
      retries: 0
      bash_command: |
        cat > look.py <<'END'
        import os, socket, urllib.request
        def reach(what):
            try:
                return what()
            except OSError:
                return "no"
        def credentials():
            ask = urllib.request.Request(os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"], headers={"Authorization": os.environ["AWS_CONTAINER_AUTHORIZATION_TOKEN"]})
            return urllib.request.urlopen(ask, timeout=10).status
        def other():
            socket.create_connection(("127.0.0.1", OTHER), 5)
            return "yes"
        def name():
            socket.getaddrinfo("example.com", 80)
            return "yes"
        print("credentials", reach(credentials), "other", reach(other), "name", reach(name))
        END
        python3 look.py
`

// TestNetworkOfAWorkflow runs the same workflow under each word.
func TestNetworkOfAWorkflow(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a task has a network of its own on Linux only")
	}
	needNamespaces(t)
	checkNetworks(t, func(*options) {})
}

func checkNetworks(t *testing.T, change func(*options)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c := serve(t, func(o *options) {
		o.network = "none"
		change(o)
	})
	definition := strings.ReplaceAll(networkWorkflow, "OTHER", port)
	_, look, _ := strings.Cut(definition, "    look:\n") // without network the SDK tries for long
	alone := c.workflow("look", "reach:\n  tasks:\n    look:\n"+look)
	arn := c.workflow("reach", definition)
	for _, tt := range []struct{ tag, put, look string }{
		{"", "", "credentials no other no name no"},
		{"endpoints", "SUCCESS", "credentials 200 other no name no"},
		{"host", "SUCCESS", "credentials 200 other yes"},
	} {
		if tt.tag != "" {
			if _, err := c.api.TagResource(t.Context(), &mwaaserverless.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{networkTag: tt.tag}}); err != nil {
				t.Fatal(err)
			}
		}
		of := arn
		if tt.tag == "" {
			of = alone
		}
		run := c.start(of, nil)
		c.until(of, run, over)
		for _, ti := range c.instances(of, run) {
			switch *ti.TaskId {
			case "put":
				if string(ti.Status) != tt.put {
					t.Errorf("network %q: the S3 task is %s, want %s", tt.tag, ti.Status, tt.put)
				}
			case "look":
				if got := strings.Trim(ti.Xcom["return_value"], `"`); !strings.HasPrefix(got, tt.look) {
					t.Errorf("network %q: a task finds %q, want %q", tt.tag, got, tt.look)
				}
			}
		}
	}
	_, err = c.api.TagResource(t.Context(), &mwaaserverless.TagResourceInput{ResourceArn: &arn, Tags: map[string]string{networkTag: "some"}})
	if errorCode(err) != "ValidationException" {
		t.Errorf("a network that there is not: %v, want ValidationException", err)
	}
}

// TestTokenOfTheProxyIsMasked has a task that gets no credentials, and a token
// all the same: in the address of the proxy.
func TestTokenOfTheProxyIsMasked(t *testing.T) {
	a := &app{opt: defaultOptions(), inner: "http://127.0.0.1:8400"}
	a.opt.data, a.opt.network, a.opt.s3 = dataDir(t.TempDir()), "endpoints", "https://minio.example:9000"
	if err := a.openRoles(); err != nil {
		t.Fatal(err)
	}
	s := airflow.Surroundings{Env: map[string]string{}}
	if err := a.setNetwork(&s, nil, "arn:aws:iam::000000000000:role/r", flow.Run{ID: "r"}, flow.Task{ID: "t", Attempt: 1}); err != nil {
		t.Fatal(err)
	}
	token := a.sessions.Token(session.Attempt{Run: "r", Task: "t", N: 1})
	if !strings.Contains(s.Env["HTTPS_PROXY"], token) || !slices.Contains(s.Secrets, token) {
		t.Errorf("the proxy is %s, and hidden are %q; want the token in both", s.Env["HTTPS_PROXY"], s.Secrets)
	}
}

func TestEndpoints(t *testing.T) {
	a := &app{opt: options{region: "eu-west-1", s3: "https://minio.example:9000"}}
	real := role.Role{Assume: "arn:aws:iam::111122223333:role/r"}
	for _, tt := range []struct {
		entry   role.Role
		address string
		want    bool
	}{
		{role.Role{}, "minio.example:9000", true},
		{role.Role{}, "data.minio.example:9000", true},
		{role.Role{}, "minio.example:443", false},
		{role.Role{}, "xminio.example:9000", false},
		{role.Role{}, "s3.eu-west-1.amazonaws.com:443", false},
		{real, "data.s3.eu-west-1.amazonaws.com:443", true},
		{real, "sts.amazonaws.com:443", true},
		{real, "s3.eu-west-1.amazonaws.com:80", false},
		{real, "ec2-192-0-2-1.eu-west-1.compute.amazonaws.com:443", false},
		{real, "xeu-west-1.amazonaws.com:443", false},
		{role.Role{Assume: role.Host, Endpoint: "http://cloud.example"}, "cloud.example:80", true},
		{role.Role{Assume: role.Host, Endpoint: "http://cloud.example"}, "sts.amazonaws.com:443", false},
	} {
		if got := a.isEndpoint(tt.entry, tt.address); got != tt.want {
			t.Errorf("isEndpoint(%+v, %s) = %t, want %t", tt.entry, tt.address, got, tt.want)
		}
	}
}
