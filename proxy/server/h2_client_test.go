package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2client is a client of HTTP/2 that sends the frames it is told to.
type h2client struct {
	*client
	f   *http2.Framer
	buf bytes.Buffer
	enc *hpack.Encoder
	dec *hpack.Decoder
	// scheme is that of requests: the connection's.
	scheme string
}

// dialH2 connects and exchanges SETTINGS. The windows of responses are those of the standard unless settings say otherwise.
func (g *gateway) dialH2(settings ...http2.Setting) *h2client {
	g.t.Helper()
	return g.dialH2After("", settings...)
}

// dialH2After is dialH2 on a connection that begins with something else.
func (g *gateway) dialH2After(first string, settings ...http2.Setting) *h2client {
	g.t.Helper()
	c := &h2client{client: g.dial(), scheme: "http"}
	c.client.send(first)
	var conn net.Conn = c.TCPConn
	if g.tls {
		c.scheme = "https"
		cfg := anyCert()
		cfg.NextProtos = []string{"h2"}
		conn = tls.Client(conn, cfg)
		c.br = bufio.NewReader(conn)
	}
	c.f = http2.NewFramer(conn, c.br)
	c.enc = hpack.NewEncoder(&c.buf)
	c.dec = hpack.NewDecoder(4096, nil)
	_, err := io.WriteString(conn, http2.ClientPreface)
	require.NoError(g.t, err)
	require.NoError(g.t, c.f.WriteSettings(settings...))
	s, ok := c.next().(*http2.SettingsFrame)
	require.True(g.t, ok && !s.IsAck())
	require.NoError(g.t, c.f.WriteSettingsAck())
	return c
}

// byTLS behind the name of an engine makes gate listen with TLS, which its clients of HTTP/2 speak themselves.
const byTLS = "+h2 by TLS"

// plainAndTLS runs f on every engine, without and with TLS.
func plainAndTLS(t *testing.T, f func(t *testing.T, engine string)) {
	t.Helper()
	engines(t, func(t *testing.T, engine string) {
		t.Run("plain", func(t *testing.T) { f(t, engine) })
		t.Run("tls", func(t *testing.T) { f(t, engine+byTLS) })
	})
}

// next reads a frame. Acknowledgements and window updates are skipped.
func (c *h2client) next() http2.Frame {
	c.t.Helper()
	for {
		f, err := c.f.ReadFrame()
		require.NoError(c.t, err)
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if f.IsAck() {
				continue
			}
		case *http2.WindowUpdateFrame:
			continue
		}
		return f
	}
}

// headers sends HEADERS with the pseudo-headers of a request, changed or completed by fields "name", "value", ….
func (c *h2client) headers(stream uint32, end bool, method, path string, fields ...string) {
	c.t.Helper()
	require.NoError(c.t, c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: c.block(method, path, fields...), EndStream: end, EndHeaders: true}))
}

func (c *h2client) block(method, path string, fields ...string) []byte {
	c.buf.Reset()
	put := func(n, v string) { _ = c.enc.WriteField(hpack.HeaderField{Name: n, Value: v}) }
	put(":method", method)
	put(":scheme", c.scheme)
	put(":authority", "example.com")
	put(":path", path)
	for i := 0; i < len(fields); i += 2 {
		put(fields[i], fields[i+1])
	}
	return c.buf.Bytes()
}

// h2response is what came on one stream.
type h2response struct {
	fields map[string]string
	body   string
	reset  http2.ErrCode
	broken bool // by reset
	tail   map[string]string
	interm []string
}

// read reads frames until the stream ends. Credit is given for what is read. GOAWAY is let through.
func (c *h2client) read(stream uint32) (r h2response) {
	c.t.Helper()
	for {
		switch f := c.next().(type) {
		case *http2.HeadersFrame:
			m := map[string]string{}
			fields, err := c.dec.DecodeFull(f.HeaderBlockFragment())
			require.NoError(c.t, err)
			for _, h := range fields {
				m[h.Name] = h.Value
			}
			if f.StreamID != stream {
				continue
			}
			switch {
			case strings.HasPrefix(m[":status"], "1"):
				r.interm = append(r.interm, m[":status"])
			case r.fields == nil:
				r.fields = m
			default:
				r.tail = m
			}
			if f.StreamEnded() {
				return r
			}
		case *http2.DataFrame:
			if n := uint32(len(f.Data())); n > 0 {
				_ = c.f.WriteWindowUpdate(0, n)
				if !f.StreamEnded() {
					_ = c.f.WriteWindowUpdate(f.StreamID, n)
				}
			}
			if f.StreamID != stream {
				continue
			}
			r.body += string(f.Data())
			if f.StreamEnded() {
				return r
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == stream {
				r.reset, r.broken = f.ErrCode, true
				return r
			}
		}
	}
}

// ended reads until the gateway has said GOAWAY with this code and closed.
func (c *h2client) ended(code http2.ErrCode) (debug string) {
	c.t.Helper()
	said := false
	for {
		f, err := c.f.ReadFrame()
		if err != nil {
			var timeout net.Error
			require.NotErrorAs(c.t, err, &timeout)
			require.True(c.t, said, "no GOAWAY")
			return debug
		}
		if g, ok := f.(*http2.GoAwayFrame); ok {
			require.Equal(c.t, code, g.ErrCode, string(g.DebugData()))
			said, debug = true, string(g.DebugData())
		}
	}
}

// transport is Go's client of HTTP/2.
func (g *gateway) transport() *http.Client {
	tr := &http2.Transport{AllowHTTP: true, DialTLSContext: func(ctx context.Context, network, addr string, _ *tls.Config) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if g.tls && err == nil {
			cfg := anyCert()
			cfg.NextProtos = []string{"h2"}
			conn = tls.Client(conn, cfg)
		}
		return conn, err
	}}
	g.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience}
}

func (g *gateway) url(path string) string {
	scheme := "http"
	if g.tls {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s%s", scheme, g.addr, path)
}

func hpackField(n, v string) hpack.HeaderField { return hpack.HeaderField{Name: n, Value: v} }
