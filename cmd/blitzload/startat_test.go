package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStartAtKeepsEveryNanosecond(t *testing.T) {
	for in, want := range map[string]time.Time{
		"1767225600":           time.Unix(1767225600, 0),
		"1767225600.25":        time.Unix(1767225600, 250_000_000),
		"1767225600.123456789": time.Unix(1767225600, 123456789),
		"1767225600.":          time.Unix(1767225600, 0),
	} {
		var s startAt
		require.NoError(t, s.UnmarshalText([]byte(in)), in)
		require.True(t, want.Equal(s.Time), "%s: %v", in, s.Time)
	}
	for _, in := range []string{"", "0", "-5", "1e9", "1.0000000001", "1.x", "1.-2", "99999999999", "now"} {
		var s startAt
		require.ErrorContains(t, s.UnmarshalText([]byte(in)), "seconds since 1970", in)
	}
}
