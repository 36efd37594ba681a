package lab

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
)

// The test binary is also the agent of a host whose clock drifts.
func TestMain(m *testing.M) {
	if file := os.Getenv("LAB_TEST_CLOCK"); file != "" {
		if err := ServeAgent(os.Stdin, os.Stdout, AgentService, driftingClock(file), func() {}); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(labtest.Run(m))
}

func TestTwoLaboratoriesDoNotMeasureEachOther(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	unlock, err := Lock()
	require.NoError(t, err)
	_, err = Lock()
	assert.ErrorContains(t, err, "another blitzlab")
	unlock()
	unlock, err = Lock()
	require.NoError(t, err)
	unlock()
}

// Who got a port may not listen on it yet: nobody else gets it meanwhile.
func TestFreePortsDiffer(t *testing.T) {
	seen := map[int]bool{}
	for range 200 {
		p, err := FreePort()
		require.NoError(t, err)
		require.False(t, seen[p], "port %d twice", p)
		seen[p] = true
	}
}
