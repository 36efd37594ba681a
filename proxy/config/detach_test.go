package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// heap is what is alive, in bytes.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// comments are lines of about n bytes that say nothing.
func comments(n int) string { return strings.Repeat("# "+strings.Repeat("x", 125)+"\n", n/128) }

// A route that was read once and is taken over from then on keeps its own text in memory, not that of the whole file it was read from.
func TestRoutesThatAreTakenOverDoNotKeepOldTexts(t *testing.T) {
	lines := manyRoutes(200)
	head := comments(256<<10) + afterHead
	c, err := ParseAfter("a.yaml", []byte(head+strings.Join(lines, "")), nil)
	require.NoError(t, err)
	before := heap()
	var text string
	for i := range 200 {
		lines[i] = fmt.Sprintf("  - {name: new%d, match: {path: /new%d, methods: [GET], headers: [{name: x-a, exact: b%d}]}, cluster: up}\n", i, i, i)
		text = head + strings.Join(lines, "")
		next, err := ParseAfter("a.yaml", []byte(text), c)
		require.NoError(t, err)
		h, tail := next.Unchanged(c)
		require.Equal(t, 199, h+tail)
		c = next
		if i%50 == 0 {
			want, err := Parse("a.yaml", []byte(text))
			require.NoError(t, err)
			require.Equal(t, bare(want), bare(c))
		}
	}
	require.Less(t, heap()-before, int64(4<<20))
	want, err := Parse("a.yaml", []byte(text))
	require.NoError(t, err)
	require.Equal(t, bare(want), bare(c))
	runtime.KeepAlive(c)
}
