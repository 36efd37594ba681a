package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// spoiled is the transport of a TLS server, which receives a record that nobody sent when it is bad: it ends the connection with a fatal alert.
type spoiled struct {
	net.Conn
	in io.Reader
}

func (s *spoiled) Read(p []byte) (int, error) {
	if s.in != nil {
		return s.in.Read(p)
	}
	return s.Conn.Read(p)
}

// alerting starts an endpoint over TLS that reads each request whole, counts it, and answers with a fatal alert, behind an interim response if
// there is one.
func alerting(t *testing.T, cfg *tls.Config, interim string, seen *atomic.Int64) string {
	t.Helper()
	return serveEach(t, func(raw net.Conn) {
		sock := &spoiled{Conn: raw}
		c := tls.Server(sock, cfg)
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				seen.Add(1)
			}
			_, _ = io.WriteString(c, interim)
			sock.in = bytes.NewReader(append([]byte{23, 3, 3, 0, 32}, make([]byte, 32)...))
			_, _ = c.Read(make([]byte, 1))
		}
	})
}

// An endpoint that has read a request may have acted on it, also when it ends a fresh connection with an alert: a POST is not sent again.
func TestPostIsNotSentAgainAfterAnAlert(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
		for _, protocol := range []string{"h1", "auto"} {
			for _, interim := range []string{"", "HTTP/1.1 103 Early Hints\r\n\r\n"} {
				var seen atomic.Int64
				a, b := alerting(t, cfg, interim, &seen), alerting(t, cfg, interim, &seen)
				g := gate(t, engine, setup{endpoints: []string{a, b}, cluster: "protocol: " + protocol + ", retries: 3, retry: {backoff: 0s, budget: {min: 1000}}, tls: {ca: " + ca.file + "}"})
				c := g.dial()
				c.send(request("POST", "/pay", "money"))
				r := c.response("POST")
				for r.StatusCode == http.StatusEarlyHints {
					r = c.response("POST")
				}
				require.Equal(t, 502, r.StatusCode)
				require.EqualValues(t, 1, seen.Load(), "deliveries")
				if interim == "" {
					require.Equal(t, 502, c.ask(get("/")).StatusCode)
					require.EqualValues(t, 5, seen.Load(), "a GET is repeated as often as retries allows")
				}
				c.Close()
				e := g.log()[0]
				require.Equal(t, 1, e.Attempts)
				require.Equal(t, "upstream_reset", e.Code)
				require.Contains(t, e.Detail, "bad_record_mac")
			}
		}
	})
}

// Who refuses our certificate has read nothing: in TLS 1.3 that alert may come when the request is on its way.
func TestPostGoesElsewhereWhenOurCertificateIsRefused(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		_, certFile, keyFile := ca.issue("gateway.test")
		own := fmt.Sprintf(", cert: %s, key: %s", certFile, keyFile)
		for _, x := range []struct {
			alert, keys string
			strict      *tls.Config
		}{
			{"certificate_required", "", &tls.Config{ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert}},
			{"certificate_expired", own, &tls.Config{ClientCAs: ca.pool(), ClientAuth: tls.RequireAndVerifyClientCert, Time: func() time.Time {
				return time.Now().Add(24 * time.Hour)
			}}},
			{"bad_certificate", own, &tls.Config{ClientAuth: tls.RequireAnyClientCert, VerifyPeerCertificate: func([][]byte, [][]*x509.Certificate) error {
				return errors.New("not this one")
			}}},
		} {
			for _, protocol := range []string{"h1", "h2", "auto"} {
				x.strict.Certificates = []tls.Certificate{cert}
				strict, open := newStrict(t, x.strict), newStrict(t, &tls.Config{Certificates: []tls.Certificate{cert}})
				cluster := fmt.Sprintf("protocol: %s, retries: 1, retry: {backoff: 0s, budget: {min: 1000}}, tls: {ca: %s%s}", protocol, ca.file, x.keys)
				g := gate(t, engine, setup{endpoints: []string{strict, open}, cluster: cluster})
				c := g.dial()
				for range 4 {
					require.Equal(t, 200, c.ask(request("POST", "/pay", "money")).StatusCode)
				}
				require.Positive(t, g.metric("blitz_upstream_retries_total"))
				c.Close()
				g = gate(t, engine, setup{endpoints: []string{strict}, cluster: cluster})
				c = g.dial()
				require.Equal(t, 502, c.ask(request("POST", "/pay", "money")).StatusCode)
				c.Close()
				require.Contains(t, g.log()[0].Detail, x.alert)
			}
		}
	})
}
