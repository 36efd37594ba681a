package snapshot

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// Clusters that were built once and are taken over from then on do not keep the text that they were read from.
func TestClustersThatAreTakenOverDoNotKeepOldTexts(t *testing.T) {
	const n = 100
	hosts := [n]int{}
	text := func() []byte {
		var b strings.Builder
		b.WriteString(strings.Repeat("# "+strings.Repeat("x", 125)+"\n", 2048))
		b.WriteString("listeners: [{address: \"127.0.0.1:0\"}]\nroutes: [{match: {path: /}, respond: {}}]\nclusters:\n")
		for i, host := range hosts {
			fmt.Fprintf(&b, "  - {name: c%d, balance: p2c, endpoints: [{address: 127.0.0.%d:%d, zone: z%d}], health_check: {path: /h%d}, discovery: {dns: \"d%d.example.com:80\"}}\n", i, host+1, 1000+i, i, i, i)
		}
		return []byte(b.String())
	}
	s, err := Parse("a.yaml", text(), nil, 1)
	require.NoError(t, err)
	before := heap()
	for i := range n {
		hosts[i]++
		next, err := Parse("a.yaml", text(), s, s.Generation+1)
		require.NoError(t, err)
		for j, c := range next.Clusters {
			require.Equal(t, j != i, c == s.Clusters[j])
		}
		s = next
	}
	require.Less(t, heap()-before, int64(8<<20), "a hundred texts are 25 MiB")
	runtime.KeepAlive(s)
}
