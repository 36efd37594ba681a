package target_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/floor"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
)

// Each system that is installed must do over TLS 1.3 and in HTTP/2 what it does in the clear, towards an origin of either version if it says that
// it can.
func TestTunedConfigurationsOverTLSAndHTTP2(t *testing.T) {
	var proto string
	o := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proto = r.Proto
		w.Header().Set("X-Seen", r.Header.Get("X-Forwarded-Proto")+" "+r.Header.Get("X-Forwarded-For"))
		_, _ = io.WriteString(w, "from the origin")
	}))
	o.Config.Protocols = new(http.Protocols)
	o.Config.Protocols.SetHTTP1(true)
	o.Config.Protocols.SetUnencryptedHTTP2(true)
	o.Start()
	defer o.Close()
	pair := testPair(t)
	for _, sys := range foreign {
		for _, originH2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 origin %v", sys.Name(), originH2), func(t *testing.T) {
				bin, err := sys.Locate(context.Background())
				if err != nil {
					t.Skipf("%v: its configuration was not tried by the program itself", err)
				}
				p := target.Plan{
					Dir: t.TempDir(), Host: "127.0.0.1", Port: freePort(t), OriginHost: "127.0.0.1", OriginPort: port(t, o.URL), CPUs: []int{0},
					TLS: pair, H2: true, OriginH2: originH2,
				}
				if lim, ok := sys.(target.Limited); ok && lim.Unsupported(p) != "" {
					t.Skip(lim.Unsupported(p))
				}
				set := proc.NewSet(nil)
				defer func() { assert.NoError(t, set.Close()) }()
				run, err := target.Start(set, sys, bin, p)
				require.NoError(t, err)
				require.NoError(t, run.AwaitReady(context.Background(), target.StaticPath, 10*time.Second))
				for _, http2 := range []bool{true, false} {
					tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
					tr.Protocols.SetHTTP2(http2)
					tr.Protocols.SetHTTP1(!http2)
					c := &http.Client{Transport: tr, Timeout: 10 * time.Second}
					for path, want := range map[string]string{target.StaticPath: target.StaticBody, "/x": "from the origin"} {
						res, err := c.Get("https://" + run.Plan.Addr() + path)
						require.NoError(t, err)
						b, err := io.ReadAll(res.Body)
						require.NoError(t, err)
						res.Body.Close()
						assert.Equal(t, want, string(b))
						assert.Equal(t, http2, res.ProtoMajor == 2)
						assert.EqualValues(t, tls.VersionTLS13, res.TLS.Version)
						assert.EqualValues(t, tls.TLS_AES_128_GCM_SHA256, res.TLS.CipherSuite)
						if path == "/x" {
							assert.Equal(t, "https 127.0.0.1", res.Header.Get("X-Seen"))
							assert.Equal(t, map[bool]string{true: "HTTP/2.0", false: "HTTP/1.1"}[originH2], proto)
						}
					}
					tr.CloseIdleConnections()
				}
				require.NoError(t, run.Stop())
			})
		}
	}
}

// The templates say what the plan asks for, and what a system cannot do it says.
func TestSecureTemplatesRender(t *testing.T) {
	p := target.Plan{Dir: "/run/x", Host: "127.0.0.1", Port: 18123, OriginHost: "127.0.0.1", OriginPort: 18456, CPUs: []int{0}, TLS: &target.Pair{}, H2: true, OriginH2: true, GRPC: true, Proxied: true}
	for _, sys := range append([]target.Target{blitz.New("blitz", "blitz")}, foreign...) {
		l, err := sys.Render(p)
		require.NoError(t, err, sys.Name())
		text := l.Files[0].Text
		assert.Regexp(t, `cert\.pem|both\.pem`, text, sys.Name())
		assert.NotContains(t, text, "{{", sys.Name())
		assert.NotContains(t, text, "<no value>", sys.Name())
	}
	l, err := nginx.New().Render(p)
	require.NoError(t, err)
	assert.Contains(t, l.Files[0].Text, "grpc_pass")
	assert.Empty(t, nginx.New().(target.Limited).Unsupported(p))
	_, limited := haproxy.New().(target.Limited)
	assert.False(t, limited)
	p.GRPC = false
	assert.Contains(t, nginx.New().(target.Limited).Unsupported(p), "gRPC")
	bare := floor.New("blitzload").(target.Limited)
	assert.Empty(t, bare.Unsupported(p), "HTTP/2 is passed on as it is")
	p.OriginH2 = false
	assert.Contains(t, bare.Unsupported(p), "cannot change HTTP/2")
	p.Proxied, p.OriginPort, p.Closing = false, 0, true
	assert.Empty(t, bare.Unsupported(p))
	l, err = floor.New("blitzload").Render(p)
	require.NoError(t, err)
	assert.Equal(t, "floor --address 127.0.0.1:18123 --body "+target.StaticBody+" --close --cert cert.pem --key key.pem", strings.Join(l.Args, " "))
	p.CPUs = []int{0, 1}
	assert.Contains(t, bare.Unsupported(p), "single thread")
}
