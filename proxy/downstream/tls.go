package downstream

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// Plaintext says what becomes of connections without TLS on a port that has TLS.
type Plaintext string

// What may become of them.
const (
	PlaintextAllow    Plaintext = "allow"
	PlaintextRefuse   Plaintext = "refuse"
	PlaintextRedirect Plaintext = "redirect"
)

// sniffTLS looks at the first bytes of a connection on a port with TLS. True when it has dealt with them: then TLS stands between socket and
// connection from here on, and what it opens comes back through OnRecv; or plain text is refused.
func (c *Conn) sniffTLS(p []byte) bool {
	c.first = false
	// One byte tells: no text begins with the control character that a TLS record begins with.
	if isTLS, known := tlsrec.IsTLS(p); isTLS || !known {
		c.env.Count.DownstreamBytesIn -= uint64(len(p)) // content is counted
		c.arm(waitHead, c.lst.Handshake)
		c.tls = c.env.TLS.Serve(c.lst.TLS, c.id, c)
		c.l = c.tls
		c.tls.OnRecv(p)
		return true
	}
	switch c.lst.Plaintext {
	case PlaintextRefuse:
		c.refuse(exchange.ErrPlaintext)
		return true
	case PlaintextRedirect:
		c.toHTTPS = true
	}
	return false
}

// OnConnect implements loop.Handler: TLS has shaken hands, or has failed to.
func (c *Conn) OnConnect(err error) {
	switch {
	case c.closing:
	case err != nil:
		c.shut()
	case c.lst.HTTP2 != nil && c.tls.State().ALPN == "h2":
		c.startH2()
	default:
		c.arm(waitHead, c.firstWait())
	}
}

// mayBeH2 tells whether the first bytes may be HTTP/2 that nobody agreed upon: with TLS, ALPN has decided (RFC 9113 section 3.3), unless there is
// nothing else to speak.
func (c *Conn) mayBeH2() bool { return !c.toHTTPS && (c.tls == nil || !c.lst.HTTP1) }

// redirect answers a request in plain text with the same address and https. It needs to know the host.
func (c *Conn) redirect(r *wire.Request) {
	x := c.x
	if len(r.Authority) == 0 || r.Form == wire.FormAuthority || r.Form == wire.FormAsterisk {
		x.Down.Fail(exchange.ErrPlaintext)
		return
	}
	head := make([]byte, 0, 64+len(r.Authority)+len(r.Path)+len(r.Query))
	head = append(head, "location: https://"...)
	head = append(head, r.Authority...)
	head = append(head, r.Path...)
	if r.HasQuery {
		head = append(append(head, '?'), r.Query...)
	}
	head = append(head, "\r\ncontent-length: 0\r\n"...)
	x.Down.Reply(308, head, nil)
}

var schemeHTTPS = []byte("https")

// describeTLS fills in what the exchange is to know of the client's TLS.
func (c *Conn) describeTLS() {
	if c.tls == nil {
		return
	}
	s := c.tls.State()
	c.client.Scheme, c.client.TLS = schemeHTTPS, s
	if c.lst.ForwardCert && s != nil && len(s.PeerCertificates) > 0 {
		c.client.Cert = appendClientCert(nil, s)
	}
}

// appendClientCert renders who the client is in the form that Envoy made usual: the SHA-256 of the certificate, its subject (RFC 2253) and
// its names.
func appendClientCert(dst []byte, s *tlsrec.State) []byte {
	cert := s.PeerCertificates[0]
	sum := sha256.Sum256(cert.Raw)
	dst = hex.AppendEncode(append(dst, "Hash="...), sum[:])
	dst = appendQuoted(append(dst, ";Subject="...), cert.Subject.String())
	for _, uri := range cert.URIs {
		dst = appendQuoted(append(dst, ";URI="...), uri.String())
	}
	for _, name := range cert.DNSNames {
		dst = appendQuoted(append(dst, ";DNS="...), name)
	}
	return dst
}

// appendQuoted appends a quoted string. Characters that a field must not have (RFC 9110 section 5.5) become question marks.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, b := range []byte(s) {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b < ' ' || b == 0x7f:
			dst = append(dst, '?')
		default:
			dst = append(dst, b)
		}
	}
	return append(dst, '"')
}
