package upstream

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGRPCTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1S": time.Second, "250m": 250 * time.Millisecond, "2H": 2 * time.Hour, "3M": 3 * time.Minute, "5000u": 5 * time.Millisecond,
		"1n": time.Millisecond, "0S": time.Millisecond, "99999999H": maxDeadline, "99999999S": maxDeadline,
		"": 0, "S": 0, "1": 0, "1s": 0, "-1S": 0, "1.5S": 0, "123456789S": 0, " 1S": 0,
	} {
		d, ok := parseGRPCTimeout([]byte(text))
		require.Equal(t, want != 0, ok, text)
		require.Equal(t, want, d, text)
	}
}
