package query

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

// The database knows which runs were on which CPU; what was not recorded is NULL, not 0.
func TestRunsTellTheirHosts(t *testing.T) {
	var all []result.Stored
	zen3, zen5 := machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1, L3Bytes: 32 << 20}, machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2}
	for i, c := range []machine.CPU{{}, zen5, zen3} {
		at := time.Date(2026, 1, 1+i, 0, 0, 0, 0, time.UTC)
		all = append(all, result.Stored{Rel: at.Format(time.DateOnly), Result: &result.Result{
			Run:     result.Run{ID: at.Format(time.DateOnly), Started: at, Finished: at},
			Machine: result.Machine{Name: "vm", Fingerprint: machine.Fingerprint{CPUModel: "AMD EPYC", CPU: c}}, Scenario: result.Scenario{Name: "h1-static"},
		}})
	}
	a, err := memory(t, all).Ask(context.Background(), `SELECT host, cpu_vendor, cpu_family, cpu_model_number, cpu_stepping, l3_bytes, microcode, cpu_generation
		FROM runs JOIN machines ON machine_id = id ORDER BY run`)
	require.NoError(t, err)
	assert.Equal(t, [][]any{
		{int64(1), nil, nil, nil, nil, nil, nil, nil},
		{int64(1), "AuthenticAMD", int64(26), int64(2), int64(0), nil, nil, "Zen 5"},
		{int64(2), "AuthenticAMD", int64(25), int64(1), int64(1), int64(32 << 20), nil, "Zen 3"},
	}, a.Rows)
}
