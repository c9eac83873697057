package awstest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A Model is the part of a service's model that operators use.
type Model struct {
	Metadata struct {
		Protocol     string `json:"protocol"`
		JSONVersion  string `json:"jsonVersion"`
		XMLNamespace string `json:"xmlNamespace"`
	} `json:"metadata"`
	Operations map[string]operation `json:"operations"`
	Shapes     map[string]*shape    `json:"shapes"`
}

type operation struct {
	HTTP struct {
		Method string `json:"method"`
		URI    string `json:"requestUri"`
		Code   int    `json:"responseCode"`
	} `json:"http"`
	Input  *ref `json:"input"`
	Output *ref `json:"output"`
}

type ref struct {
	Shape         string `json:"shape"`
	ResultWrapper string `json:"resultWrapper"`
	Location      string `json:"location"`
	LocationName  string `json:"locationName"`
	QueryName     string `json:"queryName"`
	Flattened     bool   `json:"flattened"`
	Format        string `json:"timestampFormat"`
}

type shape struct {
	Type      string          `json:"type"`
	Required  []string        `json:"required"`
	Members   map[string]*ref `json:"members"`
	Member    *ref            `json:"member"`
	Key       *ref            `json:"key"`
	Value     *ref            `json:"value"`
	Payload   string          `json:"payload"`
	Flattened bool            `json:"flattened"`
	Document  bool            `json:"document"`
	Format    string          `json:"timestampFormat"`
}

// Load reads the model of a service, by the Python SDK's name.
func Load(service string) (*Model, error) {
	text, err := models.ReadFile("models/" + service + ".json")
	if err != nil {
		return nil, fmt.Errorf("no model of service %q: generate package awscall anew", service)
	}
	m := new(Model)
	return m, json.Unmarshal(text, m)
}

// OutputHas reports whether the operation is known and a path such as
// "jobs[].status" can be in its reply.
func (m *Model) OutputHas(op, path string) bool {
	o, ok := m.Operations[op]
	if !ok {
		return false
	}
	s := m.shape(o.Output)
	for name := range strings.FieldsFuncSeq(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		for s != nil && s.Type == "list" {
			s = m.shape(s.Member)
		}
		_, err := strconv.Atoi(name)
		switch {
		case err == nil:
		case s == nil:
			return false
		case s.Document:
			return true
		case s.Type == "map":
			s = m.shape(s.Value)
		case s.Type == "structure" && s.Members[name] != nil:
			s = m.shape(s.Members[name])
		default:
			return name == "ResponseMetadata"
		}
	}
	return true
}

// InputHas reports whether the operation's request has the member.
func (m *Model) InputHas(op, member string) bool {
	s := m.shape(m.Operations[op].Input)
	return s != nil && s.Members[member] != nil
}

func (m *Model) shape(r *ref) *shape {
	if r == nil {
		return nil
	}
	return m.Shapes[r.Shape]
}

// request reads a request of an operation as its members.
func (m *Model) request(op string, r *http.Request, body []byte) (map[string]any, error) {
	o, ok := m.Operations[op]
	if !ok {
		return nil, fmt.Errorf("the model has no operation %s", op)
	}
	s := m.shape(o.Input)
	if s == nil {
		s = &shape{}
	}
	var in map[string]any
	switch m.Metadata.Protocol {
	case "json":
		if target := r.Header.Get("X-Amz-Target"); !strings.HasSuffix(target, "."+op) {
			return nil, fmt.Errorf("it is %s", target)
		}
		var raw any
		if err := json.Unmarshal(body, &raw); err != nil {
			return nil, err
		}
		v, err := m.fromJSON(s, "", raw)
		if err != nil {
			return nil, err
		}
		in, _ = v.(map[string]any)
	case "query", "ec2":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		if form.Get("Action") != op {
			return nil, fmt.Errorf("it is %s", form.Get("Action"))
		}
		tree := newTree(form)
		in, _ = m.fromForm(s, tree).(map[string]any)
	default:
		var err error
		if in, err = m.fromREST(o, s, r, body); err != nil {
			return nil, err
		}
	}
	if in == nil {
		in = map[string]any{}
	}
	for _, name := range s.Required {
		if in[name] == nil {
			return nil, fmt.Errorf("the required member %s is missing", name)
		}
	}
	return in, nil
}

// fromJSON checks a JSON value by its shape, names members by the model and
// shows blobs as text and times in ISO form.
func (m *Model) fromJSON(s *shape, path string, v any) (any, error) {
	if s == nil || s.Document || v == nil {
		return v, nil
	}
	wrong := fmt.Errorf("%s: a %s cannot be %v", strings.TrimPrefix(path, "."), s.Type, v)
	switch s.Type {
	case "structure":
		members, ok := v.(map[string]any)
		if !ok {
			return nil, wrong
		}
		out := map[string]any{}
		for wire, e := range members {
			name, r := m.byWire(s, wire)
			if r == nil {
				return nil, fmt.Errorf("%s has no member %s", strings.TrimPrefix(path, "."), wire)
			}
			x, err := m.fromJSON(m.shape(r), path+"."+name, e)
			if err != nil {
				return nil, err
			}
			out[name] = x
		}
		return out, nil
	case "list":
		l, ok := v.([]any)
		if !ok {
			return nil, wrong
		}
		out := []any{}
		for i, e := range l {
			x, err := m.fromJSON(m.shape(s.Member), fmt.Sprintf("%s[%d]", path, i), e)
			if err != nil {
				return nil, err
			}
			out = append(out, x)
		}
		return out, nil
	case "map":
		members, ok := v.(map[string]any)
		if !ok {
			return nil, wrong
		}
		out := map[string]any{}
		for k, e := range members {
			x, err := m.fromJSON(m.shape(s.Value), path+"."+k, e)
			if err != nil {
				return nil, err
			}
			out[k] = x
		}
		return out, nil
	case "blob":
		text, _ := v.(string)
		b, err := base64.StdEncoding.DecodeString(text)
		return string(b), err
	case "timestamp":
		if n, ok := v.(float64); ok {
			return time.UnixMicro(int64(math.Round(n * 1e6))).UTC().Format(time.RFC3339Nano), nil
		}
	}
	return v, nil
}

// byWire finds the member with a name on the wire.
func (m *Model) byWire(s *shape, wire string) (string, *ref) {
	for name, r := range s.Members {
		if r.LocationName == wire || r.LocationName == "" && name == wire {
			return name, r
		}
	}
	return "", nil
}

// fromREST reads a request whose members are in the path, the query, headers
// and the body.
func (m *Model) fromREST(o operation, s *shape, r *http.Request, body []byte) (map[string]any, error) {
	if r.Method != o.HTTP.Method {
		return nil, fmt.Errorf("it is a %s", r.Method)
	}
	path, fixed, _ := strings.Cut(o.HTTP.URI, "?")
	labels, ok := matchPath(path, r.URL.EscapedPath())
	if !ok {
		return nil, fmt.Errorf("the path should be %s", path)
	}
	query := r.URL.Query()
	if fixed != "" {
		for k := range strings.SplitSeq(fixed, "&") {
			k, _, _ = strings.Cut(k, "=")
			if !query.Has(k) {
				return nil, fmt.Errorf("the query should have %s", k)
			}
		}
	}
	var raw map[string]any
	if s.Payload == "" && len(body) > 0 && m.Metadata.Protocol == "rest-json" {
		if err := json.Unmarshal(body, &raw); err != nil {
			return nil, err
		}
	}
	in := map[string]any{}
	for name, ref := range s.Members {
		wire := ref.LocationName
		if wire == "" {
			wire = name
		}
		sh := m.shape(ref)
		switch {
		case ref.Location == "uri":
			if v, ok := labels[wire]; ok {
				in[name] = scalar(sh, v)
			}
		case ref.Location == "querystring" && sh.Type == "list":
			for _, v := range query[wire] {
				l, _ := in[name].([]any)
				in[name] = append(l, scalar(m.shape(sh.Member), v))
			}
		case ref.Location == "querystring":
			if query.Has(wire) {
				in[name] = scalar(sh, query.Get(wire))
			}
		case ref.Location == "header":
			if v := r.Header.Get(wire); v != "" {
				in[name] = scalar(sh, v)
			}
		case ref.Location == "headers":
		case name == s.Payload:
			if sh.Type == "blob" || sh.Type == "string" {
				if len(body) > 0 {
					in[name] = string(body)
				}
				continue
			}
			if m.Metadata.Protocol == "rest-xml" {
				if len(body) > 0 {
					in[name] = leaves(body)
				}
				continue
			}
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				return nil, err
			}
			x, err := m.fromJSON(sh, "."+name, v)
			if err != nil {
				return nil, err
			}
			in[name] = x
		default:
			v, ok := raw[wire]
			delete(raw, wire)
			if !ok {
				continue
			}
			x, err := m.fromJSON(sh, "."+name, v)
			if err != nil {
				return nil, err
			}
			in[name] = x
		}
	}
	if len(raw) > 0 {
		return nil, fmt.Errorf("unknown members %q", slices.Sorted(maps.Keys(raw)))
	}
	return in, nil
}

// leaves returns the elements of an XML payload that hold text, whatever they
// stand in.
func leaves(body []byte) map[string]any {
	found := map[string]any{}
	name := ""
	for d := xml.NewDecoder(bytes.NewReader(body)); ; {
		t, err := d.Token()
		if err != nil {
			return found
		}
		switch t := t.(type) {
		case xml.StartElement:
			name = t.Name.Local
		case xml.CharData:
			if s := strings.TrimSpace(string(t)); s != "" {
				found[name] = s
			}
		}
	}
}

// matchPath matches a path with a template such as /a/{B}/c or /{Key+}.
func matchPath(template, path string) (map[string]string, bool) {
	ts, ps := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	labels := map[string]string{}
	for i, t := range ts {
		name, ok := strings.CutPrefix(t, "{")
		if !ok {
			if i >= len(ps) || ps[i] != t {
				return nil, false
			}
			continue
		}
		name = strings.TrimSuffix(name, "}")
		if rest, greedy := strings.CutSuffix(name, "+"); greedy && i < len(ps) {
			labels[rest], _ = url.PathUnescape(strings.Join(ps[i:], "/"))
			return labels, true
		}
		if i >= len(ps) {
			return nil, false
		}
		labels[name], _ = url.PathUnescape(ps[i])
	}
	return labels, len(ts) == len(ps)
}

// scalar reads a value that came as text.
func scalar(s *shape, v string) any {
	switch s.Type {
	case "integer", "long", "float", "double":
		return json.Number(v)
	case "boolean":
		return v == "true"
	}
	return v
}

// A tree is a form whose dotted names are levels.
type tree struct {
	value string
	has   bool
	below map[string]*tree
}

func newTree(form url.Values) *tree {
	root := &tree{below: map[string]*tree{}}
	for name, vs := range form {
		at := root
		for part := range strings.SplitSeq(name, ".") {
			if at.below[part] == nil {
				at.below[part] = &tree{below: map[string]*tree{}}
			}
			at = at.below[part]
		}
		at.value, at.has = vs[0], true
	}
	return root
}

// fromForm reads a value of the query protocols.
func (m *Model) fromForm(s *shape, t *tree) any {
	switch s.Type {
	case "structure":
		out := map[string]any{}
		for name, r := range s.Members {
			wire := m.formName(name, r)
			if below := t.below[wire]; below != nil {
				sh := *m.shape(r)
				sh.Flattened = sh.Flattened || r.Flattened
				// The name of a flattened list is that of its elements.
				out[name] = m.fromForm(&sh, below)
			} else if sh := m.shape(r); sh.Type == "list" && sh.Flattened && sh.Member.LocationName != "" && t.below[sh.Member.LocationName] != nil {
				out[name] = m.fromForm(sh, t.below[sh.Member.LocationName])
			}
		}
		return out
	case "list":
		if m.Metadata.Protocol != "ec2" && !s.Flattened {
			name := s.Member.LocationName
			if name == "" {
				name = "member"
			}
			if t.below[name] == nil {
				return []any{}
			}
			t = t.below[name]
		}
		var numbers []int
		for k := range t.below {
			if n, err := strconv.Atoi(k); err == nil {
				numbers = append(numbers, n)
			}
		}
		sort.Ints(numbers)
		out := []any{}
		for _, n := range numbers {
			out = append(out, m.fromForm(m.shape(s.Member), t.below[strconv.Itoa(n)]))
		}
		return out
	case "map":
		if !s.Flattened {
			t = t.below["entry"]
		}
		out := map[string]any{}
		if t == nil {
			return out
		}
		key, value := "key", "value"
		if s.Key.LocationName != "" {
			key = s.Key.LocationName
		}
		if s.Value.LocationName != "" {
			value = s.Value.LocationName
		}
		for _, e := range t.below {
			if e.below[key] != nil && e.below[value] != nil {
				out[e.below[key].value] = m.fromForm(m.shape(s.Value), e.below[value])
			}
		}
		return out
	case "blob":
		b, _ := base64.StdEncoding.DecodeString(t.value)
		return string(b)
	}
	return scalar(s, t.value)
}

// formName is a member's name in a form.
func (m *Model) formName(name string, r *ref) string {
	if m.Metadata.Protocol == "ec2" {
		switch {
		case r.QueryName != "":
			return r.QueryName
		case r.LocationName != "":
			return strings.ToUpper(r.LocationName[:1]) + r.LocationName[1:]
		}
		return name
	}
	if r.LocationName != "" {
		return r.LocationName
	}
	return name
}

// answer sends a reply.
func (m *Model) answer(w http.ResponseWriter, op string, reply map[string]any, id string) error {
	o := m.Operations[op]
	s := m.shape(o.Output)
	status := o.HTTP.Code
	if status == 0 {
		status = 200
	}
	if err := m.check(s, "", reply); err != nil {
		return err
	}
	switch m.Metadata.Protocol {
	case "json":
		w.Header().Set("Content-Type", "application/x-amz-json-"+m.Metadata.JSONVersion)
		body := m.toJSON(s, reply)
		if body == nil {
			body = map[string]any{}
		}
		return json.NewEncoder(w).Encode(body)
	case "query", "ec2":
		w.Header().Set("Content-Type", "text/xml")
		var b strings.Builder
		fmt.Fprintf(&b, "<%sResponse xmlns=%q>", op, m.Metadata.XMLNamespace)
		wrapper := ""
		if o.Output != nil {
			wrapper = o.Output.ResultWrapper
		}
		if wrapper != "" {
			fmt.Fprintf(&b, "<%s>", wrapper)
		}
		m.membersXML(&b, s, reply)
		if wrapper != "" {
			fmt.Fprintf(&b, "</%s>", wrapper)
		}
		if m.Metadata.Protocol == "ec2" {
			fmt.Fprintf(&b, "<requestId>%s</requestId>", id)
		} else {
			fmt.Fprintf(&b, "<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>", id)
		}
		fmt.Fprintf(&b, "</%sResponse>", op)
		_, err := w.Write([]byte(b.String()))
		return err
	}
	return m.answerREST(w, s, reply, status)
}

func (m *Model) answerREST(w http.ResponseWriter, s *shape, reply map[string]any, status int) error {
	rest := map[string]any{}
	var payload []byte
	for name, v := range reply {
		r := s.Members[name]
		wire := r.LocationName
		if wire == "" {
			wire = name
		}
		switch {
		case r.Location == "header":
			text := fmt.Sprint(v)
			if m.shape(r).Type == "timestamp" {
				text = fmt.Sprint(m.toJSON(&shape{Type: "timestamp", Format: "rfc822"}, v))
			}
			w.Header().Set(wire, text)
		case r.Location == "statusCode":
			n, err := strconv.Atoi(fmt.Sprint(v))
			if err != nil {
				return err
			}
			status = n
		case name == s.Payload:
			if text, ok := v.(string); ok {
				payload = []byte(text)
				continue
			}
			text, err := json.Marshal(m.toJSON(m.shape(r), v))
			if err != nil {
				return err
			}
			payload = text
		default:
			rest[name] = v
		}
	}
	if s == nil || s.Payload == "" {
		body := m.toJSON(s, rest)
		if body == nil {
			body = map[string]any{}
		}
		if m.Metadata.Protocol == "rest-json" {
			text, err := json.Marshal(body)
			if err != nil {
				return err
			}
			payload = text
			w.Header().Set("Content-Type", "application/json")
		} else if len(rest) > 0 {
			var b strings.Builder
			b.WriteString("<Result>")
			m.membersXML(&b, s, rest)
			b.WriteString("</Result>")
			payload = []byte(b.String())
		}
	}
	w.WriteHeader(status)
	if status == http.StatusNoContent {
		return nil // HTTP allows it no body, not even an empty object
	}
	_, err := w.Write(payload)
	return err
}

// check refuses members of a reply that the model does not have.
func (m *Model) check(s *shape, path string, v any) error {
	switch v := v.(type) {
	case map[string]any:
		if s == nil || s.Document {
			if s == nil && len(v) > 0 {
				return fmt.Errorf("%s has no members", path)
			}
			return nil
		}
		for k, e := range v {
			var below *shape
			switch {
			case s.Type == "map":
				below = m.shape(s.Value)
			case s.Members[k] == nil:
				return fmt.Errorf("%s has no member %s, but %q", path, k, slices.Sorted(maps.Keys(s.Members)))
			default:
				below = m.shape(s.Members[k])
			}
			if err := m.check(below, path+"."+k, e); err != nil {
				return err
			}
		}
	case []any:
		if s == nil || s.Type != "list" {
			return fmt.Errorf("%s is no list", path)
		}
		for _, e := range v {
			if err := m.check(m.shape(s.Member), path+"[]", e); err != nil {
				return err
			}
		}
	}
	return nil
}

// toJSON turns a reply into what goes over the wire.
func (m *Model) toJSON(s *shape, v any) any {
	if s == nil || s.Document {
		return v
	}
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			if s.Type == "map" {
				out[k] = m.toJSON(m.shape(s.Value), e)
				continue
			}
			r := s.Members[k]
			wire := r.LocationName
			if wire == "" {
				wire = k
			}
			sh := *m.shape(r)
			if r.Format != "" {
				sh.Format = r.Format
			}
			out[wire] = m.toJSON(&sh, e)
		}
		return out
	case []any:
		out := []any{}
		for _, e := range x {
			out = append(out, m.toJSON(m.shape(s.Member), e))
		}
		return out
	case string:
		switch s.Type {
		case "blob":
			return base64.StdEncoding.EncodeToString([]byte(x))
		case "timestamp":
			t, err := time.Parse(time.RFC3339Nano, x)
			if err != nil {
				return x
			}
			switch {
			case s.Format == "iso8601", m.Metadata.Protocol == "query", m.Metadata.Protocol == "ec2":
				return t.UTC().Format("2006-01-02T15:04:05.999999Z")
			case s.Format == "rfc822":
				return t.UTC().Format(http.TimeFormat)
			}
			return float64(t.UnixMicro()) / 1e6
		}
	}
	return v
}

// membersXML writes the members of a structure.
func (m *Model) membersXML(b *strings.Builder, s *shape, reply map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(reply)) {
		r := s.Members[name]
		wire := r.LocationName
		if wire == "" {
			wire = name
		}
		m.valueXML(b, m.shape(r), r, wire, reply[name])
	}
}

// valueXML writes one value as an element.
func (m *Model) valueXML(b *strings.Builder, s *shape, r *ref, wire string, v any) {
	flat := s.Flattened || r.Flattened
	switch x := v.(type) {
	case map[string]any:
		if s.Type != "map" {
			fmt.Fprintf(b, "<%s>", wire)
			m.membersXML(b, s, x)
			fmt.Fprintf(b, "</%s>", wire)
			return
		}
		key, value := "key", "value"
		if s.Key.LocationName != "" {
			key = s.Key.LocationName
		}
		if s.Value.LocationName != "" {
			value = s.Value.LocationName
		}
		entry := "entry"
		if flat {
			entry = wire
		} else {
			fmt.Fprintf(b, "<%s>", wire)
		}
		for _, k := range slices.Sorted(maps.Keys(x)) {
			fmt.Fprintf(b, "<%s>", entry)
			m.valueXML(b, &shape{Type: "string"}, &ref{}, key, k)
			m.valueXML(b, m.shape(s.Value), s.Value, value, x[k])
			fmt.Fprintf(b, "</%s>", entry)
		}
		if !flat {
			fmt.Fprintf(b, "</%s>", wire)
		}
	case []any:
		item := "member"
		if s.Member.LocationName != "" {
			item = s.Member.LocationName
		}
		if flat {
			item = wire
			if s.Member.LocationName != "" {
				item = s.Member.LocationName
			}
		} else {
			fmt.Fprintf(b, "<%s>", wire)
		}
		for _, e := range x {
			m.valueXML(b, m.shape(s.Member), s.Member, item, e)
		}
		if !flat {
			fmt.Fprintf(b, "</%s>", wire)
		}
	default:
		fmt.Fprintf(b, "<%s>", wire)
		_ = xml.EscapeText(writer{b}, []byte(fmt.Sprint(m.toJSON(s, v))))
		fmt.Fprintf(b, "</%s>", wire)
	}
}

type writer struct{ *strings.Builder }

// fail sends an error.
func (m *Model) fail(w http.ResponseWriter, f *Fault, id string) {
	status := f.Status
	if status == 0 {
		status = http.StatusBadRequest
	}
	switch m.Metadata.Protocol {
	case "rest-xml":
		if f.Status == 0 && slices.Contains([]string{"NotFound", "NoSuchKey", "NoSuchBucket"}, f.Code) {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message><RequestId>%s</RequestId></Error>", f.Code, escape(f.Message), id)
	case "query":
		w.WriteHeader(status)
		fmt.Fprintf(w, "<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>%s</RequestId></ErrorResponse>", f.Code, escape(f.Message), id)
	case "ec2":
		w.WriteHeader(status)
		fmt.Fprintf(w, "<Response><Errors><Error><Code>%s</Code><Message>%s</Message></Error></Errors><RequestID>%s</RequestID></Response>", f.Code, escape(f.Message), id)
	default:
		w.Header().Set("X-Amzn-Errortype", f.Code)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": f.Code, "message": f.Message})
	}
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(writer{&b}, []byte(s))
	return b.String()
}
