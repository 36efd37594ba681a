package server

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// The time limit of a gRPC call holds for its second attempt when that is the one which is left.
func TestHedgeKeepsTheDeadline(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, b := listen(t), listen(t)
		g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr}, cluster: "protocol: h2, hedge: {after: 20ms}, retries: 0, retry: {non_idempotent: true}, timeouts: {first_byte: 4s}"})
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		req, err := http.NewRequest(http.MethodPost, "http://"+g.addr+"/pkg.Service/Call", strings.NewReader("\x00\x00\x00\x00\x00"))
		require.NoError(t, err)
		req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "Grpc-Timeout": {"500m"}}
		answer := make(chan *http.Response, 1)
		go func() {
			defer close(answer)
			if r, err := tr.RoundTrip(req); err == nil {
				answer <- r
			}
		}()
		first := a.acceptH2()
		id := first.stream()
		second := b.acceptH2()
		second.stream()
		first.write(h2.AppendRSTStream(nil, id, h2.InternalError))
		r := <-answer
		require.NotNil(t, r)
		_ = r.Body.Close()
		require.Equal(t, "4", r.Header.Get("Grpc-Status"), "DEADLINE_EXCEEDED")
		tr.CloseIdleConnections()
		require.Equal(t, exchange.ErrDeadline.Code, g.log()[0].Code)
	})
}
