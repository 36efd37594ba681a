package upstream

import (
	"errors"
	"net"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// encrypt makes the configurations for connections to e.
func (cl *Client) encrypt(p *pool, e *endpoint.Endpoint) {
	cfg := cl.c.TLS.Config
	if cfg.ServerName == "" {
		cfg = cfg.Clone() // it shares the sessions
		cfg.ServerName = e.Name
		if host, _, err := net.SplitHostPort(e.Name); err == nil {
			cfg.ServerName = host
		}
	}
	p.tls = secure.NewConfig(cfg)
	if cl.c.Protocol == cluster.VersionAuto {
		p.auto = true
		cfg = cfg.Clone()
		cfg.NextProtos = []string{"http/1.1"}
		p.tlsH1 = secure.NewConfig(cfg)
	}
}

// connect connects h to the endpoint of p: directly, or by way of TLS where cfg is not nil. l is the loop that the connection has to use.
func (p *pool) connect(h loop.Handler, cfg *secure.Config) (l loop.Loop, id loop.ID) {
	e := p.client.env
	if cfg == nil {
		return e.Loop, e.Loop.Dial(p.ep.Addr, h)
	}
	if e.secure == nil {
		e.secure = secure.NewEnv(e.Loop, e.Pool, e.Count)
		e.secure.BufferSize = e.BufferSize
	}
	c := e.secure.Dial(cfg, p.ep.Name, p.ep.Addr, h)
	return c, c.ID()
}

// connectFailure says what it means that a connect, or the handshake after it, has failed with err. detail is for the log, if not empty.
func connectFailure(err error) (f *exchange.Failure, detail string) {
	var t *tlsrec.Error
	switch {
	case !errors.As(err, &t):
		return exchange.ErrConnect, ""
	case t.RefusedCertificate():
		return exchange.ErrUpstreamCertificate, t.Detail
	}
	return exchange.ErrUpstreamTLS, t.Detail
}

// refusal says why an endpoint has ended a connection over TLS, if it has: in TLS 1.3 it looks at our certificate when we think that the handshake is over.
func refusal(err error) (detail string) {
	var t *tlsrec.Error
	if errors.As(err, &t) && t.Received {
		return t.Detail
	}
	return ""
}

// refusedOurs tells whether the alert that ended a connection is a server's verdict on our certificate, given in place of reading the request whose bytes
// were on their way already: then even a POST may go elsewhere. In TLS 1.3 a client may send as soon as it has sent its own Finished, and the
// server reads nothing before it has verified certificate and Finished (RFC 8446 section 4.4). That it has not come further can be known only from
// all of this:
//
//   - It asked for a certificate in this handshake. Later it may not, since we do not offer post_handshake_auth (RFC 8446 section 4.6.2).
//   - The alert is the first it says under the keys of the established connection. Who has accepted us begins with tickets, or with the answer.
//   - By its definition the alert is about a certificate that was not valid, or not sent (RFC 8446 section 6.2). access_denied is not: it says that a
//     valid certificate was not enough, and may be the verdict of an application that has read what was asked of it.
//
// In TLS 1.2 the server has verified us before we send anything: no alert after that is a verdict on the handshake.
func (c *Conn) refusedOurs(err error) bool {
	var t *tlsrec.Error
	s, ok := c.l.(*secure.Conn)
	if !ok || !errors.As(err, &t) || !t.Received || !t.First {
		return false
	}
	if settled := s.State(); settled == nil || !settled.Asked {
		return false
	}
	switch t.Alert {
	case alertBadCertificate, alertUnsupportedCertificate, alertCertificateRevoked, alertCertificateExpired, alertCertificateUnknown,
		alertUnknownCA, alertCertificateRequired:
		return true
	}
	return false
}

// The alerts about certificates.
const (
	alertBadCertificate         tlsrec.Alert = 42
	alertUnsupportedCertificate tlsrec.Alert = 43
	alertCertificateRevoked     tlsrec.Alert = 44
	alertCertificateExpired     tlsrec.Alert = 45
	alertCertificateUnknown     tlsrec.Alert = 46
	alertUnknownCA              tlsrec.Alert = 48
	alertCertificateRequired    tlsrec.Alert = 116
)

// behind tells whether something may follow what has been delivered: bytes in the kernel, behind a receive that filled its buffer, or what
// TLS has received and not opened yet.
func (c *Conn) behind() bool {
	if s, ok := c.l.(*secure.Conn); ok {
		return s.Full() || s.Buffered()
	}
	return c.full
}

// holds tells whether TLS has a part of a record, which a connection must not have that begins another request.
func (c *Conn) holds() bool {
	s, ok := c.l.(*secure.Conn)
	return ok && s.Buffered()
}
