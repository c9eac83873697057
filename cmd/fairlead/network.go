package main

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"fairlead/internal/exec"
	"fairlead/internal/flow"
	"fairlead/internal/lang/airflow"
	"fairlead/internal/role"
	"fairlead/internal/session"
)

// networkTag names the tag by which a workflow says what its tasks may reach.
const networkTag = "fairlead:network"

// networks are what may be said: the machine's own network; the endpoints of
// AWS calls and of credentials; nothing.
var networks = []string{"host", "endpoints", "none"}

// checkTags refuses a network that there is not, and names that no image has.
func checkTags(tags map[string]string) error {
	if err := checkImageTags(tags); err != nil {
		return err
	}
	if err := checkLogDays(tags); err != nil {
		return err
	}
	if v, ok := tags[networkTag]; ok && !slices.Contains(networks, v) {
		return flow.Errorf(flow.Invalid, "the tag %s is %.50q; expected host, endpoints or none", networkTag, v)
	}
	return nil
}

// setNetwork says what an attempt may reach. The tags are the workflow's.
func (a *app) setNetwork(s *airflow.Surroundings, tags map[string]string, roleArn string, r flow.Run, t flow.Task) error {
	s.Network = cmp.Or(tags[networkTag], a.opt.network)
	if s.Network != "endpoints" {
		return nil
	}
	// A network of its own, in which the server answers at its own address,
	// and so does what listens at another loopback address of this machine.
	s.Network = "none"
	entry, _ := a.roles.Find(roleArn)
	for _, endpoint := range append(a.elsewhere(), a.inner, a.opt.s3, entry.Endpoint) {
		if at, ok := loopback(endpoint); ok {
			f := exec.Forward{Listen: at, To: at}
			if !slices.Contains(s.Forwards, f) {
				s.Forwards = append(s.Forwards, f)
			}
		}
	}
	token := s.Env["AWS_CONTAINER_AUTHORIZATION_TOKEN"]
	if token == "" {
		token = a.sessions.Token(session.Attempt{Run: r.ID, Task: t.ID, N: t.Attempt})
		s.Secrets = append(s.Secrets, token) // of which the variables' names say nothing
	}
	// What is elsewhere is reached through the server, by those who know what
	// a proxy is.
	proxy := "http://task:" + token + "@" + strings.TrimPrefix(a.inner, "http://")
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY"} {
		s.Env[name], s.Env[strings.ToLower(name)] = proxy, proxy
	}
	s.Env["NO_PROXY"], s.Env["no_proxy"] = "127.0.0.1,localhost,::1", "127.0.0.1,localhost,::1"
	return nil
}

// loopback returns the loopback address that a URL leads to, if it does.
func loopback(endpoint string) (string, bool) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return "", false
	}
	host := u.Hostname()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !ip.IsLoopback() {
		return "", false
	}
	return net.JoinHostPort(host, port(u)), true
}

func port(u *url.URL) string {
	return cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
}

// mayReach says whether the task of a token may connect to an address: to an
// endpoint of its AWS calls.
func (a *app) mayReach(ctx context.Context, token, address string) error {
	at, ok := a.sessions.Attempt(token)
	if !ok {
		return flow.Errorf(flow.Denied, "the token is not that of a task of this server")
	}
	roleArn, err := attempts{a}.Role(ctx, at)
	if err != nil {
		return err
	}
	entry, _ := a.roles.Find(roleArn)
	if a.isEndpoint(entry, address) {
		return nil
	}
	return flow.Errorf(flow.Denied, "%.200q is no endpoint of this task, and the network of its workflow is %q: see the tag %s", address, "endpoints", networkTag)
}

// isEndpoint reports whether the AWS calls of a task go to an address.
func (a *app) isEndpoint(entry role.Role, address string) bool {
	for _, endpoint := range append(a.elsewhere(), a.opt.s3, entry.Endpoint) {
		if u, err := url.Parse(endpoint); err == nil && u.Host != "" {
			want := net.JoinHostPort(u.Hostname(), port(u))
			// Clients may put the bucket before the host.
			if strings.EqualFold(address, want) || strings.HasSuffix(strings.ToLower(address), "."+strings.ToLower(want)) {
				return true
			}
		}
	}
	if entry.Assume == "" || entry.Endpoint != "" {
		return false
	}
	host, port, err := net.SplitHostPort(strings.ToLower(address))
	if err != nil || port != "443" {
		return false
	}
	// Not all below amazonaws.com: machines that people rent have names there.
	for _, domain := range []string{".amazonaws.com", ".amazonaws.com.cn", ".api.aws"} {
		if strings.HasSuffix(host, "."+a.opt.region+domain) {
			return true
		}
	}
	return slices.Contains(global[:], host)
}

// global are the endpoints that belong to no region.
var global = [...]string{"s3.amazonaws.com", "sts.amazonaws.com", "iam.amazonaws.com", "route53.amazonaws.com", "cloudfront.amazonaws.com"}
