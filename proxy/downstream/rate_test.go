package downstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRate(t *testing.T) {
	const s = int64(time.Second)
	tests := []struct {
		name       string
		bytes      int
		min, after int64
		slow       bool
	}{
		{"no limit", 0, 0, 100 * s, false},
		{"within the grace", 0, 100, 5 * s, false},
		{"nothing after the grace", 0, 100, 5*s + 1, true},
		{"just fast enough", 1000, 100, 10 * s, false},
		{"a byte too few", 999, 100, 10 * s, true},
		{"a day later", 100 * 86400, 100, 86400 * s, false},
	}
	for _, tt := range tests {
		var r rate
		r.start(7)
		r.add(tt.bytes)
		require.Equal(t, tt.slow, r.tooSlow(tt.min, 7+tt.after), tt.name)
	}
}
