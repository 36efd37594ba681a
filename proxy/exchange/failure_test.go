package exchange

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire"
)

var errTest = wire.NewError(400, "bad_test", "for this test")

func TestFromWireAllocatesOnce(t *testing.T) {
	f := FromWire(errTest)
	require.Equal(t, &Failure{Source: FromDownstream, Status: 400, Flags: DownstreamProtocol, Code: "bad_test", Detail: "for this test"}, f)
	require.Same(t, f, FromWire(errTest))
	require.Zero(t, testing.AllocsPerRun(100, func() { FromWire(errTest) }))
}

func TestFlags(t *testing.T) {
	require.Equal(t, "-", Flags(0).String())
	require.Equal(t, "UF,UT", (UpstreamConnectFailure | UpstreamTimeout).String())
	require.Equal(t, 1<<len(flagNames), int(flagsEnd), "every flag has a name")
}
