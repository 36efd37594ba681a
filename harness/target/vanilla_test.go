package target_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/caddy"
	"github.com/blitz-gateway/blitz/harness/target/h2o"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
)

var shipped = []target.Target{nginx.New(), haproxy.New(), h2o.New(), caddy.New()}

// The shipped configurations, by the programs themselves: the answers are right in the clear and in HTTP/2 over TLS, from the target and from an origin.
func TestShippedConfigurations(t *testing.T) {
	for _, sys := range shipped {
		for _, http2 := range []bool{false, true} {
			van := target.Vanilla(sys.(target.Shipped))
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", van.Name(), http2), func(t *testing.T) {
				bin, err := van.Locate(context.Background())
				if err != nil {
					t.Skipf("%v: its configuration was not tried by the program itself", err)
				}
				o := newOrigin(t)
				p := target.Plan{Dir: t.TempDir(), Host: "127.0.0.1", Port: freePort(t), OriginHost: "127.0.0.1", OriginPort: o.addr.Port, CPUs: []int{0}}
				scheme, proto := "http://", "HTTP/1.1"
				if http2 {
					p.TLS, p.H2, scheme, proto = testPair(t), true, "https://", "HTTP/2.0"
				}
				set := proc.NewSet(nil)
				defer func() { assert.NoError(t, set.Close()) }()
				run, err := target.Start(set, van, bin, p)
				require.NoError(t, err)
				require.NoError(t, run.AwaitReady(context.Background(), target.StaticPath, 10*time.Second))

				tr := &http.Transport{DisableCompression: true, ForceAttemptHTTP2: http2, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
				defer tr.CloseIdleConnections()
				c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
				for path, want := range map[string][]byte{target.StaticPath: []byte(target.StaticBody), "/large": o.body} {
					for range 3 {
						res, err := c.Get(scheme + run.Plan.Addr() + path)
						require.NoError(t, err)
						body, err := io.ReadAll(res.Body)
						require.NoError(t, res.Body.Close())
						require.NoError(t, err)
						require.Equal(t, 200, res.StatusCode, path)
						assert.Equal(t, proto, res.Proto)
						require.True(t, bytes.Equal(want, body), path)
						assert.EqualValues(t, len(want), res.ContentLength)
					}
				}
				require.NoError(t, run.Stop())
			})
		}
	}
}

// A shipped configuration is another target than the tuned one, of the same executable.
func TestVanillaIsATargetOfItsOwn(t *testing.T) {
	p := target.Plan{Dir: "/run/x", Host: "127.0.0.1", Port: 18123, OriginHost: "127.0.0.1", OriginPort: 18456, CPUs: []int{0, 1}, Proxied: true}
	for _, sys := range shipped {
		van := target.Vanilla(sys.(target.Shipped))
		assert.Equal(t, sys.Name()+"-vanilla", van.Name())
		assert.True(t, target.IsVanilla(van.Name()))
		assert.False(t, target.IsVanilla(sys.Name()))
		_, balances := van.(target.Balancer)
		assert.False(t, balances, "it has no settings of the tuned one")
		a, err := sys.Render(p)
		require.NoError(t, err)
		b, err := van.Render(p)
		require.NoError(t, err)
		assert.NotEqual(t, a.Files[0].Text, b.Files[0].Text)
		assert.Contains(t, b.Files[0].Text, "18456")
		assert.NotContains(t, b.Files[0].Text, "{{")
		for _, tuning := range []string{"keepalive", "reuse", "max_conc", "affinity", "nbthread", "num-threads", "pool"} {
			assert.NotContains(t, b.Files[0].Text, tuning, van.Name())
		}
		lim := van.(target.Limited)
		assert.Empty(t, lim.Unsupported(p))
		h2up := p
		h2up.OriginH2 = true
		assert.NotEmpty(t, lim.Unsupported(h2up))
	}
	h2 := p
	h2.H2 = true
	assert.Contains(t, target.Vanilla(h2o.New().(target.Shipped)).(target.Limited).Unsupported(h2), "over TLS only", "limits of the program stay")
	_, ok := blitz.New("blitz", "blitz").(target.Shipped)
	assert.False(t, ok, "Blitz's configuration of the bench is the one it ships with but for address and pool")
}
