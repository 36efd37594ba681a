package lab

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
)

func TestWorkersTakeTheCPUsThatThereAre(t *testing.T) {
	set := func(s string) machine.CPUSet {
		c, err := machine.ParseCPUSet(s)
		require.NoError(t, err)
		return c
	}
	for _, c := range []struct {
		server, load, origin string
		want                 []string
		shared               bool
	}{
		{"0", "1", "1", []string{"0", "0-1"}, true},
		{"1", "0", "0", []string{"0", "0-1"}, true},
		{"0", "0", "0", []string{"0"}, true},
		{"0", "1-2", "3", []string{"0", "0-1", "0-3"}, true},
		{"0-1", "2", "3", []string{"0", "0-1"}, false},
		{"0-7", "8-13", "14-15", []string{"0", "0-1", "0-3", "0-7"}, false},
		{"0-5", "6", "7", []string{"0", "0-1", "0-3", "0-5"}, false},
		{"0-63", "64-111", "112-127", []string{"0", "0-1", "0-3", "0-7", "0-15", "0-31", "0-63"}, false},
	} {
		roles := machine.Roles{Server: set(c.server), Load: set(c.load), Origin: set(c.origin)}
		sets, shared := workerSets(roles)
		var got []string
		for _, s := range sets {
			got = append(got, s.String())
		}
		assert.Equal(t, c.want, got, c.server)
		assert.Equal(t, c.shared, shared, c.server)
		assert.Equal(t, machine.Roles{Server: set(c.server), Load: set(c.load), Origin: set(c.origin)}, roles, "the description stays as it is")
	}
}

// Every target is measured with every number of workers in every round, and the machine is then described as before.
func TestScalingIsInterleaved(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	l.Machine.Roles = machine.Roles{Server: machine.CPUSet{0}, Load: machine.CPUSet{0}, Origin: machine.CPUSet{0}}
	l.Profile.Pairs = 2
	roles := l.Machine.Roles
	s := scenario(t, "scaling")
	s.connections = 1
	out, err := l.Run(context.Background(), s)
	require.NoError(t, err)
	assert.Equal(t, roles, l.Machine.Roles)
	assert.True(t, out.Result.Scenario.SharedCPUs)
	seen := map[[2]any]int{}
	var order []string
	for _, sm := range out.Result.Samples {
		require.Empty(t, sm.Invalid)
		assert.Equal(t, result.Scaling, sm.Phase)
		assert.Equal(t, 1, sm.Workers)
		assert.Zero(t, sm.Load.OtherUse, "the load generator is no stranger here")
		seen[[2]any{sm.Target, sm.Round}]++
		order = append(order, sm.Target)
	}
	assert.Len(t, seen, 4)
	require.Len(t, order, 4)
	assert.Equal(t, order[0], order[3], "the second round runs backwards")
	assert.Equal(t, order[1], order[2], "the second round runs backwards")
}
