package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// batchConn keeps what is written until it is told to send it, in one segment.
type batchConn struct {
	*net.TCPConn
	batch []byte
	hold  bool
}

func (c *batchConn) Write(p []byte) (int, error) {
	if c.hold {
		c.batch = append(c.batch, p...)
		return len(p), nil
	}
	return c.TCPConn.Write(p)
}

// flush sends all but the last short bytes, which it keeps.
func (c *batchConn) flush(short int) error {
	n := len(c.batch) - short
	_, err := c.TCPConn.Write(c.batch[:n])
	c.batch = append(c.batch[:0], c.batch[n:]...)
	return err
}

// What comes with a response, in its record, in another record of the same segment, or as a part of a record, answers no other request: the
// connection is not used again. The client's next request waits already, so that it would take the connection at once.
func TestUpstreamTLSResponseWithSomethingBehindIt(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, x := range []struct {
				name    string
				records []string
				short   int // bytes that come later, or never
			}{
				{"in the same record", []string{ok("first") + ok("forged")}, 0},
				{"in the next record", []string{ok("first"), ok("forged")}, 0},
				{"in a part of a record", []string{ok("first"), ok("forged")}, 7},
				{"in the head of a record", []string{ok("first"), "x"}, 22},
			} {
				t.Run(fmt.Sprintf("%x/%s", version, x.name), func(t *testing.T) {
					o := listen(t)
					g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 0, tls: {ca: " + ca.file + "}"})
					c := g.dial()
					c.send(get("/1") + get("/2"))
					serve := func() (*tls.Conn, *batchConn) {
						b := &batchConn{TCPConn: o.accept().TCPConn}
						s := tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})
						_, err := http.ReadRequest(bufio.NewReader(s))
						require.NoError(t, err)
						return s, b
					}
					s, b := serve()
					b.hold = true
					for _, text := range x.records {
						_, err := s.Write([]byte(text))
						require.NoError(t, err)
					}
					require.NoError(t, b.flush(x.short))
					require.Equal(t, "first", c.response("GET").Text)
					second, _ := serve() // another connection
					_, err := second.Write([]byte(ok("second")))
					require.NoError(t, err)
					require.Equal(t, "second", c.response("GET").Text)
					(&peer{TCPConn: b.TCPConn, t: t, br: bufio.NewReader(b.TCPConn)}).gone()
					c.Close()
					g.end()
					require.EqualValues(t, 1, g.counters().UpstreamUnsolicited)
				})
			}
		}
	})
}

// A response that comes together with a KeyUpdate leaves a connection that can be used again.
func TestUpstreamTLSConnectionIsKeptAfterAKeyUpdate(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "retries: 0, tls: {ca: " + ca.file + "}"})
		c := g.dial()
		c.send(get("/1"))
		conn := o.accept()
		s := tlsrec.Server(&tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true}, tlsrec.Options{})
		defer s.Close()
		in, n := make([]byte, 64<<10), 0
		for i := range 5 {
			for asked := false; !asked; {
				k, ev, err := s.Receive(in[:n])
				require.NoError(t, err)
				asked = ev.Kind == tlsrec.Data && bytes.HasSuffix(ev.Data, []byte("\r\n\r\n"))
				n = copy(in, in[k:n])
				if s.Pending() > 0 {
					_, err = conn.Write(s.AppendPending(nil))
					require.NoError(t, err)
				}
				if ev.Kind == tlsrec.NeedMore {
					k, err = conn.Read(in[n:])
					require.NoError(t, err)
					n += k
				}
			}
			out, err := s.Seal(nil, []byte(ok("answer")))
			require.NoError(t, err)
			require.NoError(t, s.UpdateKeys(i%2 == 0))
			_, err = conn.Write(s.AppendPending(out))
			require.NoError(t, err)
			require.Equal(t, "answer", c.response("GET").Text)
			eventually(t, "the connection waits in the pool", func() bool { return g.metric("blitz_upstream_connections_idle") == 1 })
			if i < 4 {
				c.send(get("/2"))
			}
		}
		c.Close()
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
		require.Zero(t, g.counters().UpstreamUnsolicited)
	})
}

// The certificate of the client reaches endpoints of both protocols, and what a client says about itself does not.
func TestClientCertificateReachesBothProtocols(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		own, ownKey := a.issue("partner", false, "partner.test")
		pair, err := tls.LoadX509KeyPair(own, ownKey)
		require.NoError(t, err)
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		for _, protocol := range []string{"h1", "h2"} {
			o := serveTLS(t, protocol, &tls.Config{Certificates: []tls.Certificate{cert}}, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s %s", r.Proto, strings.Join(r.Header.Values("X-Forwarded-Client-Cert"), "|"))
			})
			for _, trust := range []bool{false, true} {
				listener := fmt.Sprintf("trust_forwarded: %v, tls: {%s, client_auth: {ca: %s, mode: request, forward: true}}", trust, a.certificates("site.test"), a.file)
				g := gate(t, engine, setup{endpoints: []string{o}, listener: listener, cluster: fmt.Sprintf("protocol: %s, tls: {ca: %s}", protocol, ca.file)})
				with := anyCert()
				with.Certificates = []tls.Certificate{pair}
				c := g.secure(with)
				text := c.ask(get("/", "X-Forwarded-Client-Cert: forged")).Text
				require.Contains(t, text, "HTTP/"+map[string]string{"h1": "1.1", "h2": "2.0"}[protocol])
				require.Contains(t, text, `Subject="CN=partner`)
				require.NotContains(t, text, "forged")
				require.NotContains(t, text, "|")
				c.Close()
				without := g.secure(anyCert())
				text = without.ask(get("/", "X-Forwarded-Client-Cert: forged")).Text
				require.Equal(t, trust, strings.Contains(text, "forged"), text)
				without.Close()
			}
		}
	})
}
