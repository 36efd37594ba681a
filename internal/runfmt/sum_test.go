package runfmt

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSum(t *testing.T) {
	var s Sum
	one := sample(t)
	one.TLS = &TLS{Version: "TLSv1.3", Handshakes: 5, Resumed: 2}
	two := sample(t)
	two.TLS = &TLS{Version: "TLSv1.3", Handshakes: 3, Resumed: 1}
	two.Cost.MaxBacklog, two.Interrupted = 9, true
	require.NoError(t, s.Add(one))
	require.NoError(t, s.Add(two))
	r, err := s.Record(4)
	require.NoError(t, err)

	require.EqualValues(t, 200, r.Counts.Requests)
	require.EqualValues(t, 176, r.Counts.InWindow)
	require.EqualValues(t, map[string]int64{"200": 160, "204": 10, "503": 10}, r.Counts.ByCode)
	require.EqualValues(t, 26, r.Errors.Total())
	require.Len(t, r.Errors.Samples, 2)
	require.EqualValues(t, 24, r.Connections.Opened)
	require.EqualValues(t, &TLS{Version: "TLSv1.3", Handshakes: 8, Resumed: 3}, r.TLS)
	require.EqualValues(t, 180, r.Latency.Response.Count)
	require.EqualValues(t, 180, r.Cost.Lateness.Count)
	require.InDelta(t, 0.44, r.Cost.CPUUserSeconds+r.Cost.CPUSystemSeconds, 1e-9)
	require.InDelta(t, 2500, r.Cost.CPUMicrosPerRequest, 1e-6)
	require.EqualValues(t, 9, r.Cost.MaxBacklog)
	require.InDelta(t, 44, r.AchievedRate, 1e-9)
	require.True(t, r.Interrupted)
	r.Validity = Judge(r, 0)
	require.NoError(t, r.Check(), "the sum of consistent records is consistent")
	require.EqualValues(t, 100, one.Counts.Requests, "what was added is not changed")
	require.EqualValues(t, 80, one.Counts.ByCode["200"])
	require.EqualValues(t, 5, one.TLS.Handshakes)
}
