package lab

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/target"
)

// packages are the Debian packages of targets.
var packages = map[string]string{"nginx": "nginx", "haproxy": "haproxy", "h2o": "h2o"}

// module is a target that is built from source.
type module struct {
	// pkg is the main package at its version: so a comparison is with the same one everywhere.
	pkg string
	// sum of the module, as go.sum would have it. Those of its dependencies are checked by the go command, with the checksum database.
	sum string
	// flags of the build, as those who publish the program build it.
	flags []string
}

var modules = map[string]module{"caddy": {
	pkg: "github.com/caddyserver/caddy/v2/cmd/caddy@v2.10.2",
	sum: "h1:g/gTYjGMD0dec+UgMw8SnfmJ3I9+M2TdvoRL/Ovu6U8=",
	// Its releases leave three databases out. As a main package it does not find its own version: it is told.
	flags: []string{"-tags=nobadger,nomysql,nopgx", "-ldflags=-s -w -X github.com/caddyserver/caddy/v2.CustomVersion=v2.10.2"},
}}

// name is the executable's.
func (m module) name() string { return path.Base(strings.Split(m.pkg, "@")[0]) }

// check refuses an executable that was built from something else.
func (m module) check(file string) error {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return err
	}
	if info.Main.Sum != m.sum {
		return fmt.Errorf("%s was built from %s %s with the checksum %q, not from %s with %s", file, info.Main.Path, info.Main.Version, info.Main.Sum, m.pkg, m.sum)
	}
	return nil
}

// build installs the module into dir unless it is there, and checks what it was built from. It takes minutes on two cores when nothing is cached.
func (m module) build(ctx context.Context, dir string, progress func(string)) (err error) {
	if m.check(filepath.Join(dir, m.name())) == nil {
		return nil
	}
	progress("building " + m.pkg + ", once: minutes on a small machine")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// First beside the place where it is looked for: what fails the check is not there to be found.
	tmp, err := os.MkdirTemp(filepath.Dir(dir), ".build-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(tmp)) }()
	args := append([]string{"CGO_ENABLED=0", "GOBIN=" + tmp, "GOFLAGS=-trimpath -buildvcs=false", "go", "install"}, m.flags...)
	if _, err := output(ctx, "/", "env", append(args, m.pkg)...); err != nil {
		return err
	}
	if err := m.check(filepath.Join(tmp, m.name())); err != nil {
		return err
	}
	return os.Rename(filepath.Join(tmp, m.name()), filepath.Join(dir, m.name()))
}

// policy keeps a package from starting its service: the laboratory starts its own, and a second nginx would be noise.
const policy = "/usr/sbin/policy-rc.d"

// Install installs the named targets: packages with apt-get, if this process may, and modules with go install, into target.CacheDir. Targets
// that have neither are left out.
func Install(ctx context.Context, targets []string, progress func(string)) (err error) {
	var names []string
	for _, t := range targets {
		if m, ok := modules[t]; ok {
			if err := m.build(ctx, target.CacheDir(), progress); err != nil {
				return err
			}
		}
		if p, ok := packages[t]; ok {
			names = append(names, p)
		}
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%s are missing and there is no apt-get here: install them by hand", strings.Join(names, ", "))
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s are missing and only root may install them: sudo apt-get install %s", strings.Join(names, ", "), strings.Join(names, " "))
	}
	f, err := os.OpenFile(policy, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	switch {
	case err == nil:
		_, werr := f.WriteString("#!/bin/sh\nexit 101\n")
		defer func() { err = errors.Join(err, os.Remove(policy)) }()
		if err := errors.Join(werr, f.Close()); err != nil {
			return err
		}
	case !errors.Is(err, os.ErrExist):
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	args := append([]string{"DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends"}, names...)
	progress("installing " + strings.Join(names, ", "))
	if _, err := output(ctx, "/", "env", args...); err != nil {
		// A bare image often has no package lists yet.
		if _, e := output(ctx, "/", "apt-get", "update"); e != nil {
			return errors.Join(err, e)
		}
		if _, err := output(ctx, "/", "env", args...); err != nil {
			return err
		}
	}
	return nil
}
