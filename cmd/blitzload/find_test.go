package main

import (
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/origin"
)

// Four connections to a server that takes 20 ms for each answer can carry 200 requests a second; above that they queue, whatever the machine.
func TestFindAServersCapacity(t *testing.T) {
	srv, err := origin.New(origin.Options{Address: netip.MustParseAddrPort("127.0.0.1:0"), BodySize: 10, Delay: 20 * time.Millisecond, Threads: 1, Engine: "auto"})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- srv.Run() }()
	defer func() { srv.Stop(); require.NoError(t, <-ended) }()
	file := filepath.Join(t.TempDir(), "find.json")
	status := command([]string{"find", "-q", "--slo", "p90<60ms,errors<1%", "--from", "50", "--factor", "1.5", "--to", "1000", "--resolution", "0.2", "--confirm", "2", "--step", "600ms",
		"--budget", "1m", "-c", "4", "--max-lateness", "1s", "--json", file, "http://" + srv.Addr().String() + "/"})
	require.Zero(t, status)
	s, err := runfmt.ReadSearch(file)
	require.NoError(t, err)
	require.True(t, s.Complete)
	require.LessOrEqual(t, s.Rate, 210.0, "no more than the server can do")
	require.Greater(t, s.FailedAt, s.Rate)
	require.Equal(t, 4, s.Params.Connections)
	require.GreaterOrEqual(t, s.Confirmed, 2)
}

func TestFindWrongUsage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	url := "http://" + l.Addr().String() + "/"
	for _, args := range []string{"find " + url, "find --slo p99 " + url, "find --slo p99<1ms --step 0s " + url, "find --slo p99<1ms"} {
		require.Equal(t, exitUsage, command(strings.Fields(args)), args)
	}
	require.Equal(t, exitError, command(strings.Fields("find -q --slo p99<1ms "+url)), "nobody listens")
}
