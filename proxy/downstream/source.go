package downstream

import (
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/proxyproto"
)

// maxProxyHeader bounds what is held while a PROXY protocol header is incomplete.
const maxProxyHeader = 4 << 10

// admit counts the connection under its client's address; when there are too many of them it is closed, and false.
func (c *Conn) admit() bool {
	l := c.lst
	if l.MaxPerSource == 0 {
		return true
	}
	if !c.client.Peer.IsValid() {
		c.client.Peer = c.address(loop.Addresses.PeerAddr)
	}
	ip := c.client.Peer.Addr()
	if !ip.IsValid() {
		return true
	}
	if l.sources[ip] >= l.MaxPerSource {
		c.env.Count.Failures.Add("too_many_connections_from_source")
		c.shut()
		return false
	}
	if l.sources == nil {
		l.sources = make(map[netip.Addr]int)
	}
	l.sources[ip]++
	c.counted = true
	return true
}

func (l *Listener) forgetSource(ip netip.Addr) {
	if l.sources[ip]--; l.sources[ip] <= 0 {
		delete(l.sources, ip)
	}
}

// proxyHeader waits for the PROXY protocol header, takes the client's address from it, and passes on what follows.
func (c *Conn) proxyHeader(p []byte) {
	e := c.env
	if !c.in.Add(e.Pool, p, max(maxProxyHeader, len(p))) {
		c.badProxyHeader()
		return
	}
	b := c.in.Bytes()
	n, err := proxyproto.Length(b)
	if err != nil {
		c.badProxyHeader()
		return
	}
	if n == 0 {
		return
	}
	source, destination, err := proxyproto.Parse(b[:n])
	if err != nil {
		c.badProxyHeader()
		return
	}
	c.proxyWait = false
	c.client.Peer, c.localAddr = source, destination
	if !c.admit() {
		return
	}
	// The header was not complete before p came, so that all that follows it stands at the end of p.
	rest := p[len(p)-(c.in.Len()-n):]
	c.in.Release(e.Pool)
	if len(rest) > 0 {
		e.Count.DownstreamBytesIn -= uint64(len(rest)) // they have been counted
		c.take(rest)
	}
}

// badProxyHeader closes without an answer: whoever this is does not speak to us as agreed.
func (c *Conn) badProxyHeader() {
	c.env.Count.Failures.Add("bad_proxy_header")
	c.shut()
}
