package snapshot

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// TLS of a listener.
type TLS struct {
	Config *secure.Config
	// Handshake bounds the time of a handshake.
	Handshake time.Duration
	// Plaintext is "allow", "refuse" or "redirect": what becomes of connections without TLS.
	Plaintext string
	// ForwardCert tells endpoints about the certificate of the client.
	ForwardCert bool
	// Certificates that were read from files.
	Certificates []*x509.Certificate

	conf    config.ListenerTLS
	alpn    []string
	files   []file
	tickets *tlsconf.Tickets
}

// listenerTLS makes the TLS of a listener. prev is that of the listener with the same address before, nil if there was none: what has not
// changed, files included, stays the same object, and sessions of clients stay resumable.
func listenerTLS(l *config.Listener, prev *TLS) (*TLS, error) {
	c := l.TLS
	alpn := applicationProtocols(l.Protocols)
	files := look(listenerFiles(c)...)
	if prev != nil && reflect.DeepEqual(*c, prev.conf) && reflect.DeepEqual(alpn, prev.alpn) && same(prev.files, files) {
		return prev, nil
	}
	t := &TLS{Handshake: time.Duration(c.HandshakeTimeout), Plaintext: c.Plaintext, ForwardCert: c.ClientAuth.Forward, conf: *c, alpn: alpn, files: files}
	var err error
	if t.tickets, err = tickets(&c.Tickets, prev); err != nil {
		return nil, err
	}
	server := tlsconf.Server{
		Policy:    tlsconf.Policy{MinVersion: c.MinVersion, Groups: c.Curves, Suites12: c.CipherSuites, ALPN: alpn},
		StrictSNI: c.StrictSNI, ClientCAFile: c.ClientAuth.CA, Tickets: t.tickets,
	}
	switch c.ClientAuth.Mode {
	case "request":
		server.ClientAuth = tlsconf.OptionalClientCert
	case "require":
		server.ClientAuth = tlsconf.RequireClientCert
	}
	for _, cert := range c.Certificates {
		server.Certificates = append(server.Certificates, tlsconf.Certificate{CertFile: cert.Cert, KeyFile: cert.Key, OCSPFile: cert.OCSP})
	}
	switch {
	case c.SelfSigned && prev != nil && prev.conf.SelfSigned && onlyLimits(c, &prev.conf) && reflect.DeepEqual(alpn, prev.alpn):
		t.Config = prev.Config.With(c.MaxHandshakes, c.MaxWaitingHandshakes) // the certificate stays
		return t, nil
	case c.SelfSigned:
		// A key and its certificate take a fraction of a millisecond, which a cold start does not have to pay.
		t.Config = secure.LaterConfig(func() (*tls.Config, error) {
			pair, err := tlsconf.SelfSigned(ownNames()...)
			if err != nil {
				return nil, err
			}
			server.Pairs = []*tls.Certificate{pair}
			cfg, _, err := server.Build()
			return cfg, err
		})
	default:
		cfg, warnings, err := server.Build()
		if err != nil {
			return nil, err
		}
		for _, w := range warnings {
			slog.Warn(w, "listener", l.Name)
		}
		t.Config, t.Certificates = secure.NewConfig(cfg), server.Leaves
	}
	t.Config.MaxHandshakes, t.Config.MaxWaiting = c.MaxHandshakes, c.MaxWaitingHandshakes
	return t, nil
}

// onlyLimits tells whether two configurations differ in nothing that the handshake itself depends on.
func onlyLimits(a, b *config.ListenerTLS) bool {
	x, y := *a, *b
	for _, c := range []*config.ListenerTLS{&x, &y} {
		c.MaxHandshakes, c.MaxWaitingHandshakes, c.HandshakeTimeout, c.Plaintext = 0, 0, 0, ""
	}
	return reflect.DeepEqual(x, y)
}

// applicationProtocols are the names for ALPN, the preferred one first.
func applicationProtocols(protocols []string) (names []string) {
	for _, p := range []struct{ name, alpn string }{{"h2", "h2"}, {"h1", "http/1.1"}} {
		for _, has := range protocols {
			if has == p.name {
				names = append(names, p.alpn)
			}
		}
	}
	return names
}

// tickets are the keys for session tickets; nil: none.
func tickets(c *config.Tickets, prev *TLS) (*tlsconf.Tickets, error) {
	if !c.Enabled {
		return nil, nil
	}
	if c.KeyFile != "" {
		t := tlsconf.NewTickets()
		return t, t.LoadFile(c.KeyFile)
	}
	var t *tlsconf.Tickets
	if prev != nil && prev.tickets != nil && prev.conf.Tickets.KeyFile == "" {
		t = prev.tickets
	} else {
		t = tlsconf.NewTickets()
	}
	t.RotateEvery(time.Duration(c.Rotate))
	return t, nil
}

// ownNames are what a self-signed certificate is for.
func ownNames() []string {
	names := []string{"localhost", "127.0.0.1", "::1"}
	if host, err := os.Hostname(); err == nil && host != "" && host != "localhost" {
		names = append(names, host)
	}
	return names
}

// tlsOf finds the TLS of the listener with the same address in the snapshot before.
func (s *Snapshot) tlsOf(l *Listener) *TLS {
	if s == nil {
		return nil
	}
	for i := range s.Listeners {
		if s.Listeners[i].Address == l.Address {
			return s.Listeners[i].TLS
		}
	}
	return nil
}

// secureListener adds TLS to a listener.
func secureListener(out *Listener, l *config.Listener, prev *Snapshot) error {
	if l.TLS == nil {
		return nil
	}
	t, err := listenerTLS(l, prev.tlsOf(out))
	if err != nil {
		return fmt.Errorf("listener %s: tls: %w", l.Name, err)
	}
	out.TLS = t
	return nil
}
