package gate

import (
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
)

const root = "../.."

// proven is a proof that shows everything.
func proven() *Proof {
	p := &Proof{
		Schema: ProofSchema, Started: time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC), Command: "blitzlab gate-proof", Revision: "0123", Profile: "quick", Scenario: "h1-static",
		Finished: time.Date(2026, 1, 2, 3, 20, 0, 0, time.UTC), Machine: machine.Fingerprint{CPUs: 2, CPUModel: "a CPU", Kernel: "6.1"},
	}
	out := func(v Verdict, key string) Outcome {
		m := metricByKey(key)
		d := Decision{Metric: m, Verdict: v}
		d.Worse.Estimate = 0.123
		return Outcome{Verdict: v, Pairs: 8, Took: 20 * time.Second, Decisions: []Decision{d}}
	}
	for i := range 20 {
		v := Pass
		if i == 3 {
			v = Regression
		}
		p.Add("aa", uint64(i), out(v, CPU))
	}
	for _, c := range Cases {
		for i := range 10 {
			switch {
			case c.Loaded:
				p.Add(c.Name, uint64(i), out(Invalid, CPU))
			case c.Patch != "" && i == 0:
				p.Add(c.Name, 0, out(Inconclusive, c.Catches))
			case c.Patch != "":
				p.Add(c.Name, uint64(i), out(Regression, c.Catches))
			}
		}
	}
	return p
}

func TestProofIsJudged(t *testing.T) {
	require.NoError(t, proven().Check())
	for name, spoil := range map[string]func(*Proof){
		"2 false alarms":         func(p *Proof) { p.Cases[0].Gates[0].Verdict = Regression },
		"8 of 10 gates":          func(p *Proof) { p.Cases[1].Gates[1].Verdict = Pass },
		"in spite of other work": func(p *Proof) { p.Cases[4].Gates[1].Verdict = Pass },
		"no gate was run":        func(p *Proof) { p.Cases = p.Cases[:2] },
		"not finished":           func(p *Proof) { p.Finished = time.Time{} },
		// A regression of another metric than the planted one is luck.
		"fewer than 9": func(p *Proof) {
			p.Cases[3].Gates[1].Regressed = []string{RPS}
		},
	} {
		p := proven()
		spoil(p)
		assert.ErrorContains(t, p.Check(), name)
	}
}

// An interrupted proof goes on where it was, if it is the same proof.
func TestProofGoesOn(t *testing.T) {
	begun := func() *Proof { p := proven(); p.Finished = time.Time{}; return p }
	next := begun()
	next.Cases, next.Started = nil, next.Started.Add(time.Hour)
	next.Machine.CPU = machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2}
	assert.True(t, begun().Continues(next))
	assert.False(t, (*Proof)(nil).Continues(next))
	assert.False(t, proven().Continues(next), "it is finished")
	for name, other := range map[string]func(*Proof){
		"revision": func(p *Proof) { p.Revision = "4567" },
		"command":  func(p *Proof) { p.Command += " --runs 2" },
		"scenario": func(p *Proof) { p.Scenario = "h2-static" },
		"profile":  func(p *Proof) { p.Profile = "long" },
		"machine":  func(p *Proof) { p.Machine.CPUs = 128 },
		"host":     func(p *Proof) { p.Machine.CPU = machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1} },
	} {
		p := begun()
		other(p)
		assert.False(t, p.Continues(next), name)
	}
	assert.Equal(t, 20+4*10, begun().Gates())
	assert.True(t, begun().Has("cpu", 9))
	assert.False(t, begun().Has("cpu", 10))
	assert.False(t, begun().Has("nothing", 1))
}

func TestProofTable(t *testing.T) {
	text := proven().Markdown()
	assert.Contains(t, text, "| about 10 % more CPU time per request | 10 | 0 | 9 | 9 | 1 | 0 | cpu +12.3 % | 20 s |")
	assert.Contains(t, text, "| one allocation per request | 10 | 0 | 9 | 9 | 1 | 0 | allocs +0.12 | 20 s |")
	page, err := proven().Insert("a\n" + proofBegin + "\nold\n" + proofEnd + "\nz\n")
	require.NoError(t, err)
	assert.NotContains(t, page, "old")
	assert.True(t, strings.HasPrefix(page, "a\n") && strings.HasSuffix(page, "\nz\n"))
	_, err = proven().Insert("nothing to replace")
	require.Error(t, err)
}

func TestProofFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "p.json")
	p, err := ReadProof(name)
	require.NoError(t, err)
	require.Nil(t, p)
	require.NoError(t, WriteProof(name, proven()))
	p, err = ReadProof(name)
	require.NoError(t, err)
	assert.Equal(t, proven(), p)
	require.NoError(t, os.WriteFile(name, []byte(`{"schema":"blitz.gate-proof/9"}`), 0o644))
	_, err = ReadProof(name)
	require.ErrorContains(t, err, "this reader knows")
}

// What docs/GATE.md says is what results/ holds.
func TestPublishedProofIsCurrent(t *testing.T) {
	p, err := ReadProof(filepath.Join(root, "results/gate-proof.json"))
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs/GATE.md"))
	require.NoError(t, err)
	want, err := p.Insert(string(text))
	require.NoError(t, err)
	assert.Equal(t, want, string(text), "blitzlab gate-proof writes both")
	if p != nil {
		assert.NoError(t, p.Check(), "what is published shows what it claims")
	}
}

// The patches fit this tree, and what they make compiles: only then can the proof be repeated.
func TestPlantedRegressionsFitTheTree(t *testing.T) {
	abs, err := filepath.Abs(root)
	require.NoError(t, err)
	for _, c := range Cases {
		if c.Patch == "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			patch, err := fs.ReadFile(planted, "planted/"+c.Patch)
			require.NoError(t, err)
			// Patched copies of the files that it touches stand in for the originals.
			dir := t.TempDir()
			replace := map[string]string{}
			for line := range strings.Lines(string(patch)) {
				name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/")
				if !ok {
					continue
				}
				copyOf := filepath.Join(dir, name)
				require.NoError(t, os.MkdirAll(filepath.Dir(copyOf), 0o755))
				if text, err := os.ReadFile(filepath.Join(abs, name)); err == nil {
					require.NoError(t, os.WriteFile(copyOf, text, 0o644))
				}
				replace[filepath.Join(abs, name)] = copyOf
			}
			require.Len(t, replace, 2)
			cmd := exec.Command("git", "apply", "-C1", "-")
			cmd.Dir, cmd.Stdin, cmd.Env = dir, strings.NewReader(string(patch)), append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			overlay, err := json.Marshal(map[string]any{"Replace": replace})
			require.NoError(t, err)
			file := filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(file, overlay, 0o644))
			cmd = exec.Command("go", "build", "-trimpath", "-overlay", file, "./proxy/worker")
			cmd.Dir, cmd.Env = abs, append(os.Environ(), "CGO_ENABLED=0") // as our programs are built, so that only what is patched is compiled
			out, err = cmd.CombinedOutput()
			require.NoError(t, err, string(out))
		})
	}
}
