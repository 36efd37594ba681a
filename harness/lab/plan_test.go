package lab

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/caddy"
	"github.com/blitz-gateway/blitz/harness/target/h2o"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
)

// The full profile with every scenario and the five targets fits into its budget, which leaves room within 45 minutes for samples that are repeated.
func TestTheFullProfileFitsItsBudget(t *testing.T) {
	p, err := ProfileByName("full")
	require.NoError(t, err)
	all, err := Select(nil, true)
	require.NoError(t, err)
	all = withAble(all, five())
	assert.Less(t, p.Budget, 45*time.Minute)
	fitted, total := Fit(p, all, 5)
	assert.LessOrEqual(t, total, p.Budget)
	assert.Greater(t, total, p.Budget*9/10, "the budget is used")
	assert.GreaterOrEqual(t, fitted.Saturation, minSaturation)
	assert.GreaterOrEqual(t, fitted.Rate, minRate)
	assert.Equal(t, 6, fitted.Pairs, "rounds are not saved on: intervals rest on them")
	t.Log(PlanText(fitted, all, five(), total))

	few, total := Fit(p, all[:1], 2)
	assert.Equal(t, p, few, "what fits stays as it is")
	assert.Less(t, total, p.Budget)

	p.Budget = time.Minute
	least, total := Fit(p, all, 5)
	assert.Equal(t, minSaturation, least.Saturation)
	assert.Equal(t, minRate, least.Rate)
	assert.Contains(t, PlanText(least, all, five(), total), "more than that")
}

// five targets, four of which balance and reload.
func five() (out []Located) {
	for _, t := range []target.Target{blitz.New("blitz", "blitz"), nginx.New(), haproxy.New(), h2o.New(), caddy.New()} {
		out = append(out, Located{Target: t})
	}
	return out
}

// Reloads and chaos for all targets take the minutes that are left to them in the full profile, and what was asked for with --duration.
func TestReloadsAndChaosHaveTheirTime(t *testing.T) {
	p, err := ProfileByName("full")
	require.NoError(t, err)
	some, err := Select([]string{"reload", "chaos"}, true)
	require.NoError(t, err)
	some = withAble(some, five())
	require.Len(t, some, 3)
	assert.InDelta(t, 4, (Expect(p, some[0], 5) + Expect(p, some[1], 5)).Minutes(), 0.5)
	assert.InDelta(t, 4.5, Expect(p, some[2], 5).Minutes(), 0.5)
	assert.Zero(t, Expect(p, withAble(some, []Located{{Target: missing{}}})[0], 1)-scenarioTime, "nobody does it")
}

func TestUnfinishedBenchesThatCannotBeResumed(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadUnfinished(dir)
	assert.ErrorContains(t, err, "nothing to resume")
	whole := &Unfinished{Schema: unfinishedSchema, Seed: 7, Flags: json.RawMessage("{}"), Targets: []string{"a"}, Binaries: map[string]string{"a": "1"}, Scenarios: []string{"cold-start"},
		Fingerprint: machine.Fingerprint{CPU: machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2, Stepping: 1}, Sysctls: map[string]string{"net.ipv4.tcp_congestion_control": "bbr"}}}
	require.NoError(t, whole.write(dir))
	got, err := ReadUnfinished(dir)
	require.NoError(t, err)
	require.NoError(t, whole.same(got))
	for want, change := range map[string]func(*Unfinished){
		"the machine was":       func(u *Unfinished) { u.Machine = "other" },
		"kernel was , is other": func(u *Unfinished) { u.Fingerprint.Kernel = "other" },
		"Go was":                func(u *Unfinished) { u.Fingerprint.GoVersion = "go0" },
		"CPU was AMD Zen 5 (family 26, model 2, stepping 1), is AMD Zen 3 (family 25, model 1, stepping 1)": func(u *Unfinished) {
			u.Fingerprint.CPU = machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1}
		},
		"targets":    func(u *Unfinished) { u.Targets = nil },
		"plan":       func(u *Unfinished) { u.Profile.Pairs++ },
		"revision":   func(u *Unfinished) { u.Revision = "x" },
		"executable": func(u *Unfinished) { u.Binaries["a"] = "2" },
	} {
		u, err := ReadUnfinished(dir)
		require.NoError(t, err)
		change(u)
		assert.ErrorContains(t, whole.same(u), want)
	}

	// What the runs themselves change, and what an earlier program did not record, is no other machine.
	got.Fingerprint.Sysctls["net.ipv4.tcp_congestion_control"] = "cubic"
	require.NoError(t, whole.same(got))
	got.Fingerprint.CPU = machine.CPU{}
	require.NoError(t, whole.same(got))
	require.NoError(t, got.same(whole))

	// What was being written goes; a result that cannot be believed is not overwritten.
	half := filepath.Join(dir, ".cold-start.123")
	require.NoError(t, os.Mkdir(half, 0o755))
	done, err := whole.finished(dir)
	require.NoError(t, err)
	assert.Empty(t, done)
	assert.NoDirExists(t, half)
	require.NoError(t, os.Mkdir(filepath.Join(dir, "cold-start"), 0o755))
	_, err = whole.finished(dir)
	assert.ErrorContains(t, err, "cannot resume")

	file := filepath.Join(dir, unfinishedName)
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, b[:len(b)/2], 0o644))
	_, err = ReadUnfinished(dir)
	assert.ErrorContains(t, err, "damaged")
	require.NoError(t, os.WriteFile(file, []byte(`{"schema":"blitz.unfinished/2"}`), 0o644))
	_, err = ReadUnfinished(dir)
	assert.ErrorContains(t, err, "this program knows")
}
