package snapshot

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/config"
)

func TestDefaultsOfHTTP2AreTheCodecs(t *testing.T) {
	l := config.Default().Listeners[0]
	want := h2.DefaultLimits
	require.Equal(t, want, h2Limits(&l.HTTP2, want.Message))
	s, err := listener(&l)
	require.NoError(t, err)
	require.True(t, s.HTTP1)
	require.True(t, s.HTTP2)
	require.Equal(t, want.StallTicks, s.H2Limits.StallTicks)
	require.Equal(t, 100, s.H2Limits.StallBytes)
}
