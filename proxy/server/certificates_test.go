package server

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"
)

// The metric tells when the certificate that clients see expires.
func TestCertificatesTellWhenTheyExpire(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "tls: {" + newIssuer(t).certificates("site.test") + "}"})
		cfg := anyCert()
		cfg.ServerName = "site.test"
		c, err := tls.Dial("tcp", g.addr, cfg)
		require.NoError(t, err)
		defer c.Close()
		end := c.ConnectionState().PeerCertificates[0].NotAfter
		require.EqualValues(t, end.Unix(), g.metric(`blitz_certificate_expiry_seconds{listener="edge",name="site.test"}`))
	})
}
