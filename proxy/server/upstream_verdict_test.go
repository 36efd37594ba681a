package server

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/chacha20poly1305"
)

// trafficSecret is a key log that keeps the first traffic secret of the server (RFC 8446 section 7.1).
type trafficSecret []byte

func (s *trafficSecret) Write(line []byte) (int, error) {
	if f := bytes.Fields(line); string(f[0]) == "SERVER_TRAFFIC_SECRET_0" {
		*s, _ = hex.DecodeString(string(f[2]))
	}
	return len(line), nil
}

// fatal makes the record of a fatal alert, which is the server's record number seq under that secret (RFC 8446 sections 5.2 and 5.3): crypto/tls
// sends no alert on request.
func (s trafficSecret) fatal(suite uint16, seq uint64, alert byte) []byte {
	hash, size, seal := sha256.New, 16, func(key []byte) (cipher.AEAD, error) {
		b, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		return cipher.NewGCM(b)
	}
	switch suite {
	case tls.TLS_AES_256_GCM_SHA384:
		hash, size = sha512.New384, 32
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		size, seal = chacha20poly1305.KeySize, chacha20poly1305.New
	}
	expand := func(label string, n int) []byte {
		label = "tls13 " + label
		b, err := hkdf.Expand(hash, s, string([]byte{0, byte(n), byte(len(label))})+label+"\x00", n)
		if err != nil {
			panic(err)
		}
		return b
	}
	aead, err := seal(expand("key", size))
	if err != nil {
		panic(err)
	}
	nonce := expand("iv", 12)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^seq)
	inner := []byte{2, alert, 21} // fatal, the alert, the record's true type
	header := []byte{23, 3, 3, 0, byte(len(inner) + aead.Overhead())}
	return aead.Seal(header, nonce, inner, header)
}

// judging starts an endpoint that reads each request whole, counts it, and then ends the connection with alert.
func judging(t *testing.T, cfg *tls.Config, alert byte, seen *atomic.Int64) string {
	t.Helper()
	return serveEach(t, func(raw net.Conn) {
		var secret trafficSecret
		own := cfg.Clone()
		own.KeyLogWriter = &secret
		c := tls.Server(raw, own)
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			_, _ = io.Copy(io.Discard, r.Body)
			seen.Add(1)
			tickets := uint64(1)
			if cfg.SessionTicketsDisabled {
				tickets = 0
			}
			_, _ = raw.Write(secret.fatal(c.ConnectionState().CipherSuite, tickets, alert))
		}
	})
}

// An alert that names our certificate does not make a POST repeatable where the endpoint may have come to read it: it did not ask for a certificate, it
// has accepted ours and given a ticket, or the alert is one that applications give.
func TestPostIsSentOnceWhateverTheAlert(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		ca := newAuthority(t, "ca")
		cert, _, _ := ca.issue("127.0.0.1")
		_, certFile, keyFile := ca.issue("gateway.test")
		for _, x := range []struct {
			name           string
			alert          byte
			asked, tickets bool
			deliveries     int64
		}{
			{"access_denied", 49, true, false, 1},
			{"access_denied", 49, false, false, 1},
			{"bad_certificate", 42, false, false, 1},
			{"bad_certificate", 42, true, true, 1},
			{"certificate_expired", 45, true, true, 1},
			{"certificate_required", 116, true, true, 1},
			{"certificate_required", 116, false, true, 1},
			{"internal_error", 80, true, false, 1},
			// This endpoint acts against the RFC, which lets it read nothing before it has verified us: the alert says that it did not.
			{"unknown_ca", 48, true, false, 2},
		} {
			for _, protocol := range []string{"h1", "auto"} {
				what := fmt.Sprintf("%s: %+v", protocol, x)
				cfg := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS13, SessionTicketsDisabled: !x.tickets}
				if x.asked {
					cfg.ClientAuth = tls.RequireAnyClientCert
				}
				var seen atomic.Int64
				a, b := judging(t, cfg, x.alert, &seen), judging(t, cfg, x.alert, &seen)
				g := gate(t, engine, setup{endpoints: []string{a, b}, cluster: fmt.Sprintf(
					"protocol: %s, retries: 1, retry: {backoff: 0s, budget: {min: 1000}}, tls: {ca: %s, cert: %s, key: %s}", protocol, ca.file, certFile, keyFile)})
				c := g.dial()
				require.Equal(t, 502, c.ask(request("POST", "/pay", "money")).StatusCode, what)
				c.Close()
				require.Equal(t, x.deliveries, seen.Load(), what)
				e := g.log()[0]
				require.Contains(t, e.Detail, x.name, what)
				if x.deliveries == 1 {
					require.Equal(t, "upstream_reset", e.Code, what)
				}
			}
		}
	})
}
