package telemetry

import (
	"math/rand/v2"
	"net/netip"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbers(t *testing.T) {
	check := func(v int64) {
		t.Helper()
		if got, want := string(appendInt([]byte("x"), v)), "x"+strconv.FormatInt(v, 10); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	for v := range int64(200_000) { // every group of four digits, behind nothing and behind another one
		check(v)
	}
	for ten := int64(1); ten < 1e18; ten *= 10 {
		for d := int64(-2); d <= 2; d++ {
			check(ten + d)
			check(-ten + d)
			check(9*ten + d)
		}
	}
	for v := int64(0); v < 1e8; v += 9_973 {
		check(v)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(int64(r.Uint64() >> r.UintN(64)))
	}
}

func TestClients(t *testing.T) {
	for _, s := range []string{"0.0.0.0:0", "127.0.0.1:65535", "255.10.100.99:9", "192.0.2.1:443", "[::]:1", "[2001:db8::1]:4711", "[::ffff:192.0.2.1]:80", "[fe80::1%eth0]:80"} {
		require.Equal(t, "x"+s, string(appendClient([]byte("x"), netip.MustParseAddrPort(s))))
	}
}
