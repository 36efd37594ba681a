package health

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/cluster"
)

// question is the one stream of a gRPC health check: h2.Handler.
type question struct {
	conn   *h2.Conn
	status int    // of HTTP
	grpc   []byte // grpc-status, nil until it came
	answer []byte
	done   bool
	code   h2.ErrCode
}

// checkGRPC calls grpc.health.v1.Health/Check (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
func checkGRPC(conn net.Conn, h *cluster.HealthCheck, authority string) error {
	scheme := "http"
	if h.TLS != nil {
		scheme = "https"
	}
	q := &question{conn: new(h2.Conn)}
	q.conn.Init(&h2.Config{Client: true, Limits: h2.DefaultLimits}, q, new(h2.Scratch))
	q.conn.SetOut(make([]byte, 0, 4<<10))
	q.conn.Start()
	s := q.conn.BeginRequest(&h2.RequestHead{
		Method: wire.MethodPost, MethodName: []byte("POST"), Scheme: []byte(scheme), Authority: []byte(authority), Path: []byte("/grpc.health.v1.Health/Check"),
	})
	if s == nil {
		return errors.New("the connection takes no request")
	}
	q.conn.AddField(wire.FieldTE, []byte("te"), []byte("trailers"))
	q.conn.AddField(wire.FieldContentType, []byte("content-type"), []byte("application/grpc"))
	q.conn.AddField(wire.FieldUserAgent, []byte("user-agent"), []byte("blitz-health-check"))
	q.conn.EndHead(s, false)
	message := request(h.Service)
	if q.conn.WriteData(s, message, true) < len(message) {
		return errors.New("the service name does not fit the window")
	}
	buf := make([]byte, 0, 32<<10)
	for !q.done {
		if out := q.conn.Out(); len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return err
			}
			q.conn.SetOut(out[:0])
		}
		n, err := conn.Read(buf[len(buf):cap(buf)])
		if n == 0 && err != nil {
			return fmt.Errorf("no answer: %w", err)
		}
		buf = buf[:len(buf)+n]
		used, bad := q.conn.Feed(buf)
		if bad != nil {
			return bad
		}
		buf = buf[:copy(buf, buf[used:])]
		if len(buf) == cap(buf) {
			return errors.New("a frame is too large")
		}
	}
	return q.verdict()
}

// request is a length-prefixed HealthCheckRequest: field 1, the service, a string.
func request(service string) []byte {
	b := make([]byte, 5, 5+3+len(service))
	if service != "" {
		b = append(b, 1<<3|2)
		b = binary.AppendUvarint(b, uint64(len(service)))
		b = append(b, service...)
	}
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-5))
	return b
}

func (q *question) verdict() error {
	switch {
	case q.status == 0:
		return fmt.Errorf("the stream was reset: %v", q.code)
	case q.status != 200:
		return fmt.Errorf("status %d", q.status)
	case q.grpc != nil && !bytes.Equal(q.grpc, []byte("0")):
		return fmt.Errorf("grpc-status %q", q.grpc)
	}
	status, err := servingStatus(q.answer)
	if err != nil {
		return err
	}
	if status != 1 {
		return fmt.Errorf("serving status %d", status)
	}
	return nil
}

// servingStatus reads field 1, an enumeration, of a length-prefixed HealthCheckResponse. 0 is unknown, 1 serving, 2 not serving.
func servingStatus(b []byte) (uint64, error) {
	bad := errors.New("the answer is not a HealthCheckResponse")
	if len(b) < 5 || b[0] != 0 || uint64(binary.BigEndian.Uint32(b[1:])) != uint64(len(b)-5) {
		return 0, bad
	}
	status := uint64(0)
	for b = b[5:]; len(b) > 0; {
		tag, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, bad
		}
		b = b[n:]
		v, n := binary.Uvarint(b)
		if n <= 0 {
			return 0, bad
		}
		b = b[n:]
		switch tag & 7 {
		case 0:
			if tag>>3 == 1 {
				status = v
			}
		case 2:
			if v > uint64(len(b)) {
				return 0, bad
			}
			b = b[v:]
		default:
			return 0, bad
		}
	}
	return status, nil
}

// Request implements h2.Handler; a client gets none.
func (q *question) Request(*h2.Stream, *wire.Request, bool) {}

// Response implements h2.Handler.
func (q *question) Response(_ *h2.Stream, r *wire.Response, end bool) {
	if r.Status >= 200 {
		q.status = r.Status
		q.trailers(r.Fields)
		q.done = q.done || end
	}
}

// Data implements h2.Handler.
func (q *question) Data(s *h2.Stream, p []byte, end bool) {
	if len(q.answer)+len(p) <= 1<<10 {
		q.answer = append(q.answer, p...)
	}
	q.conn.Consume(s, len(p))
	q.done = q.done || end
}

// Trailers implements h2.Handler.
func (q *question) Trailers(_ *h2.Stream, fields []wire.Field) {
	q.trailers(fields)
	q.done = true
}

func (q *question) trailers(fields []wire.Field) {
	for i := range fields {
		if string(fields[i].Name) == "grpc-status" {
			q.grpc = append([]byte{}, fields[i].Value...)
		}
	}
}

// Closed implements h2.Handler.
func (q *question) Closed(_ *h2.Stream, code h2.ErrCode, _ h2.Cause) { q.done, q.code = true, code }

// GoAway implements h2.Handler.
func (q *question) GoAway(uint32, h2.ErrCode) {}

// Pong implements h2.Handler.
func (q *question) Pong(uint64) {}
