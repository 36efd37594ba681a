//go:build linux

package hardening

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	crand "crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2ChurnConfig has TLS and plain text on one port, and upstreams of both versions.
const h2ChurnConfig = `
listeners:
  - name: both
    address: 127.0.0.1:0
    tls: {certificates: [{cert: DIR/site.crt, key: DIR/site.key}], plaintext: allow}
    timeouts: {header: 1s, idle: 1s, body_idle: 1s}
clusters:
  - name: app
    endpoints: [{address: UPSTREAM}]
    timeouts: {connect: 1s, first_byte: 1s, idle: 1s, keepalive: 1s}
    max_connections: 64
  - name: app2
    endpoints: [{address: UP2}]
    protocol: h2
    timeouts: {connect: 1s, first_byte: 1s, idle: 1s, keepalive: 1s}
    max_connections: 8
routes:
  - {match: {path: /*}, cluster: app, allow_upgrade: true}
  - {match: {path: /two/*}, cluster: app2}
  - {match: {path: /echo/*}, echo: true}
  - {match: {path: /local/*}, respond: {body: "local\n"}}
`

// selfSigned writes site.crt and site.key to a new directory.
func selfSigned(t *testing.T) (dir string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), crand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"site.test"}}
	der, err := x509.CreateCertificate(crand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	dir = t.TempDir()
	for name, b := range map[string]*pem.Block{"site.crt": {Type: "CERTIFICATE", Bytes: der}, "site.key": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(b), 0o600))
	}
	return dir
}

// unreliableH2 is an upstream of HTTP/2 that answers, breaks off, refuses, or leaves.
func unreliableH2(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Protocols: new(http.Protocols), IdleTimeout: 2 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		size := rand.IntN(3000)
		if rand.IntN(10) == 0 {
			size = rand.IntN(2 << 20)
		}
		switch rand.IntN(12) {
		case 0:
			panic(http.ErrAbortHandler) // RST_STREAM
		case 1:
			w.Header().Set("Connection", "close") // GOAWAY
		case 2:
			w.Write(make([]byte, size))
			panic(http.ErrAbortHandler)
		case 3:
			select {
			case <-r.Context().Done():
			case <-time.After(time.Duration(rand.IntN(1500)) * time.Millisecond):
			}
		case 4:
			w.WriteHeader(http.StatusEarlyHints)
		case 5, 6:
			io.Copy(w, r.Body)
		}
		w.Write(make([]byte, size))
	})}
	s.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}

// h2Churn opens one connection, does something with it, and leaves in some way. Errors are what it is about: none is reported.
func h2Churn(addr string, rnd *rand.Rand) {
	c, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Duration(20+rnd.IntN(600)) * time.Millisecond))
	conn := c
	if rnd.IntN(2) == 0 {
		conn = tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	var out bytes.Buffer
	out.WriteString(http2.ClientPreface)
	h2Babble(&out, rnd)
	text := out.Bytes()
	if rnd.IntN(4) == 0 {
		text = text[:rnd.IntN(len(text))]
	}
	var writer sync.WaitGroup
	dribbles := rnd.IntN(4) == 0
	writer.Go(func() {
		for dribbles && len(text) > 0 {
			n := min(50, len(text))
			if _, err := conn.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
		conn.Write(text)
	})
	raw := c.(*net.TCPConn)
	switch rnd.IntN(6) {
	case 0: // leave at once
	case 1:
		raw.SetLinger(0)
	case 2: // read a little and leave
		io.CopyN(io.Discard, conn, rnd.Int64N(10<<10))
		raw.SetLinger(rnd.IntN(2) - 1)
	case 3: // half-close when all is said
		writer.Wait()
		if s, ok := conn.(*tls.Conn); ok {
			s.CloseWrite()
		} else {
			raw.CloseWrite()
		}
		io.Copy(io.Discard, conn)
	case 4: // read slowly
		raw.SetReadBuffer(4 << 10)
		io.CopyN(io.Discard, conn, rnd.Int64N(100<<10))
		c.SetDeadline(time.Now().Add(time.Duration(rnd.IntN(300)) * time.Millisecond))
		io.Copy(io.Discard, conn)
	default:
		io.CopyN(io.Discard, conn, rnd.Int64N(3<<20))
	}
	c.Close()
	writer.Wait()
}

// h2Babble writes frames of some requests, most of them right, mixed with everything else that a client may send, and now and then with what it may not.
func h2Babble(out *bytes.Buffer, rnd *rand.Rand) {
	f := http2.NewFramer(out, nil)
	f.AllowIllegalWrites = true
	windows := []uint32{0, 1, 1000, 65535, 1 << 20}
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: windows[rnd.IntN(len(windows))]})
	var block bytes.Buffer
	enc := hpack.NewEncoder(&block)
	paths := []string{"/a", "/b", "/two/a", "/two/b", "/echo/", "/local/x", "/none", "/../x"}
	head := func(id uint32, end bool, fields ...string) {
		block.Reset()
		for i := 0; i < len(fields); i += 2 {
			enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
		}
		f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block.Bytes(), EndHeaders: rnd.IntN(50) > 0, EndStream: end})
	}
	for id := uint32(1); id < uint32(2+2*rnd.IntN(20)); id += 2 {
		path := paths[rnd.IntN(len(paths))]
		size := rnd.IntN(5000)
		if rnd.IntN(8) == 0 {
			size = rnd.IntN(200 << 10)
		}
		switch rnd.IntN(8) {
		case 0:
			head(id, false, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":authority", "a", ":path", "/ws")
		case 1, 2, 3:
			head(id, false, ":method", "POST", ":scheme", "http", ":authority", "a", ":path", path)
		default:
			head(id, true, ":method", "GET", ":scheme", "http", ":authority", "a", ":path", path, "priority", "u=1, i")
			size = 0
		}
		for body := strings.Repeat("y", size); body != ""; {
			n := min(len(body), 1+rnd.IntN(16<<10))
			f.WriteData(id, n == len(body) && rnd.IntN(4) > 0, []byte(body[:n]))
			body = body[n:]
		}
		switch rnd.IntN(16) {
		case 0, 1:
			f.WriteRSTStream(id, http2.ErrCodeCancel)
		case 2:
			f.WritePing(false, [8]byte{1})
		case 3:
			f.WriteWindowUpdate(0, 1+rnd.Uint32N(1<<20))
		case 4:
			f.WriteWindowUpdate(id, 1+rnd.Uint32N(1<<20))
		case 5:
			f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: windows[rnd.IntN(len(windows))]})
		case 6:
			f.WriteGoAway(0, http2.ErrCodeNo, nil)
		case 7:
			f.WriteRawFrame(0x10, 0, 0, append([]byte{0, 0, 0, byte(id)}, "u=5"...)) // PRIORITY_UPDATE
		case 8:
			if rnd.IntN(4) == 0 {
				f.WriteRawFrame(http2.FrameType(rnd.IntN(16)), http2.Flags(rnd.IntN(256)), id, make([]byte, rnd.IntN(30)))
			}
		}
	}
}

// Clients of HTTP/2, with and without TLS, and upstreams of both versions come, misbehave and go. When all have left, so has everything that was held
// for them.
func TestH2ChurnLeavesNothing(t *testing.T) {
	dir := selfSigned(t)
	engines(t, func(t *testing.T, engine string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		conf := strings.NewReplacer("DIR", dir, "UP2", unreliableH2(t)).Replace(h2ChurnConfig)
		churnLeavesNothing(t, start(t, engine, conf, scripted(t, churner(seed))), seed, churnTime(t)/4, h2Churn)
	})
}
