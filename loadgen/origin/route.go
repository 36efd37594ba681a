package origin

import (
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
)

// action is what a path asks for.
type action uint8

const (
	respond action = iota // status and size of the plan
	echo                  // the body of the request
	headers               // the head of the request
	chunked               // size bytes in chunks
	stall                 // half of the answer
	never                 // nothing
)

// plan is everything about an answer that follows from the request's head.
type plan struct {
	action    action
	status    int
	size      int64
	delay     time.Duration
	standard  bool // the default answer to a request without a body, prepared
	keepAlive bool
	noBody    bool // HEAD
	expect100 bool
	body      wire.BodyKind
	length    int64
}

// maxDelay bounds /delay.
const maxDelay = time.Hour

// planFor reads a request. An argument that is not understood is answered with 400.
func (w *worker) planFor(r *wire.Request) plan {
	p := plan{
		status: 200, size: w.o.BodySize, delay: w.o.Delay, keepAlive: r.KeepAlive, noBody: r.Method == wire.MethodHead,
		expect100: r.Expect100, body: r.Body, length: r.Length,
	}
	verb, arg := "", ""
	if len(r.Path) > 1 {
		verb, arg, _ = strings.Cut(string(r.Path[1:]), "/")
	}
	bad := false
	switch verb {
	case "bytes":
		p.size, bad = number(arg, MaxBody)
	case "chunked":
		p.action = chunked
		p.size, bad = number(arg, MaxBody)
	case "status":
		var n int64
		n, bad = number(arg, 599)
		p.status, p.size, bad = int(n), 0, bad || n < 200
	case "delay":
		d, err := time.ParseDuration(arg)
		p.delay, bad = d, err != nil || d < 0 || d > maxDelay
	case "echo":
		p.action = echo
	case "headers":
		p.action = headers
	case "close":
		p.keepAlive = false
	case "stall":
		p.action = stall
	case "never":
		p.action = never
	}
	if bad {
		p.action, p.status, p.size, p.delay = respond, 400, 0, 0
	}
	if r.Minor == 0 {
		// An HTTP/1.0 client may need "Connection: keep-alive" and knows no chunks; to close is always right.
		p.keepAlive = false
		if p.action == chunked {
			p.action = respond
		}
	}
	p.standard = p.action == respond && p.status == 200 && p.size == w.o.BodySize && p.delay == 0 && p.keepAlive && !p.noBody &&
		p.body == wire.BodyNone && p.size <= inlineBody
	return p
}

func number(s string, limit int64) (n int64, bad bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err != nil || n < 0 || n > limit
}

// parse reads the request head at the beginning of b, or recognizes it. n is its size, 0 when more bytes are needed.
func (w *worker) parse(b []byte) (p plan, n int, err *wire.Error) {
	if n = len(w.last); n > 0 && len(b) >= n && string(b[:n]) == string(w.last) {
		return w.lastPlan, n, nil
	}
	n, err = h1.ParseRequest(b, &w.req, nil)
	if n == 0 || err != nil {
		return p, 0, err
	}
	p = w.planFor(&w.req)
	w.last, w.lastPlan = append(w.last[:0], b[:n]...), p
	return p, n, nil
}
