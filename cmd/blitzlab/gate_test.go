package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/gate"
	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// A gate whose A/A run drifted puts the machine into quarantine, and the next gate refuses it. Noise does not, and neither does a gate that was forced:
// what it saw may have been the other work on the machine.
func TestAGateThatDriftedPutsTheMachineIntoQuarantine(t *testing.T) {
	tmp, bin := t.TempDir(), labtest.Programs(t)
	for k, v := range map[string]string{"TMPDIR": tmp, "BLITZLAB_STATE": filepath.Join(tmp, "state"), "BLITZLAB_TEST_MAIN": "1"} {
		t.Setenv(k, v)
	}
	exe, spec, f := filepath.Join(bin, "blitz"), machine.Spec{Name: "here"}, machine.Fingerprint{CPUs: 2, Kernel: "6.1"}
	run := func(force bool, lo, hi float64) error {
		m := gate.Metric{Name: "CPU per request", MaxNoise: 0.05}
		c := &gateCmd{
			Baseline: exe, Candidate: exe, Scenario: []string{"h1-static"}, Profile: "ci", BinDir: bin, Machines: machines(t), Force: force, Seed: 1,
			// What lab.Prepare does of trust, without asking whether this machine is quiet.
			prepare: func(_ context.Context, _, _ string, force, _ bool) (lab.Prepared, error) {
				p := lab.Prepared{Spec: spec, Fingerprint: f}
				if err := machine.Trust(machine.StateDir(), spec.Name, f, time.Now()); err != nil && !force {
					return p, lab.ErrUnfit
				}
				return p, nil
			},
			compare: func(context.Context, lab.Config, gate.Profile, []lab.Scenario) (gate.Outcome, error) {
				return gate.Outcome{Verdict: gate.Pass, Decisions: []gate.Decision{{Scenario: "h1-static", Metric: m, Verdict: gate.Pass, Noise: stat.Interval{Lo: lo, Hi: hi}, Bound: 0.09}}}, nil
			},
		}
		return c.Run(t.Context())
	}
	state := func() error { return machine.Trust(machine.StateDir(), "here", f, time.Now()) }

	require.NoError(t, run(false, -0.08, 0.09))
	require.NoError(t, state(), "wide, but it may be no difference at all")
	require.NoError(t, run(true, 0.06, 0.09))
	require.NoError(t, state(), "forced")

	require.NoError(t, run(false, 0.06, 0.09), "the verdict is the candidate's")
	require.ErrorIs(t, state(), machine.ErrQuarantined)
	assert.ErrorContains(t, state(), "in an A/A run CPU per request of h1-static drifted by")
	assert.Equal(t, exitCode(gate.Invalid.ExitCode()), run(false, -0.08, 0.09), "and is not measured on again")
	require.NoError(t, machine.Calibrate(machine.StateDir(), "here", f, time.Now()))
	require.NoError(t, run(false, -0.08, 0.09))
}
