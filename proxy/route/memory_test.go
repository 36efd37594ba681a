package route

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// heap is what is in use, in bytes. The first collection leaves what has finalizers or lies in pools.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A route takes no more memory in a large table than in a small one.
func TestBytesPerRoute(t *testing.T) {
	for _, shape := range shapes {
		per := func(n int) float64 {
			rules := make([]Rule, n)
			for i := range rules {
				rules[i] = shape.rule(i)
				rules[i].ID = ID(i)
			}
			before := heap()
			table, err := Build(rules)
			require.NoError(t, err)
			took := heap() - before
			runtime.KeepAlive(rules)
			runtime.KeepAlive(table)
			return float64(took) / float64(n)
		}
		few, many := per(1000), per(100_000)
		t.Logf("%s: %.0f bytes a route with 1,000, %.0f with 100,000", shape.name, few, many)
		require.Less(t, many, few*1.05, shape.name)
		require.Less(t, many, 250.0, shape.name)
	}
}
