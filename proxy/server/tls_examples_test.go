package server

import (
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// The examples do what their comments say, with certificates made for the test.
func TestTLSExamples(t *testing.T) {
	origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Header.Get("X-Forwarded-Client-Cert"))
	})
	for _, name := range []string{"tls", "mtls"} {
		t.Run(name, func(t *testing.T) {
			a := newIssuer(t)
			text, err := os.ReadFile("../../examples/" + name + ".yaml")
			require.NoError(t, err)
			yaml := strings.NewReplacer(":8443", "127.0.0.1:0", "127.0.0.1:9000", origin, "partners.pem", a.file).Replace(string(text))
			for _, base := range []string{"edge", "shop"} {
				cert, key := a.issue(base, false, base+".test")
				yaml = strings.NewReplacer(base+".crt", cert, base+".key", key).Replace(yaml)
			}
			c, err := config.Parse(name, []byte("workers: {count: 1}\n"+yaml))
			require.NoError(t, err)
			snap, err := snapshot.Build(c, 1)
			require.NoError(t, err)
			s, err := Start(snap, "test")
			require.NoError(t, err)
			defer s.Stop()
			g := &gateway{t: t, s: s, addr: s.Addrs()[0].TCP.String()}
			plain := g.dial().ask(get("/x"))
			if name == "tls" {
				require.Equal(t, "https://example.com/x", plain.Header.Get("Location"))
				shop := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "shop.test"})
				require.Equal(t, 200, shop.ask(get("/x")).StatusCode)
				return
			}
			require.Equal(t, 400, plain.StatusCode)
			cert, key := a.issue("partner", false)
			pair, err := tls.LoadX509KeyPair(cert, key)
			require.NoError(t, err)
			partner := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "edge.test", Certificates: []tls.Certificate{pair}})
			require.Contains(t, partner.ask(get("/x")).Text, `Subject="CN=partner`)
		})
	}
}
