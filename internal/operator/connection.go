package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fairlead/internal/secret"
)

// A connection is what Airflow calls one: where a service is, and who asks.
type connection struct {
	id, kind, host, login, password, schema string
	port                                    int // 0 without one
	extra                                   map[string]any
}

// maxConnection bounds the text of a connection in bytes.
const maxConnection = 1 << 20

// connect returns the connection that an argument names: the one of the
// workflow's secrets backend, else the one of the environment. What of it is
// to be hidden is masked from then on.
func (a *action) connect(ctx context.Context, name string) (connection, error) {
	id := a.needed(name)
	if a.err != nil {
		return connection{}, a.err
	}
	text, ok, err := askBackend(ctx, a.env, id)
	if err != nil {
		return connection{}, err
	}
	variable := "AIRFLOW_CONN_" + strings.ToUpper(id)
	if !ok {
		text, ok = a.env[variable]
	}
	if !ok {
		return connection{}, Errorf("The conn_id `%s` isn't defined", clip(id, 200))
	}
	a.hide(secret.Hidden(variable, text))
	c, err := parseConnection(text)
	if err != nil {
		// The text itself is not shown: there is a password in it.
		return c, &Error{Message: fmt.Sprintf("the connection %s cannot be read: %v", clip(id, 200), err), Fatal: true}
	}
	c.id = id
	return c, nil
}

// askBackend asks the server for a connection of the secrets backend that the
// workflow names. It reports false where none is named, or that one has none.
func askBackend(ctx context.Context, env map[string]string, id string) (string, bool, error) {
	uri := env["FAIRLEAD_SECRETS_URI"]
	if uri == "" {
		return "", false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri+"/connections/"+url.PathEscape(id), http.NoBody)
	if err != nil {
		return "", false, fmt.Errorf("ask the secrets backend: %w", err)
	}
	req.Header.Set("Authorization", env["AWS_CONTAINER_AUTHORIZATION_TOKEN"])
	client := &http.Client{Transport: &http.Transport{}} // no proxy: it is the server of this task
	resp, err := client.Do(req)
	if err != nil {
		return "", false, Errorf("The secrets backend cannot be asked for connections/%s: %v", id, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return "", false, nil
	}
	var reply struct{ Value, Message string }
	err = json.NewDecoder(io.LimitReader(resp.Body, maxConnection)).Decode(&reply)
	switch {
	case resp.StatusCode != http.StatusOK:
		if reply.Message == "" {
			reply.Message = resp.Status
		}
		return "", false, Errorf("The secrets backend cannot give connections/%s: %s", id, reply.Message)
	case err != nil:
		return "", false, Errorf("The secrets backend's answer for connections/%s is not JSON", id)
	}
	return reply.Value, true, nil
}

// parseConnection reads a connection that is written as JSON or as a URI.
func parseConnection(text string) (connection, error) {
	if text = strings.TrimSpace(text); strings.HasPrefix(text, "{") {
		return connectionOfJSON(text)
	}
	return connectionOfURI(text)
}

func connectionOfJSON(text string) (connection, error) {
	var given struct {
		URI   string          `json:"uri"`
		Kind  string          `json:"conn_type"`
		Host  string          `json:"host"`
		Login string          `json:"login"`
		Pass  string          `json:"password"`
		Base  string          `json:"schema"`
		Port  any             `json:"port"`
		Extra json.RawMessage `json:"extra"`
	}
	if err := json.Unmarshal([]byte(text), &given); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return connection{}, fmt.Errorf("its member %q is %s, not %s", wrong.Field, wrong.Value, wrong.Type)
		}
		return connection{}, errors.New("it is not JSON")
	}
	if given.URI != "" {
		return connectionOfURI(given.URI)
	}
	c := connection{kind: kindOf(given.Kind), host: given.Host, login: given.Login, password: given.Pass, schema: given.Base}
	if given.Port != nil && given.Port != "" {
		var err error
		if c.port, err = portOf(fmt.Sprint(given.Port)); err != nil {
			return c, err
		}
	}
	extra := given.Extra
	var quoted string
	if json.Unmarshal(extra, &quoted) == nil {
		extra = json.RawMessage(quoted)
	}
	return c, c.readExtra(extra)
}

// connectionOfURI reads KIND://LOGIN:PASSWORD@HOST:PORT/SCHEMA?EXTRAS, each
// part quoted as in URLs. The host may be a URL of its own, as in
// http://https://example.com, which net/url does not know.
func connectionOfURI(uri string) (connection, error) {
	kind, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return connection{}, errors.New("it is neither JSON nor a URI such as postgres://login:password@host:5432/database")
	}
	c := connection{kind: kindOf(kind)}
	rest, _, _ = strings.Cut(rest, "#")
	rest, query, _ := strings.Cut(rest, "?")
	inner, after, ok := strings.Cut(rest, "://")
	if ok {
		rest, inner = after, inner+"://"
	} else {
		inner = ""
	}
	place, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(place, '@'); at >= 0 {
		login, password, _ := strings.Cut(place[:at], ":")
		c.login, c.password, place = unquote(login), unquote(password), place[at+1:]
	}
	host := place
	if at := strings.LastIndexByte(place, ':'); at > strings.LastIndexByte(place, ']') {
		var err error
		host = place[:at]
		if port := place[at+1:]; port != "" {
			if c.port, err = portOf(port); err != nil {
				return c, err
			}
		}
	}
	c.host, c.schema = inner+strings.Trim(unquote(host), "[]"), unquote(path)
	extras, err := url.ParseQuery(query)
	if err != nil {
		return c, errors.New("the part after its question mark is not quoted as in URLs")
	}
	if text := extras.Get("__extra__"); text != "" {
		return c, c.readExtra(json.RawMessage(text))
	}
	c.extra = map[string]any{}
	for name, values := range extras {
		c.extra[name] = values[len(values)-1]
	}
	return c, nil
}

// unquote undoes the quoting of a URL; what is not quoted well stays.
func unquote(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

func kindOf(scheme string) string {
	kind := strings.ReplaceAll(strings.ToLower(scheme), "-", "_")
	if kind == "postgresql" {
		return "postgres"
	}
	return kind
}

func portOf(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 65535 {
		return 0, fmt.Errorf("its port is %s, not a number from 1 to 65535", clip(s, 20))
	}
	return n, nil
}

func (c *connection) readExtra(text json.RawMessage) error {
	c.extra = map[string]any{}
	if text = bytes.TrimSpace(text); len(text) == 0 || string(text) == "null" {
		return nil
	}
	v, err := parseJSON(string(text))
	m, ok := v.(map[string]any)
	if err != nil || !ok {
		return errors.New("its extra is not a JSON object")
	}
	c.extra = m
	return nil
}

// refuseExtras fails for an extra that is none of those known.
func (c *connection) refuseExtras(known ...string) error {
	for _, name := range slices.Sorted(maps.Keys(c.extra)) {
		if !slices.Contains(known, name) && truthy(c.extra[name]) {
			return &Error{Fatal: true, Message: fmt.Sprintf("the extra %q of the connection %s is not supported here; of the type %s these are: %s",
				clip(name, 80), c.id, c.kind, strings.Join(known, ", "))}
		}
	}
	return nil
}

// setting returns an extra as text; empty without one.
func (c *connection) setting(name string) string {
	if v := c.extra[name]; v != nil {
		return pythonText(v)
	}
	return ""
}

// hide has texts be masked in the log and in the reason of a failure.
func (a *action) hide(texts []string) {
	for _, form := range secret.Forms(texts) {
		if !slices.Contains(a.masks, form) {
			a.masks = append(a.masks, form)
		}
	}
	slices.SortStableFunc(a.masks, func(x, y string) int { return len(y) - len(x) })
}

// masked returns a text without what is hidden.
func (a *action) masked(text string) string {
	for _, form := range a.masks {
		text = strings.ReplaceAll(text, form, "***")
	}
	return text
}

// maskedError is an error whose text has nothing in it that is hidden.
func (a *action) maskedError(err error) error {
	text := a.masked(err.Error())
	if text == err.Error() {
		return err
	}
	e := Errorf("%s", text)
	if was, ok := errors.AsType[*Error](err); ok {
		e.Fatal, e.Skip = was.Fatal, was.Skip
	}
	return e
}
