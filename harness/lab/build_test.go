package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// repository makes a checkout with two revisions: the first has no program, the second has one.
func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	git := func(args ...string) {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.org", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.org",
			"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	write := func(name, text string) {
		p := filepath.Join(root, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
	}
	git("init", "-q", "-b", "main")
	write("go.mod", "module example.org/x\n\ngo 1.26\n")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	write("cmd/blitz/main.go", "package main\n\nfunc main() { println(\"built\") }\n")
	git("add", ".")
	git("commit", "-q", "-m", "two")
	return root
}

func TestBuildRevision(t *testing.T) {
	root, ctx := repository(t), context.Background()
	path, err := BuildRevision(ctx, root, "HEAD", t.TempDir(), "blitz")
	require.NoError(t, err)
	out, err := exec.Command(path).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "built\n", string(out))

	_, err = BuildRevision(ctx, root, "HEAD~1", t.TempDir(), "blitz")
	assert.ErrorContains(t, err, "has no cmd/blitz")
	_, err = BuildRevision(ctx, root, "no-such-branch", t.TempDir(), "blitz")
	assert.ErrorContains(t, err, "neither an executable nor a revision")
	_, err = BuildRevision(ctx, root, "--help", t.TempDir(), "blitz")
	assert.ErrorContains(t, err, "neither", "a revision is never taken for an option")

	list, err := output(ctx, root, "git", "worktree", "list", "--porcelain")
	require.NoError(t, err)
	assert.Equal(t, 1, strings.Count(list, "worktree "), "no worktree stays behind")
}

// A gate that is interrupted while git still checks a revision out leaves no half of a worktree in the repository.
func TestAnInterruptedCheckoutLeavesNothingBehind(t *testing.T) {
	root := repository(t)
	for _, args := range [][]string{{"config", "filter.slow.smudge", "sleep 2 && cat"}, {"config", "filter.slow.required", "true"}} {
		_, err := output(context.Background(), root, "git", args...)
		require.NoError(t, err)
	}
	require.NoError(t, os.WriteFile(filepath.Join(root, ".git", "info", "attributes"), []byte("*.go filter=slow\n"), 0o644))
	worktrees := func() string {
		list, err := output(context.Background(), root, "git", "worktree", "list", "--porcelain")
		require.NoError(t, err)
		return list
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := BuildRevision(ctx, root, "HEAD", t.TempDir(), "blitz")
		done <- err
	}()
	require.Eventually(t, func() bool { return strings.Contains(worktrees(), "locked") }, 20*time.Second, 5*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	assert.Equal(t, 1, strings.Count(worktrees(), "worktree "))
}

func TestRevisionSaysDirty(t *testing.T) {
	root, ctx := repository(t), context.Background()
	clean := Revision(ctx, root)
	assert.Len(t, clean, 12)
	require.NoError(t, os.WriteFile(filepath.Join(root, "untracked"), nil, 0o644))
	assert.Equal(t, clean, Revision(ctx, root))
	require.NoError(t, os.WriteFile(filepath.Join(root, "go.mod"), []byte("module example.org/y\n"), 0o644))
	assert.Equal(t, clean+"+dirty", Revision(ctx, root))
	assert.Empty(t, Revision(ctx, filepath.Join(root, "missing")))
}

func TestInstallSaysWhatItCannotDo(t *testing.T) {
	require.NoError(t, Install(context.Background(), []string{"envoy"}, func(string) {}), "there is no package to install")
	t.Setenv("PATH", t.TempDir())
	assert.ErrorContains(t, Install(context.Background(), []string{"nginx"}, func(string) {}), "no apt-get")
}
