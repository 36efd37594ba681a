package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// tlsFlags are the options of TLS, for https.
type tlsFlags struct {
	Insecure   bool     `short:"k" help:"TLS: accept any certificate."`
	CACert     string   `name:"cacert" type:"existingfile" placeholder:"FILE" help:"TLS: authorities to trust, in PEM, in place of the system's."`
	SNI        string   `name:"sni" placeholder:"NAME" help:"TLS: server name to ask for and to check the certificate against (default: the host of the URL)."`
	ALPN       []string `name:"alpn" placeholder:"NAME,…" help:"TLS: application protocols to offer (default: h2 or http/1.1, and the server must agree to h2)."`
	TLSMin     string   `name:"tls-min" enum:"1.2,1.3" default:"1.2" help:"TLS: oldest version, 1.2 or 1.3."`
	TLSMax     string   `name:"tls-max" enum:"1.2,1.3" default:"1.3" help:"TLS: newest version, 1.2 or 1.3."`
	Ciphers    []string `placeholder:"NAME,…" help:"TLS 1.2: cipher suites by their IANA names. Those of TLS 1.3 are all offered, AES-128-GCM first where the CPU has AES."`
	Curves     []string `placeholder:"NAME,…" help:"TLS: key agreements: X25519MLKEM768, X25519, P-256, P-384, P-521."`
	Handshakes bool     `help:"TLS: a request is a handshake on a connection of its own, and nothing more."`
	Resume     bool     `help:"TLS: all handshakes but the first resume its session; one that does not is an error."`
}

// config returns the configuration for a workload, nil without TLS, and the protocol that the server must agree to.
func (f *tlsFlags) config(w *workload.Workload, protocol string) (cfg *tls.Config, must string, err error) {
	if !w.TLS {
		if f.Handshakes || f.Resume || f.SNI != "" || f.CACert != "" || len(f.ALPN)+len(f.Ciphers)+len(f.Curves) > 0 {
			return nil, "", errors.New("options of TLS need a URL with https")
		}
		return nil, "", nil
	}
	if f.TLSMin > f.TLSMax {
		return nil, "", fmt.Errorf("--tls-min %s is above --tls-max %s", f.TLSMin, f.TLSMax)
	}
	alpn := f.ALPN
	if len(alpn) == 0 {
		alpn = []string{map[string]string{"h1": "http/1.1", "h2": "h2"}[protocol]}
	}
	if protocol == "h2" {
		must = "h2"
		if !slices.Contains(alpn, "h2") {
			return nil, "", errors.New("--protocol h2 over TLS is agreed on by ALPN: --alpn must contain h2")
		}
	}
	name := f.SNI
	if name == "" {
		if name, _, err = net.SplitHostPort(w.HostPort); err != nil {
			return nil, "", err
		}
	}
	t := tlsconf.Client{
		Policy:     tlsconf.Policy{MinVersion: f.TLSMin, Groups: f.Curves, Suites12: f.Ciphers, ALPN: alpn},
		ServerName: name, CAFile: f.CACert, Insecure: f.Insecure,
	}
	if cfg, _, err = t.Build(); err != nil {
		return nil, "", err
	}
	if f.TLSMax == "1.2" {
		cfg.MaxVersion = tls.VersionTLS12
	}
	return cfg, must, nil
}
