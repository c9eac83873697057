package main

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fairlead/internal/exec"
	"fairlead/internal/operator"
)

// A cage shows the system's directories and not people's homes, which is
// where pyenv, uv and virtual environments keep interpreters.
var systemDirs = []string{"/usr/", "/bin/", "/opt/", "/nix/store/", "/gnu/store/"}

// findPython returns the interpreter to use inside of a cage, and what a cage
// must show beside the system for it to work. The name "python3" means the
// system's if it has one; tasks without Python need none, so nothing found is
// no error.
func findPython(name string) (python string, show []string, err error) {
	if !strings.Contains(name, "/") {
		for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode()&0o111 != 0 {
				return name, nil, nil
			}
		}
	}
	path, err := osexec.LookPath(name)
	if err != nil {
		if name == "python3" {
			return name, nil, nil
		}
		return "", nil, usagef("--python %s: %v", name, err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	// A shim is not the interpreter; the interpreter itself knows.
	out, err := osexec.CommandContext(ctx, path, "-I", "-c", "import sys; print(sys.executable, sys.prefix, sys.base_prefix, sep='\\n')").Output()
	if err != nil {
		return "", nil, fmt.Errorf("--python %s cannot be run: %w", name, err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != 3 || !filepath.IsAbs(lines[0]) {
		return "", nil, fmt.Errorf("--python %s is no Python: it printed %q", name, clipText(string(out), 200))
	}
	for _, dir := range lines[1:] {
		inSystem := slices.ContainsFunc(systemDirs, func(s string) bool { return strings.HasPrefix(dir+"/", s) })
		if !inSystem && dir != "/" && !slices.Contains(show, dir) {
			show = append(show, dir)
		}
	}
	return lines[0], show, nil
}

// installSettings returns what the user has told pip and uv on this machine,
// such as an index of their own, and how to reach the network.
func installSettings() operator.Install {
	var in operator.Install
	config := ""
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		upper := strings.ToUpper(name)
		switch {
		case name == "PIP_CONFIG_FILE":
			config = value
		case strings.HasPrefix(name, "PIP_"), strings.HasPrefix(name, "UV_"),
			slices.Contains([]string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"}, upper):
			in.Env = append(in.Env, kv)
		}
	}
	home, _ := os.UserConfigDir() // without one there is nothing to show
	show := func(file, variable, target string) {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && filepath.IsAbs(file) {
			in.Env = append(in.Env, variable+"="+target)
			in.Mounts = append(in.Mounts, exec.Mount{Source: file, Target: target})
		}
	}
	if config == "" {
		config = filepath.Join(home, "pip", "pip.conf")
	}
	show(config, "PIP_CONFIG_FILE", "/fairlead/pip.conf")
	if os.Getenv("UV_CONFIG_FILE") == "" {
		show(filepath.Join(home, "uv", "uv.toml"), "UV_CONFIG_FILE", "/fairlead/uv.toml")
	}
	return in
}
