package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// callee is a gRPC server of one method that answers every call with the same status: in the head that is all there is (Trailers-Only), or in the trailers.
type callee struct {
	addr   string
	status atomic.Int64 // -1: none, -2: the stream is cut
	calls  atomic.Int64
}

func newCallee(t *testing.T, trailersOnly bool) *callee {
	c := new(callee)
	c.addr = serveH2(t, func(w http.ResponseWriter, _ *http.Request) {
		c.calls.Add(1)
		w.Header().Set("Content-Type", "application/grpc")
		status := c.status.Load()
		text := fmt.Sprint(status)
		if trailersOnly && status >= 0 {
			w.Header().Set("Grpc-Status", text)
			return
		}
		_, _ = io.WriteString(w, "\x00\x00\x00\x00\x00")
		_ = http.NewResponseController(w).Flush()
		switch {
		case status == -2:
			panic(http.ErrAbortHandler)
		case status >= 0:
			w.Header().Set(http.TrailerPrefix+"Grpc-Status", text)
		}
	})
	return c
}

// calls makes n calls, one after another.
func calls(t *testing.T, g *gateway, n int) {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	for range n {
		r, err := (&http.Client{Transport: tr}).Post("http://"+g.addr+"/pkg.Service/Call", "application/grpc", strings.NewReader("\x00\x00\x00\x00\x00"))
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		require.Equal(t, 200, r.StatusCode)
	}
}

// An endpoint that fails calls is ejected although each of its answers has the HTTP status 200, and is let in again.
func TestOutlierByGRPCStatus(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for name, trailersOnly := range map[string]bool{"trailers only": true, "trailers": false} {
			for _, status := range []int64{2, 4, 13, 14, 15, -1, -2} {
				if trailersOnly && status < 0 {
					continue
				}
				t.Run(fmt.Sprint(name, " ", status), func(t *testing.T) {
					a, b := newCallee(t, trailersOnly), newCallee(t, trailersOnly)
					a.status.Store(status)
					g := gate(t, engine, setup{endpoints: []string{a.addr, b.addr}, cluster: "protocol: h2, retries: 0, " +
						"outlier: {consecutive_5xx: 3, consecutive_gateway: 0, consecutive_connect: 0, base_ejection: 200ms, max_ejection: 200ms}"})
					calls(t, g, 6)
					eventually(t, "it is ejected", func() bool {
						return g.metric(fmt.Sprintf("blitz_endpoint_ejections_total{cluster=%q,endpoint=%q}", "up", a.addr)) == 1
					})
					require.EqualValues(t, 3, a.calls.Load())
					a.status.Store(0)
					eventually(t, "it is let in again", func() bool {
						calls(t, g, 1)
						return a.calls.Load() > 3
					})
				})
			}
		}
	})
}

// UNAVAILABLE and DEADLINE_EXCEEDED are what 503 and 504 are, some others what 500 is; what concerns the call alone is no failure of the endpoint.
func TestGRPCStatusesAreCountedAgainstEndpoints(t *testing.T) {
	for _, trailersOnly := range []bool{true, false} {
		a := newCallee(t, trailersOnly)
		g := gate(t, "epoll", setup{endpoints: []string{a.addr}, cluster: "protocol: h2, retries: 0"})
		type counts struct{ attempts, server, gateway uint64 }
		var want counts
		for status := range int64(18) {
			a.status.Store(status)
			calls(t, g, 2)
			want.attempts += 2
			switch status {
			case 2, 13, 15:
				want.server += 2
			case 4, 14:
				want.gateway += 2
			}
			e := g.s.Clusters(t.Context())[0].Endpoints[0]
			require.Equal(t, want, counts{e.Attempts, e.ServerErrors, e.GatewayErrors}, "status %d", status)
		}
	}
}
