package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/target"
)

// packages are the Debian packages of targets.
var packages = map[string]string{"nginx": "nginx", "haproxy": "haproxy", "h2o": "h2o"}

// modules are targets that are built from source, and their versions: so a comparison is with the same one everywhere.
var modules = map[string]string{"caddy": "github.com/caddyserver/caddy/v2/cmd/caddy@v2.10.2"}

// policy keeps a package from starting its service: the laboratory starts its own, and a second nginx would be noise.
const policy = "/usr/sbin/policy-rc.d"

// Install installs the named targets: packages with apt-get, if this process may, and modules with go install, into target.CacheDir. Targets
// that have neither are left out.
func Install(ctx context.Context, targets []string, progress func(string)) (err error) {
	var names []string
	for _, t := range targets {
		if m, ok := modules[t]; ok {
			progress("building " + m)
			if _, err := output(ctx, "/", "env", "GOBIN="+target.CacheDir(), "GOFLAGS=-trimpath -buildvcs=false", "go", "install", m); err != nil {
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
