package run

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShareIsFair(t *testing.T) {
	for _, n := range []int{1, 7, 64, 65} {
		for parts := 1; parts <= n; parts++ {
			sum := 0
			for i := range parts {
				s := share(n, i, parts)
				require.Contains(t, []int{n / parts, n/parts + 1}, s)
				sum += s
			}
			require.Equal(t, n, sum)
		}
	}
}

func TestContradictoryOptions(t *testing.T) {
	w := newWorkload(t, "http://127.0.0.1:1/")
	for name, o := range map[string]Options{
		"no rate":               {Workload: w, Connections: 1, Duration: 1},
		"rate in a closed loop": {Workload: w, Connections: 1, Duration: 1, Rate: 1, Closed: true},
		"no connections":        {Workload: w, Rate: 1, Duration: 1},
		"no duration":           {Workload: w, Rate: 1, Connections: 1},
		"idle threads":          {Workload: w, Rate: 1, Connections: 1, Duration: 1, Threads: 2},
		"nothing to send":       {Rate: 1, Connections: 1, Duration: 1},
		"unknown engine":        {Workload: w, Rate: 1, Connections: 1, Duration: 1, Engine: "steam"},
		"absurd rate":           {Workload: w, Rate: 1e12, Connections: 1, Duration: 1},
	} {
		_, err := Run(t.Context(), o)
		require.Error(t, err, name)
	}
}
