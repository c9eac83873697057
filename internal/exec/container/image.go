package container

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"

	"fairlead/internal/exec"
	"fairlead/internal/exec/cage"
	"fairlead/internal/flow"
)

// An image is what the engine has.
type image struct {
	id  string
	env []string
}

// CheckImage refuses, with a flow.Invalid error, what cannot name an image.
func CheckImage(name string) error {
	if _, err := reference.ParseNormalizedNamed(name); err != nil {
		return flow.Errorf(flow.Invalid, "%.300q does not name an image, as python:3.12 or registry.example.com/team/etl:7 do: %w", name, err)
	}
	return nil
}

// image returns the image of a command. One that the engine does not have is
// pulled, which the log shows.
func (d *Driver) image(ctx context.Context, spec exec.Spec) (image, error) {
	name := spec.Image
	if name == "" {
		name = d.opts.Image
	}
	if name == "" {
		return image{}, flow.Errorf(flow.Invalid, "attempt %s: no image is named: start the server with --image, or tag the workflow", spec.ID)
	}
	if err := CheckImage(name); err != nil {
		return image{}, err
	}
	img, err := d.find(ctx, name)
	if errdefs.IsNotFound(err) {
		if err := d.pull(ctx, name, spec.Log); err != nil {
			return image{}, err
		}
		img, err = d.find(ctx, name)
	}
	if err != nil {
		return image{}, fmt.Errorf("look for image %s: %w", name, err)
	}
	return img, nil
}

// Identify returns the id of a command's image, which no other image has. One
// that the engine does not have is pulled.
func (d *Driver) Identify(ctx context.Context, spec exec.Spec) (string, error) {
	img, err := d.image(ctx, spec)
	return img.id, err
}

// Digest returns the digest of a command's image, which the engine has: that by
// which its registry knows it, or if it is from none, its id.
func (d *Driver) Digest(ctx context.Context, spec exec.Spec) (string, error) {
	found, err := d.engine.ImageInspect(ctx, cmp.Or(spec.Image, d.opts.Image))
	if err != nil {
		return "", err
	}
	for _, r := range found.RepoDigests {
		if _, digest, ok := strings.Cut(r, "@"); ok {
			return digest, nil
		}
	}
	return found.ID, nil
}

func (d *Driver) find(ctx context.Context, name string) (image, error) {
	found, err := d.engine.ImageInspect(ctx, name)
	if err != nil {
		return image{}, err
	}
	img := image{id: found.ID}
	if found.Config != nil {
		img.env = found.Config.Env
	}
	return img, nil
}

// pull has the engine fetch an image.
func (d *Driver) pull(ctx context.Context, name, log string) error {
	say := func(level, format string, args ...any) {
		line := cage.AppendLine(nil, time.Now(), level, "fairlead.image", fmt.Appendf(nil, format, args...))
		if f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			_, _ = f.Write(line) // the task matters more than its progress
			f.Close()
		}
	}
	if err := os.MkdirAll(filepath.Dir(log), 0o755); err != nil {
		return err
	}
	auth, err := login(name)
	if err != nil {
		return err
	}
	began := time.Now()
	say("info", "Pulling image %s", name)
	stream, err := d.engine.ImagePull(ctx, name, client.ImagePullOptions{RegistryAuth: auth})
	if err != nil {
		return pullError(name, err)
	}
	defer stream.Close()
	p := progress{layers: map[string]layer{}, shown: began}
	for m, err := range stream.JSONMessages(ctx) {
		if err != nil {
			return pullError(name, err)
		}
		if m.Error != nil {
			return pullError(name, m.Error)
		}
		p.take(m)
		if now := time.Now(); now.Sub(p.shown) >= 2*time.Second {
			p.shown = now
			say("info", "Pulling image %s: %s", name, p)
		}
	}
	say("info", "Pulled image %s in %s", name, time.Since(began).Round(100*time.Millisecond))
	return nil
}

// pullError says why an image cannot be had. What will be no better the next time
// is a flow.Invalid error, and the rest a flow.Busy one.
func pullError(name string, err error) error {
	text := err.Error()
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err), says("denied", "unauthorized", "authentication required"):
		return flow.Errorf(flow.Invalid, "image %s cannot be pulled: it does not exist, or its registry wants a login (docker login, as the user of this server): %w", name, err)
	case errdefs.IsNotFound(err), says("not found", "manifest unknown", "name unknown"):
		return flow.Errorf(flow.Invalid, "image %s does not exist: %w", name, err)
	}
	return flow.Errorf(flow.Busy, "pull image %s: %w", name, err)
}

// A layer is a part of an image on its way.
type layer struct {
	current, total int64
	done           bool
}

// progress is how far the layers are.
type progress struct {
	layers map[string]layer
	shown  time.Time
}

// maxLayers bounds what is remembered of an engine's messages.
const maxLayers = 1000

func (p *progress) take(m jsonstream.Message) {
	if _, known := p.layers[m.ID]; m.ID == "" || !known && len(p.layers) >= maxLayers {
		return
	}
	l := p.layers[m.ID]
	switch {
	case m.Status == "Downloading" && m.Progress != nil:
		l.current, l.total = m.Progress.Current, m.Progress.Total
	case strings.HasPrefix(m.Status, "Pulling from"):
		return // of the image as a whole
	case m.Status == "Pull complete", m.Status == "Already exists":
		l.done, l.current = true, l.total
	}
	p.layers[m.ID] = l
}

func (p progress) String() string {
	var current, total int64
	done := 0
	for l := range maps.Values(p.layers) {
		current, total = current+l.current, total+l.total
		if l.done {
			done++
		}
	}
	return fmt.Sprintf("%d of %d layers, %.1f of %.1f MB", done, len(p.layers), float64(current)/1e6, float64(total)/1e6)
}

// login returns what this machine's docker login says about the registry of an
// image, as the engine wants it; empty if it says nothing. Helpers that keep
// passwords elsewhere are not asked.
func login(name string) (string, error) {
	ref, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", err
	}
	dir := os.Getenv("DOCKER_CONFIG")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", nil // nobody has logged in
		}
		dir = filepath.Join(home, ".docker")
	}
	file := filepath.Join(dir, "config.json")
	b, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read the logins of registries: %w", err)
	}
	return loginFrom(b, reference.Domain(ref), file)
}

// loginFrom finds a registry's login in the text of a config.json.
func loginFrom(text []byte, domain, file string) (string, error) {
	var config struct {
		Auths map[string]registry.AuthConfig `json:"auths"`
	}
	if err := json.Unmarshal(text, &config); err != nil {
		return "", fmt.Errorf("read the logins of registries in %s: %w", file, err)
	}
	names := []string{domain, "https://" + domain, "http://" + domain}
	if domain == "docker.io" {
		names = []string{"https://index.docker.io/v1/", "index.docker.io", "docker.io"}
	}
	for _, n := range names {
		a, ok := config.Auths[n]
		if !ok {
			continue
		}
		if a.Auth != "" {
			plain, err := base64.StdEncoding.DecodeString(a.Auth)
			user, password, ok := strings.Cut(string(plain), ":")
			if err != nil || !ok {
				return "", fmt.Errorf("read the logins of registries: that of %s in %s is not base64 of USER:PASSWORD", n, file)
			}
			a.Username, a.Password, a.Auth = user, strings.TrimRight(password, "\x00"), ""
		}
		a.ServerAddress = n
		b, err := json.Marshal(a)
		return base64.URLEncoding.EncodeToString(b), err
	}
	return "", nil
}
