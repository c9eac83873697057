package container

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"

	"fairlead/internal/flow"
)

func TestLogin(t *testing.T) {
	const text = `{"auths": {"registry.example.com": {"auth": "dXNlcjpwYTpzcw=="}, "https://index.docker.io/v1/": {"identitytoken": "t"}, "bad.example.com": {"auth": "?"}}}`
	for domain, want := range map[string]string{
		"registry.example.com": `{"username":"user","password":"pa:ss","serveraddress":"registry.example.com"}`,
		"docker.io":            `{"serveraddress":"https://index.docker.io/v1/","identitytoken":"t"}`,
		"other.example.com":    "",
	} {
		got, err := loginFrom([]byte(text), domain, "config.json")
		plain, derr := base64.URLEncoding.DecodeString(got)
		if err != nil || derr != nil || string(plain) != want {
			t.Errorf("login of %s: got %s, %v, %v; want %s", domain, plain, err, derr, want)
		}
	}
	if got, err := loginFrom([]byte(text), "bad.example.com", "config.json"); err == nil {
		t.Errorf("a login that is not base64: got %q, want an error", got)
	}
	if _, err := loginFrom([]byte("{"), "docker.io", "config.json"); err == nil {
		t.Error("a torn config.json: want an error")
	}
}

func TestCheckImage(t *testing.T) {
	for _, name := range []string{"python:3.12", "registry.example.com:5000/team/etl@sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"} {
		if err := CheckImage(name); err != nil {
			t.Errorf("CheckImage(%q) = %v", name, err)
		}
	}
	for _, name := range []string{"", "UPPER", "a b", "a:b:c", "--x"} {
		if err := CheckImage(name); flow.KindOf(err) != flow.Invalid || err == nil {
			t.Errorf("CheckImage(%q) = %v, want a flow.Invalid error", name, err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	d := &Driver{opts: Options{Path: "/usr/bin:/bin"}}
	image := []string{"PATH=/opt/bin:/bin", "A=image", "B=image"}
	for _, tt := range []struct{ in, want []string }{
		{[]string{"PATH=/usr/bin:/bin", "A=1"}, []string{"B=image", "PATH=/opt/bin:/bin", "A=1"}},
		{[]string{"PATH=/env/bin:/usr/bin:/bin"}, []string{"A=image", "B=image", "PATH=/env/bin:/opt/bin:/bin"}},
		{[]string{"PATH=/mine", "B="}, []string{"A=image", "PATH=/mine", "B="}},
		{nil, image},
	} {
		if got := d.environment(tt.in, image); !slices.Equal(got, tt.want) {
			b, _ := json.Marshal(tt.in)
			t.Errorf("environment(%s): got %q, want %q", b, got, tt.want)
		}
	}
}
