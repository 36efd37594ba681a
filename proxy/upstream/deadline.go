package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// A gRPC client says how long its call may take. The gateway passes that on, and holds to it too: an endpoint that does not would
// keep the stream for longer than anybody waits.

// armDeadline starts the time limit of a gRPC call, if it has one.
func (q *Request) armDeadline(r *wire.Request) {
	for i := range r.Fields {
		f := &r.Fields[i]
		if f.ID != wire.FieldOther || len(f.Name) != len(grpcTimeout) || !wire.EqualFold(f.Name, grpcTimeout) {
			continue
		}
		if d, ok := parseGRPCTimeout(f.Value); ok {
			q.deadlineAt = q.client.env.Loop.Now() + int64(d)
			q.startDeadline(d)
		}
		return
	}
}

func (q *Request) startDeadline(d time.Duration) {
	q.deadline.Kind = waitDeadline
	q.client.env.Loop.Arm(&q.deadline, d)
}

// inheritDeadline gives q the time limit of from, whose call it makes too: whichever survives has to end with it.
func (q *Request) inheritDeadline(from *Request) {
	if q.deadlineAt = from.deadlineAt; q.deadlineAt != 0 {
		q.startDeadline(time.Duration(max(q.deadlineAt-q.client.env.Loop.Now(), 1)))
	}
}

var grpcTimeout = []byte("grpc-timeout")

// parseGRPCTimeout reads a grpc-timeout: at most eight digits and a unit
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). What is malformed is the endpoint's to judge.
func parseGRPCTimeout(v []byte) (time.Duration, bool) {
	if len(v) < 2 || len(v) > 9 {
		return 0, false
	}
	var unit time.Duration
	switch v[len(v)-1] {
	case 'H':
		unit = time.Hour
	case 'M':
		unit = time.Minute
	case 'S':
		unit = time.Second
	case 'm':
		unit = time.Millisecond
	case 'u':
		unit = time.Microsecond
	case 'n':
		unit = time.Nanosecond
	default:
		return 0, false
	}
	n := time.Duration(0)
	for _, c := range v[:len(v)-1] {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + time.Duration(c-'0')
	}
	if n > maxDeadline/unit {
		return maxDeadline, true
	}
	return max(n*unit, time.Millisecond), true
}

// maxDeadline is longer than anybody waits, and short enough to be computed with.
const maxDeadline = 365 * 24 * time.Hour

// overdue ends a call whose time is over.
func (q *Request) overdue() {
	q.judge(exchange.ErrDeadline)
	if t := q.twin; t != nil { // neither attempt may go on
		q.part()
		t.drop()
	}
	q.fail(exchange.ErrDeadline)
}
