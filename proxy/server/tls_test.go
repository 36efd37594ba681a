package server

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

func bytesReader(s string) io.Reader { return strings.NewReader(s) }

// Requests of all kinds over TLS, on the same port as plain ones: static, proxied, echoed with large bodies, pipelined, half-closed.
func TestTLSAndPlainShareThePort(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %d", r.Header.Get("X-Forwarded-Proto"), r.URL.Path, len(b))
		})
		a := newIssuer(t)
		g := gate(t, engine, setup{endpoints: []string{origin}, listener: "tls: {" + a.certificates("site.test") + "}"})
		for _, version := range []uint16{tls.VersionTLS13, tls.VersionTLS12} {
			c := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "site.test", MaxVersion: version, NextProtos: []string{"http/1.1"}})
			require.Equal(t, "http/1.1", c.tls.ConnectionState().NegotiatedProtocol)
			require.Equal(t, "hello\n", c.ask(get("/hello")).Text)
			require.Equal(t, "https /a 0", c.ask(get("/a")).Text)
			require.Equal(t, "https /b 5", c.ask(request("POST", "/b", "12345")).Text)
			body := strings.Repeat("0123456789abcdef", 50_000)
			go c.tls.Write([]byte(request("POST", "/echo/x", body)))
			require.Equal(t, body, c.response("POST").Text)
			// Pipelined, in one record and in one for each byte.
			c.send(get("/hello") + get("/c") + get("/hello"))
			require.Equal(t, "hello\n", c.response("GET").Text)
			require.Equal(t, "https /c 0", c.response("GET").Text)
			require.Equal(t, "hello\n", c.response("GET").Text)
			for _, b := range []byte(get("/d")) {
				c.send(string(b))
			}
			require.Equal(t, "https /d 0", c.response("GET").Text)
			// The absolute form must name the scheme of the connection.
			require.Equal(t, "hello\n", c.ask("GET https://site.test/hello HTTP/1.1\r\nHost: site.test\r\n\r\n").Text)
			require.Equal(t, 421, c.ask("GET http://site.test/hello HTTP/1.1\r\nHost: site.test\r\n\r\n").StatusCode)
			// A request with close_notify behind it is answered.
			c.send(get("/hello", "Connection: close"))
			require.NoError(t, c.tls.CloseWrite())
			require.Equal(t, "hello\n", c.response("GET").Text)
			_, err := c.br.ReadByte()
			require.Equal(t, io.EOF, err, "close_notify, which Go's TLS tells from a mere FIN")
		}
		c := g.dial()
		require.Equal(t, "http /a 0", c.ask(get("/a")).Text)
		require.Equal(t, 421, c.ask("GET https://site.test/hello HTTP/1.1\r\nHost: site.test\r\n\r\n").StatusCode)
		c.Close()
		require.Eventually(t, func() bool { return g.metric("blitz_downstream_tls_connections_active") == 0 }, patience, time.Millisecond)
		require.EqualValues(t, 2, g.metric(`blitz_downstream_tls_handshakes_total{kind="full"}`))
		g.end()
		log, err := os.ReadFile(g.logPath)
		require.NoError(t, err)
		require.Contains(t, string(log), `"tls":"TLSv1.3","cipher":"TLS_AES_128_GCM_SHA256","alpn":"http/1.1","sni":"site.test"`)
		require.Contains(t, string(log), `"tls":"TLSv1.2","cipher":"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"`)
	})
}

func TestPlaintextOnATLSPort(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		site := a.certificates("site.test")
		t.Run("refuse", func(t *testing.T) {
			g := gate(t, engine, setup{listener: "tls: {" + site + ", plaintext: refuse}"})
			c := g.dial()
			r := c.ask(get("/hello"))
			require.Equal(t, 400, r.StatusCode)
			require.Contains(t, r.Text, "plaintext_refused")
			c.closed()
			require.Equal(t, "hello\n", g.secure(anyCert()).ask(get("/hello")).Text)
		})
		t.Run("redirect", func(t *testing.T) {
			g := gate(t, engine, setup{listener: "tls: {" + site + ", plaintext: redirect}"})
			c := g.dial()
			for _, method := range []string{"GET", "POST"} {
				r := c.ask(request(method, "/hello?a=b", ""))
				require.Equal(t, 308, r.StatusCode)
				require.Equal(t, "https://example.com/hello?a=b", r.Header.Get("Location"))
			}
			c.send("GET / HTTP/1.0\r\n\r\n")
			require.Equal(t, 400, c.response("GET").StatusCode, "nobody knows where to")
			require.Equal(t, "hello\n", g.secure(anyCert()).ask(get("/hello")).Text)
		})
	})
}

func TestCertificateByServerName(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		var list []string
		for base, names := range map[string][]string{"one": {"one.test"}, "wild": {"*.wild.test"}, "exact": {"exact.wild.test"}} {
			cert, key := a.issue(base, false, names...)
			list = append(list, "{cert: "+cert+", key: "+key+"}")
		}
		for _, strict := range []bool{false, true} {
			g := gate(t, engine, setup{listener: fmt.Sprintf("tls: {certificates: [%s], strict_sni: %v}", strings.Join(list, ", "), strict)})
			for name, want := range map[string]string{"one.test": "one", "a.wild.test": "wild", "exact.wild.test": "exact", "EXACT.wild.test": "exact"} {
				c := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: name})
				require.Equal(t, want, c.tls.ConnectionState().PeerCertificates[0].Subject.CommonName)
				c.Close()
			}
			_, err := tls.Dial("tcp", g.addr, &tls.Config{InsecureSkipVerify: true, ServerName: "other.test"})
			if strict {
				require.ErrorContains(t, err, "unrecognized name")
			} else {
				require.NoError(t, err)
			}
		}
	})
}

func TestClientCertificates(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, strings.Join(r.Header.Values("X-Forwarded-Client-Cert"), "|"))
		})
		a, foreign := newIssuer(t), newIssuer(t)
		identity := func(a *issuer) []tls.Certificate {
			cert, key := a.issue("someone", false, "someone.test")
			pair, err := tls.LoadX509KeyPair(cert, key)
			require.NoError(t, err)
			return []tls.Certificate{pair}
		}
		with := func(certs []tls.Certificate) *tls.Config {
			c := anyCert()
			// Go's client leaves certificates of other authorities away unless told otherwise.
			c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if certs == nil {
					return &tls.Certificate{}, nil
				}
				return &certs[0], nil
			}
			return c
		}
		site := a.certificates("site.test")
		for _, mode := range []string{"request", "require"} {
			g := gate(t, engine, setup{endpoints: []string{origin}, listener: "tls: {" + site + ", client_auth: {mode: " + mode + ", ca: " + a.file + ", forward: true}}"})
			good := identity(a)
			c := g.secure(with(good))
			want := `Subject="CN=someone,O=a \\\"quoted\\\" name";DNS="someone.test"`
			text := c.ask(get("/who", "X-Forwarded-Client-Cert: forged")).Text
			require.True(t, strings.HasPrefix(text, "Hash="), text)
			require.Len(t, text[:strings.IndexByte(text, ';')], len("Hash=")+hex.EncodedLen(32))
			require.True(t, strings.HasSuffix(text, want), text)
			c.Close()
			fails := func(cfg *tls.Config, alert string) {
				conn, err := tls.Dial("tcp", g.addr, cfg)
				if err == nil { // with TLS 1.3 the client learns it from its first read
					_, err = conn.Read(make([]byte, 1))
				}
				require.ErrorContains(t, err, alert)
			}
			fails(with(identity(foreign)), "unknown certificate authority")
			if mode == "require" {
				fails(with(nil), "certificate required")
				require.EqualValues(t, 1, g.metric(`blitz_downstream_tls_failures_total{code="certificate_required"}`))
			} else {
				c := g.secure(with(nil))
				require.Empty(t, c.ask(get("/who", "X-Forwarded-Client-Cert: forged")).Text)
				c.Close()
			}
		}
	})
}

// A bad record ends the connection with the alert that says why, at whatever byte it is damaged; a truncated one is an error that nothing
// is answered to.
func TestDamagedRecords(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		g := gate(t, engine, setup{listener: "tls: {" + a.certificates("site.test") + "}"})
		var size int
		for at := 0; size == 0 || at < size; at++ {
			raw := g.dial()
			tap := &tapped{Conn: raw.TCPConn}
			conn := tls.Client(tap, anyCert())
			require.NoError(t, conn.Handshake())
			tap.hold = true
			_, err := conn.Write([]byte(get("/hello")))
			require.NoError(t, err)
			size = tap.held.Len()
			rec := tap.held.Bytes()
			rec[at] ^= 0x20
			if at == 1 || at == 2 {
				rec[at] ^= 0x20 // the version is ignored there, though the tag covers it
				rec[at] ^= 1
			}
			_, err = tap.Conn.Write(rec)
			require.NoError(t, err)
			if at == 4 || at == 3 { // a longer record than there is: the end comes first
				require.NoError(t, raw.CloseWrite())
			}
			_, err = io.ReadAll(conn)
			switch at {
			case 0:
				require.ErrorContains(t, err, "unexpected message", "byte %d", at)
			case 3:
				if rec[3] > 0x41 {
					require.ErrorContains(t, err, "overflow")
				}
			case 4:
			default:
				require.ErrorContains(t, err, "bad record MAC", "byte %d", at)
			}
			raw.Close()
		}
		for cut := 0; cut < size; cut += 3 {
			raw := g.dial()
			tap := &tapped{Conn: raw.TCPConn}
			conn := tls.Client(tap, anyCert())
			require.NoError(t, conn.Handshake())
			tap.hold = true
			_, err := conn.Write([]byte(get("/hello")))
			require.NoError(t, err)
			_, err = tap.Conn.Write(tap.held.Bytes()[:cut])
			require.NoError(t, err)
			require.NoError(t, raw.CloseWrite())
			b, _ := io.ReadAll(conn)
			require.Empty(t, b, "an answer to half of a record")
			raw.Close()
		}
		require.NotZero(t, g.metric(`blitz_downstream_tls_failures_total{code="bad_record_mac"}`))
	})
}

// tapped keeps what is written while hold is set.
type tapped struct {
	net.Conn
	hold bool
	held bytes.Buffer
}

func (c *tapped) Write(p []byte) (int, error) {
	if c.hold {
		return c.held.Write(p)
	}
	return c.Conn.Write(p)
}

// New certificates are for new connections; those that are there go on. Sessions can be resumed over a reload.
func TestCertificatesAreReloaded(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a := newIssuer(t)
		cert, key := a.issue("first", false, "site.test")
		for _, name := range []string{cert, key} { // what was written just now is read again in any case
			require.NoError(t, os.Chtimes(name, time.Now(), time.Now().Add(-time.Minute)))
		}
		file := a.dir + "/blitz.yaml"
		yaml := fmt.Sprintf("workers: {count: 1, engine: %s}\nlisteners: [{address: \"127.0.0.1:0\", tls: {certificates: [{cert: %s, key: %s}]}}]\nroutes: [{respond: {body: hi}}]\n", engine, cert, key)
		require.NoError(t, os.WriteFile(file, []byte(yaml), 0o600))
		c, err := config.Load(file)
		require.NoError(t, err)
		snap, err := snapshot.Build(c, 1)
		require.NoError(t, err)
		require.Equal(t, []string{cert, key}, snap.Files())
		s, err := Start(snap, "test")
		require.NoError(t, err)
		defer s.Stop()
		r := NewReloader(s, file)
		defer r.Close()
		g := &gateway{t: t, s: s, addr: s.Addrs()[0].TCP.String()}
		cache := tls.NewLRUClientSessionCache(4)
		cfg := &tls.Config{RootCAs: a.pool(), ServerName: "site.test", ClientSessionCache: cache}
		old := g.secure(cfg)
		require.Equal(t, "hi", old.ask(get("/")).Text)
		serial := func(cs tls.ConnectionState) string { return cs.PeerCertificates[0].Subject.CommonName }
		require.Equal(t, "first", serial(old.tls.ConnectionState()))

		require.NoError(t, r.Reload(t.Context()))
		require.Same(t, snap.Listeners[0].TLS, s.snap.Load().Listeners[0].TLS, "nothing has changed")

		second, secondKey := a.issue("second", false, "site.test")
		for from, to := range map[string]string{second: cert, secondKey: key} {
			b, err := os.ReadFile(from)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(to, b, 0o600))
			require.NoError(t, os.Chtimes(to, time.Now(), time.Now().Add(time.Minute)))
		}
		require.NoError(t, r.Reload(t.Context()))
		fresh := g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "site.test"})
		require.Equal(t, "second", serial(fresh.tls.ConnectionState()))
		require.Equal(t, "hi", old.ask(get("/")).Text, "the old connection lives on")
		resumed := g.secure(cfg)
		require.True(t, resumed.tls.ConnectionState().DidResume)

		require.NoError(t, os.WriteFile(cert, []byte("damaged"), 0o600))
		require.ErrorContains(t, r.Reload(t.Context()), "certificate "+cert)
		require.Equal(t, "hi", g.secure(&tls.Config{RootCAs: a.pool(), ServerName: "site.test"}).ask(get("/")).Text, "the old configuration stays")
	})
}
