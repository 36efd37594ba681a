// Package proxyproto reads and writes the PROXY protocol header, versions 1 and 2
// (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt): how a load balancer in front tells us, and how we tell an endpoint,
// who the client is. The format is the work of github.com/pires/go-proxyproto; this package adds what a parser without a reader
// needs, the length of a header at the front of some bytes. It runs once per connection, so it may allocate.
package proxyproto

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"

	pp "github.com/pires/go-proxyproto"
)

var (
	signature1 = []byte("PROXY ")
	signature2 = []byte("\r\n\r\n\x00\r\nQUIT\n")
)

const (
	maxV1 = 107 // section 2.1: the longest line with its CRLF
	maxV2 = 16 + 2048
)

// ErrNoHeader: the connection does not begin with a PROXY protocol header.
var ErrNoHeader = errors.New("no PROXY protocol header")

// ErrTooLong: the header is longer than any sender needs.
var ErrTooLong = errors.New("PROXY protocol header too long")

// Length returns the length of the header at the front of b, 0 when that cannot be told yet.
func Length(b []byte) (int, error) {
	if prefix(b, signature1) {
		if i := bytes.Index(b, []byte("\r\n")); i >= 0 && i+2 <= maxV1 {
			return i + 2, nil
		} else if i >= 0 || len(b) >= maxV1 {
			return 0, ErrTooLong
		}
		return 0, nil
	}
	if !prefix(b, signature2) {
		return 0, ErrNoHeader
	}
	if len(b) < 16 {
		return 0, nil
	}
	n := 16 + int(binary.BigEndian.Uint16(b[14:16]))
	if n > maxV2 {
		return 0, ErrTooLong
	}
	if n > len(b) {
		return 0, nil
	}
	return n, nil
}

// prefix tells whether b and sig agree as far as both go.
func prefix(b, sig []byte) bool {
	n := min(len(b), len(sig))
	return bytes.Equal(b[:n], sig[:n])
}

// Parse reads the complete header b. Both addresses are invalid when the header names none (LOCAL, UNKNOWN, a Unix socket): the
// connection is then the sender's own, a health check for example.
func Parse(b []byte) (source, destination netip.AddrPort, err error) {
	h, err := pp.Read(bufio.NewReaderSize(bytes.NewReader(b), maxV2))
	if err != nil {
		return source, destination, err
	}
	if h.Command.IsLocal() {
		return source, destination, nil
	}
	s, d, ok := h.TCPAddrs()
	if !ok {
		return source, destination, nil
	}
	return s.AddrPort(), d.AddrPort(), nil
}

// Append appends a header of version 1 or 2. Invalid addresses, or two of different families, which no
// socket has, make it UNKNOWN or LOCAL.
func Append(dst []byte, version byte, source, destination netip.AddrPort) []byte {
	h := &pp.Header{Version: version, Command: pp.LOCAL, TransportProtocol: pp.UNSPEC}
	s, d := source.Addr().Unmap(), destination.Addr().Unmap()
	if s.IsValid() && d.IsValid() && s.Is4() == d.Is4() {
		h.Command, h.TransportProtocol = pp.PROXY, pp.TCPv6
		if s.Is4() {
			h.TransportProtocol = pp.TCPv4
		}
		h.SourceAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s, source.Port()))
		h.DestinationAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(d, destination.Port()))
	}
	b, err := h.Format()
	if err != nil { // only for addresses that do not fit their family, which the lines above exclude
		h = &pp.Header{Version: version, Command: pp.LOCAL, TransportProtocol: pp.UNSPEC}
		b, _ = h.Format()
	}
	return append(dst, b...)
}
