// Package health asks one endpoint once how it is: over HTTP/1.1, gRPC (grpc.health.v1), or by connecting, each in plain or over TLS. It runs on goroutines
// of the control plane, over blocking sockets with the codecs of internal/wire, so that the gateway's start need not pay for net/http.
// It imports cluster, for the settings, endpoint and the codecs.
package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

const (
	// maxHead and maxBody bound what an endpoint can make us hold, in bytes.
	maxHead = 16 << 10
	maxBody = 64 << 10
)

// Check asks e and returns why it is not healthy, nil when it is. It takes at most h.Timeout.
func Check(ctx context.Context, h *cluster.HealthCheck, e *endpoint.Endpoint) error {
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	network, address, host := target(h, e)
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if h.TLS != nil {
		c := h.TLS.Clone()
		if c.ServerName == "" {
			c.ServerName = host
		}
		if h.Protocol == cluster.CheckGRPC {
			c.NextProtos = []string{"h2"}
		}
		secure := tls.Client(conn, c)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		conn = secure
	}
	authority := h.Host
	if authority == "" {
		authority = address
		if network == "unix" {
			authority = "localhost"
		}
	}
	switch h.Protocol {
	case cluster.CheckTCP:
		return nil
	case cluster.CheckGRPC:
		return checkGRPC(conn, h, authority)
	case cluster.CheckHTTP:
	}
	return checkHTTP(conn, h, authority)
}

// target is where to connect, and the name that a certificate must have.
func target(h *cluster.HealthCheck, e *endpoint.Endpoint) (network, address, host string) {
	if e.Addr.Unix != "" {
		return "unix", e.Addr.Unix, "localhost"
	}
	a := e.Addr.TCP
	port := a.Port()
	if h.Port != 0 {
		port = h.Port
	}
	host, _, err := net.SplitHostPort(e.Name)
	if err != nil {
		host = a.Addr().String()
	}
	return "tcp", net.JoinHostPort(a.Addr().String(), strconv.Itoa(int(port))), host
}

// checkHTTP sends GET and judges status and body.
func checkHTTP(conn net.Conn, h *cluster.HealthCheck, authority string) error {
	b := append([]byte("GET "), h.Path...)
	b = append(b, " HTTP/1.1\r\nhost: "...)
	b = append(b, authority...)
	b = append(b, "\r\nuser-agent: blitz-health-check\r\nconnection: close\r\n\r\n"...)
	if _, err := conn.Write(b); err != nil {
		return err
	}
	limits := wire.Limits{HeadBytes: maxHead}.WithDefaults()
	var resp wire.Response
	buf := make([]byte, 0, maxHead)
	head := 0
	for {
		n, bad := h1.ParseResponse(buf[head:], &resp, wire.MethodGet, &limits)
		if bad != nil {
			return fmt.Errorf("not a valid response: %s", bad.Detail)
		}
		if n > 0 {
			head += n
			if resp.Status >= 200 {
				break
			}
			continue
		}
		if len(buf) == cap(buf) {
			return errors.New("the head of the response is too large")
		}
		m, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+m]
		if err != nil && m == 0 {
			return fmt.Errorf("no response: %w", err)
		}
	}
	if !expected(h.Statuses, resp.Status) {
		return fmt.Errorf("status %d", resp.Status)
	}
	if h.Body == "" {
		return nil
	}
	return checkBody(conn, &resp, buf[head:], &limits, h.Body)
}

func expected(statuses [][2]int, status int) bool {
	for _, s := range statuses {
		if status >= s[0] && status <= s[1] {
			return true
		}
	}
	return false
}

// checkBody looks for want in the beginning of the body; in is what was received of it.
func checkBody(conn net.Conn, resp *wire.Response, in []byte, limits *wire.Limits, want string) error {
	var body h1.Body
	body.InitResponse(resp.Body, resp.Length, limits)
	var got []byte
	piece := make([]byte, 16<<10)
	in = append([]byte(nil), in...)
	for {
		for {
			data, n, bad := body.Next(in)
			if bad != nil {
				return fmt.Errorf("not a valid body: %s", bad.Detail)
			}
			got = append(got, data...)
			in = in[n:]
			if n == 0 && len(data) == 0 || body.Done() {
				break
			}
		}
		if bytes.Contains(got, []byte(want)) {
			return nil
		}
		if body.Done() || len(got) >= maxBody || len(in) >= maxHead {
			return fmt.Errorf("the body does not contain %q", want)
		}
		n, err := conn.Read(piece)
		in = append(in, piece[:n]...)
		if err != nil && n == 0 {
			return fmt.Errorf("the body does not contain %q", want)
		}
	}
}
