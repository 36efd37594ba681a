package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	calls = regexp.MustCompile("bin/blitzlab\"? ([a-z-]+)([^`\\n]*)|blitzlab ([a-z-]+)( --[^`\\n]*)")
	flags = regexp.MustCompile(`--[a-z][a-z0-9-]*`)
)

// What workflows, the Makefile and the documents call is what there is: a flag that was renamed would stop the gate on the next pull request only.
func TestWhatIsCalledExists(t *testing.T) {
	k, err := kong.New(&cli{}, kong.Name("blitzlab"))
	require.NoError(t, err)
	var files []string
	for _, pattern := range []string{".github/workflows/*.yml", ".ci/*", "Makefile", "README.md", "docs/*.md"} {
		m, err := filepath.Glob("../../" + pattern)
		require.NoError(t, err)
		require.NotEmpty(t, m, pattern)
		files = append(files, m...)
	}
	called := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range calls.FindAllStringSubmatch(string(text), -1) {
			name, rest := m[1]+m[3], m[2]+m[4]
			i := slices.IndexFunc(k.Model.Children, func(n *kong.Node) bool { return n.Name == name })
			if !assert.GreaterOrEqual(t, i, 0, "%s: blitzlab %s", file, name) {
				continue
			}
			called[name] = true
			rest, _, _ = strings.Cut(rest, " #") // what follows is a comment
			for _, f := range flags.FindAllString(rest, -1) {
				known := slices.ContainsFunc(k.Model.Children[i].Flags, func(v *kong.Flag) bool { return "--"+v.Name == f })
				assert.True(t, known, "%s: blitzlab %s has no %s", file, name, f)
			}
		}
	}
	for _, name := range []string{"attest", "bench", "doctor", "gate", "history", "project", "provision", "query", "report", "verify"} {
		assert.True(t, called[name], "%s is told nowhere", name)
	}
}

// Each pull request is measured against what it would be merged into, and inconclusive is a warning; .ci/run begins with the short gate of HEAD against its parent.
func TestContinuousIntegrationCallsTheGate(t *testing.T) {
	b, err := os.ReadFile("../../.github/workflows/ci.yml")
	require.NoError(t, err)
	var w struct {
		On   map[string]any
		Jobs map[string]struct {
			If    string
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	require.NoError(t, yaml.Unmarshal(b, &w))
	require.Contains(t, w.On, "pull_request")
	job := w.Jobs["gate"]
	assert.Contains(t, job.If, "pull_request")
	found := false
	for _, s := range job.Steps {
		if strings.Contains(s.Run, "blitzlab gate") {
			found = true
			assert.Contains(t, s.Env["BASE"], "pull_request.base.sha")
			assert.Contains(t, s.Env["HEAD"], "pull_request.head.sha")
			for _, part := range []string{`--baseline "$BASE"`, `--candidate "$HEAD"`, "--waivers .ci/gate-waivers.yaml", "--markdown", "--junit", `exit "$code"`, "::warning::"} {
				assert.Contains(t, s.Run, part)
			}
		}
	}
	assert.True(t, found, "the job gate calls blitzlab gate")

	run, err := os.ReadFile("../../.ci/run")
	require.NoError(t, err)
	assert.Regexp(t, `(?m)^\.ci/gate$`, string(run))
	short, err := os.ReadFile("../../.ci/gate")
	require.NoError(t, err)
	assert.Contains(t, string(short), "gate --baseline HEAD^ --candidate HEAD --profile ci")
}
