package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// trusting is the client side of TLS with the run's own certificate: there is nobody to be protected from on loopback.
func trusting(alpn ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: alpn, MinVersion: tls.VersionTLS12}
}

// dial opens a connection as the scenario says, for the harness's own requests in HTTP/1.1.
func (s Scenario) dial(ctx context.Context, d *net.Dialer, addr string) (net.Conn, error) {
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil || !s.tls {
		return c, err
	}
	t := tls.Client(c, trusting("http/1.1"))
	if err := t.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return t, nil
}

// verifyH2 asks in HTTP/2, twice on one connection, and compares bytes. For a unary call it also looks at the status.
func verifyH2(ctx context.Context, s Scenario, addr string, want []byte) error {
	tr := &http.Transport{Protocols: new(http.Protocols), TLSClientConfig: trusting(), DisableCompression: true, MaxConnsPerHost: 1}
	tr.Protocols.SetHTTP2(true)
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	for range 2 {
		b, err := askH2(ctx, &http.Client{Transport: tr, Timeout: 10 * time.Second}, s, s.scheme()+addr+s.path)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, want) {
			return fmt.Errorf("the body has %d bytes and is not the expected one of %d bytes", len(b), len(want))
		}
	}
	return nil
}

func askH2(ctx context.Context, c *http.Client, s Scenario, url string) ([]byte, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if s.grpc {
		method, body = http.MethodPost, bytes.NewReader(message(int(s.bodyBytes)))
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	if s.grpc {
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
	}
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	switch {
	case err != nil:
		return nil, err
	case res.ProtoMajor != 2:
		return nil, fmt.Errorf("answered in %s, not in HTTP/2", res.Proto)
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %s, want 200", res.Status)
	case s.grpc && res.Trailer.Get("Grpc-Status") != "0":
		return nil, fmt.Errorf("grpc-status is %q, want 0", res.Trailer.Get("Grpc-Status"))
	}
	return b, nil
}

// message is one of gRPC with n bytes.
func message(n int) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(n)), make([]byte, n)...)
}

// supported are the targets that can do what the scenario asks for, and why the others cannot.
func (l *Lab) supported(s Scenario) (can []Located, cannot []result.Unsupported) {
	switch {
	case s.kind == chaos:
		return balancers(l.Targets)
	case s.kind == reload:
		return reloaders(l.Targets)
	case s.equipped:
		return equipped(l.Targets), nil
	}
	for _, t := range l.Targets {
		if t.Sparing && !s.vanilla {
			continue
		}
		if lim, ok := t.Target.(target.Limited); ok {
			if why := lim.Unsupported(l.plan(s)); why != "" {
				cannot = append(cannot, result.Unsupported{Target: t.Name(), Reason: why})
				continue
			}
		}
		can = append(can, t)
	}
	return can, cannot
}

// plan is what the scenario asks of a configuration, without addresses.
func (l *Lab) plan(s Scenario) target.Plan {
	p := target.Plan{Proxied: s.proxied, H2: s.h2, OriginH2: s.originH2, GRPC: s.grpc, Closing: s.newConnection && !s.handshakes, CPUs: l.Machine.Roles.Server}
	if s.tls {
		p.TLS = l.pair
	}
	return p
}

// ask fetches what the origin answers, in the protocol in which targets will ask it.
func (l *Lab) ask(ctx context.Context, s Scenario, addr string) ([]byte, error) {
	if !s.originH2 {
		return fetch(ctx, addr, s.path)
	}
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	return askH2(ctx, &http.Client{Transport: tr, Timeout: 5 * time.Second}, s, "http://"+addr+s.path)
}

func (s Scenario) scheme() string {
	if s.tls {
		return "https://"
	}
	return "http://"
}

// handshakeLateness is what the load generator may be late with handshakes. One keeps its thread busy for 0.2 to 0.4 ms (results/, tls-handshake:
// load CPU of 97 % at 3,700 a second), so that what falls due behind three or four others is late by the usual bound of 1 ms without anything being
// wrong; the wait is in the response times, the same for every target.
const handshakeLateness = 4 * time.Millisecond

// usualLateness is what the load generator may be late where nothing else is on its CPUs.
const usualLateness = time.Millisecond

// lateness is how late the load generator may be at the 99th percentile.
func (s Scenario) lateness() time.Duration {
	switch {
	case s.handshakes:
		return handshakeLateness
	case s.kind == chaos, s.attacked: // what is done to the endpoints, and a thousand slow clients, are on the load generator's CPUs
		return chaosLateness
	}
	return usualLateness
}

// loadArgs are the load generator's options for what the scenario speaks.
func (s Scenario) loadArgs() (args []string) {
	switch {
	case s.handshakes:
		args = append(args, "--handshakes")
	case s.newConnection:
		args = append(args, "--connection-per-request")
	}
	if s.kind == chaos {
		args = append(args, "--timeout", chaosTimeout.String())
	}
	args = append(args, "--max-lateness", s.lateness().String())
	if s.resumed {
		args = append(args, "--resume")
	}
	if s.h2 {
		args = append(args, "--streams", strconv.Itoa(s.streams))
	}
	if s.grpc {
		args = append(args, "--grpc", "--body-size", strconv.FormatInt(s.bodyBytes, 10))
	}
	if s.tls {
		// One key agreement for all: not every target has the hybrid one.
		args = append(args, "--insecure", "--tls-min", "1.3", "--curves", "X25519")
	}
	return args
}
