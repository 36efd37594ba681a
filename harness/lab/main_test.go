package lab

import (
	"net"
	"os"
	"strconv"
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

// A port that is in use on one address of a host may be free on another one.
func TestFreePortsAreThoseOfTheAddress(t *testing.T) {
	next := firstPort + int(nextPort.Load()+1)%(lastPort-firstPort)
	// A connection made from that port, as a target makes them to its origin, holds it without listening.
	to, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer to.Close()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: next}}
	c, err := d.Dial("tcp", to.Addr().String())
	require.NoError(t, err)
	defer c.Close()
	p, err := freePortOn("127.0.0.2")
	require.NoError(t, err)
	require.NotEqual(t, next, p)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.2", strconv.Itoa(p)))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
