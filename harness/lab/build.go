package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Build compiles the named programs (cmd/NAME) of the module at root into dir, as `make build` does. release is what they will call their version; ""
// leaves the default.
func Build(ctx context.Context, root, dir, release string, names ...string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// The version is handed in, so Go need not ask git, which refuses in checkouts of another user.
	args := []string{"build", "-trimpath", "-buildvcs=false", "-o", abs + string(filepath.Separator)}
	if release != "" {
		args = append(args, "-ldflags=-X main.release="+release)
	}
	for _, n := range names {
		args = append(args, "./cmd/"+n)
	}
	_, err = outputWith(ctx, []string{"CGO_ENABLED=0"}, root, "go", args...)
	return err
}

// output runs a command to its end and returns standard output; the error holds what it said on standard error.
func output(ctx context.Context, dir, name string, args ...string) (string, error) {
	return outputWith(ctx, nil, dir, name, args...)
}

// outputWith is output with more environment.
func outputWith(ctx context.Context, env []string, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil { // what it said when it was killed is of no use
			return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), ctx.Err())
		}
		return "", fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return strings.TrimSpace(out.String()), nil
}

// ModuleRoot walks up from the working directory to the directory of go.mod.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod here or above: run blitzlab inside a checkout, or name the executables")
		}
		dir = up
	}
}

// Revision is the commit of the checkout, with +dirty if tracked files differ from it; "" where git cannot say.
func Revision(ctx context.Context, root string) string {
	rev, err := output(ctx, root, "git", "rev-parse", "--short=12", "HEAD")
	if err != nil {
		return ""
	}
	if changes, err := output(ctx, root, "git", "status", "--porcelain", "--untracked-files=no"); err == nil && changes != "" {
		rev += "+dirty"
	}
	return rev
}

// BuildRevision checks a revision out into a worktree of its own below dir and builds one program there. The worktree is removed again; the
// checkout itself is not touched.
func BuildRevision(ctx context.Context, root, rev, dir, name string) (path string, err error) {
	return BuildPatched(ctx, root, rev, nil, dir, name)
}

// BuildPatched is BuildRevision with a patch applied to the worktree first, if there is one. Its version says that it is patched.
func BuildPatched(ctx context.Context, root, rev string, patch []byte, dir, name string) (path string, err error) {
	commit, err := output(ctx, root, "git", "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	var said *exec.ExitError
	switch {
	case errors.As(err, &said) && said.ExitCode() == 1: // --quiet: git has nothing to say
		return "", fmt.Errorf("%q is neither an executable nor a revision that git knows in %s (a shallow clone lacks most: git fetch --unshallow)", rev, root)
	case err != nil:
		return "", fmt.Errorf("%q is no executable, and git cannot say whether it is a revision: %w", rev, err)
	}
	tree := filepath.Join(dir, "tree")
	if _, err := output(ctx, root, "git", "worktree", "add", "--quiet", "--detach", tree, commit); err != nil {
		// Half of one is listed in the repository as well, locked, until its directory is gone and it is removed with twice the force. Where there is none, that
		// fails and says nothing new.
		_ = os.RemoveAll(tree)
		_, _ = output(context.WithoutCancel(ctx), root, "git", "worktree", "remove", "--force", "--force", tree)
		return "", err
	}
	defer func() {
		// Also when ctx is done: a worktree that stays behind is listed in the repository.
		_, e := output(context.WithoutCancel(ctx), root, "git", "worktree", "remove", "--force", tree)
		err = errors.Join(err, e)
	}()
	if _, err := os.Stat(filepath.Join(tree, "cmd", name)); err != nil {
		return "", fmt.Errorf("revision %s has no cmd/%s to build", rev, name)
	}
	release := commit[:12]
	if len(patch) > 0 {
		file := filepath.Join(dir, "patch")
		if err := os.WriteFile(file, patch, 0o644); err != nil {
			return "", err
		}
		if _, err := output(ctx, tree, "git", "apply", "-C1", file); err != nil {
			return "", fmt.Errorf("revision %s: %w", rev, err)
		}
		release += "+patched"
	}
	if err := Build(ctx, tree, dir, release, name); err != nil {
		return "", fmt.Errorf("revision %s: %w", rev, err)
	}
	return filepath.Join(dir, name), nil
}
