package upstream

import (
	"errors"
	"net"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/secure"
)

// tlsConfig makes the configuration for connections to e; nil: plain.
func (cl *Client) tlsConfig(e *endpoint.Endpoint) *secure.Config {
	t := cl.c.TLS
	if t == nil {
		return nil
	}
	cfg := t.Config
	if cfg.ServerName == "" {
		cfg = cfg.Clone() // it shares the sessions
		cfg.ServerName = e.Name
		if host, _, err := net.SplitHostPort(e.Name); err == nil {
			cfg.ServerName = host
		}
	}
	return secure.NewConfig(cfg)
}

// connect connects h to the endpoint of p: directly, or by way of TLS. l is the loop that the connection has to use.
func (p *pool) connect(h loop.Handler) (l loop.Loop, id loop.ID) {
	e := p.client.env
	if p.tls == nil {
		return e.Loop, e.Loop.Dial(p.ep.Addr, h)
	}
	if e.secure == nil {
		e.secure = secure.NewEnv(e.Loop, e.Pool, e.Count)
		e.secure.BufferSize = e.BufferSize
	}
	c := e.secure.Dial(p.tls, p.ep.Name, p.ep.Addr, h)
	return c, c.ID()
}

// connectFailure says what it means that a connect, or the handshake after it, has failed with err. detail is for the log, if not empty.
func connectFailure(err error) (f *exchange.Failure, detail string) {
	var t *tlsrec.Error
	switch {
	case !errors.As(err, &t):
		return exchange.ErrConnect, ""
	case t.Code == "certificate_not_trusted":
		return exchange.ErrUpstreamCertificate, t.Detail
	}
	return exchange.ErrUpstreamTLS, t.Detail
}

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
