package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// begin opens the stream of q, whose kept head stands at the front of its queue.
func (c *h2Conn) begin(q *Request) {
	e := c.env()
	k := parseKept(q.q.Next()[:q.headLen])
	q.hc = c
	r := &e.h2head
	*r = h2.RequestHead{Method: k.method, MethodName: k.methodName, Scheme: c.scheme(), Authority: k.authority, Path: k.path}
	if len(r.Authority) == 0 { // from HTTP/1.0; not every server takes a request without one
		r.Authority = c.pool.authority
	}
	q.tunnel = false
	switch {
	case k.flags&keptConnect != 0:
		q.tunnel = true
		r.Scheme, r.Path = nil, nil
	case len(k.protocol) > 0 && (k.method == wire.MethodConnect || wire.EqualFold(k.protocol, websocket)):
		if !c.codec.PeerConnect() {
			q.hc = nil
			q.fail(exchange.ErrNoExtendedConnect)
			return
		}
		q.tunnel = true
		r.Method, r.MethodName, r.Protocol = wire.MethodConnect, nameCONNECT, k.protocol
	}
	s := c.codec.BeginRequest(r)
	for b := k.fields; len(b) > 0; {
		var id wire.FieldID
		var name, value []byte
		id, name, value, b = nextRecord(b)
		if q.tunnel && id == wire.FieldSecWebSocketKey {
			continue // RFC 8441 section 5: the handshake's proof is HTTP/1.1's
		}
		c.codec.AddField(id, name, value)
	}
	if k.flags&keptTE != 0 {
		c.codec.AddField(wire.FieldTE, nameTE, valueTrailers)
	}
	if q.timer.Kind == waitConnect {
		e.Loop.Disarm(&q.timer)
	}
	s.User = q
	q.s = s
	q.interim, q.unread, q.held = 0, 0, false
	c.streams++
	c.opened++
	e.Count.UpstreamStreams++
	e.Count.UpstreamStreamsActive++
	if o := &c.pool.client.c.HTTP2; c.opened >= maxOpened || o.MaxRequests > 0 && c.opened >= o.MaxRequests {
		c.retire()
	}
	end := q.empty && !q.tunnel
	c.codec.EndHead(s, end)
	q.q.Sent(q.headLen)
	switch {
	case end:
		q.sent()
	case q.q.Len() > 0 || q.finished:
		c.more(q)
	}
	c.touch()
}

// scheme is that of the connection itself: what the client used stands in X-Forwarded-Proto, and a server may refuse a scheme that
// its own port does not speak.
func (c *h2Conn) scheme() []byte {
	if c.pool.tls != nil {
		return schemeHTTPS
	}
	return schemeHTTP
}

var (
	schemeHTTP  = []byte("http")
	schemeHTTPS = []byte("https")
	websocket   = []byte("websocket")
	nameCONNECT = []byte("CONNECT")
)

// Request implements h2.Handler; only servers are called.
func (c *h2Conn) Request(*h2.Stream, *wire.Request, bool) {}

// Response implements h2.Handler.
func (c *h2Conn) Response(s *h2.Stream, r *wire.Response, end bool) {
	q, ok := s.User.(*Request)
	if !ok {
		return
	}
	e := c.env()
	e.touched(q.x.Down)
	if r.Status < 200 {
		if q.interim++; q.interim > maxInterim {
			q.x.Detail = "too_many_interim_responses"
			c.reset(q, h2.EnhanceYourCalm)
			q.fail(exchange.ErrProtocol)
			return
		}
		q.x.Down.Informational(r)
		return
	}
	if q.tunnel && r.Status < 300 {
		q.x.Tunnel = true
	}
	if !q.accept(r, c.pool) {
		c.repeat(q)
		return
	}
	if q.x.Tunnel {
		c.openTunnel(q, r)
		if end && q.s == s {
			c.complete(q, nil)
		}
		return
	}
	if end {
		e.Loop.Disarm(&q.timer)
		q.x.Down.Head(r)
		if q.s == s {
			c.complete(q, nil)
		}
		return
	}
	q.arm(waitBody, q.idle)
	q.x.Down.Head(r)
}

// Data implements h2.Handler.
func (c *h2Conn) Data(s *h2.Stream, p []byte, end bool) {
	q, ok := s.User.(*Request)
	if !ok {
		return
	}
	e := c.env()
	e.touched(q.x.Down)
	if len(p) > 0 {
		more := q.x.Down.Body(p)
		if q.s != s {
			return
		}
		switch {
		case end:
		case q.held || !more:
			q.unread += len(p)
			if !q.held {
				q.held = true
				e.Loop.Disarm(&q.timer) // a slow client is watched by the downstream side, with its own time limit
			}
		default:
			c.codec.Consume(s, len(p))
			q.arm(waitBody, q.idle)
		}
	}
	if end {
		c.complete(q, nil)
	}
}

// Trailers implements h2.Handler.
func (c *h2Conn) Trailers(s *h2.Stream, fields []wire.Field) {
	if q, ok := s.User.(*Request); ok {
		c.env().touched(q.x.Down)
		c.complete(q, fields)
	}
}

// resume takes in what the client's side did not want before.
func (c *h2Conn) resume(q *Request) {
	if !q.held || q.s == nil {
		return
	}
	q.held = false
	n := q.unread
	q.unread = 0
	c.room(64)
	c.codec.Consume(q.s, n)
	q.arm(waitBody, q.idle)
	c.touch()
}

// complete ends the exchange: the response is whole.
func (c *h2Conn) complete(q *Request, trailers []wire.Field) {
	x := q.x
	q.judgeEnd(trailers)
	c.reset(q, h2.Cancel)
	x.Up = nil
	q.free()
	x.Down.Finish(trailers)
}

// reset takes q off its stream. A stream on which we have something left to say is ended with code: what is not sent is not wanted.
func (c *h2Conn) reset(q *Request, code h2.ErrCode) {
	s := q.s
	q.s, q.hc = nil, nil
	s.User = nil
	if !s.LocalDone() || !s.RemoteDone() {
		c.room(32)
		c.codec.Reset(s, code)
	}
	c.touch()
}

// abandon takes q off the connection because nobody wants the answer any more.
func (c *h2Conn) abandon(q *Request) {
	if q.s == nil {
		c.detach(q)
		c.touch()
		return
	}
	c.reset(q, h2.Cancel)
}

// Closed implements h2.Handler.
func (c *h2Conn) Closed(s *h2.Stream, code h2.ErrCode, cause h2.Cause) {
	e := c.env()
	c.streams--
	e.Count.UpstreamStreamsActive--
	c.touch()
	if cause == h2.ByPeer {
		e.Count.UpstreamResets++
	}
	q, ok := s.User.(*Request)
	if !ok {
		return
	}
	q.s, q.hc = nil, nil
	f := c.failure(q, code, cause)
	e.touched(q.x.Down)
	c.lost(q, f, f == exchange.ErrStreamRefused || f == exchange.ErrGoAway || q.stale && (f == exchange.ErrReset || f == exchange.ErrSend))
}

// failure says what became of q when its stream was closed before the response was whole.
func (c *h2Conn) failure(q *Request, code h2.ErrCode, cause h2.Cause) *exchange.Failure {
	switch cause {
	case h2.ByGoAway:
		return exchange.ErrGoAway
	case h2.ByFault:
		q.x.Detail = c.codec.Fault().Label
		return exchange.ErrProtocol
	case h2.ByConnection:
		if err := c.codec.Err(); err != nil && err != h2.ErrAborted {
			q.x.Detail = err.Label
			return exchange.ErrConnectionFault
		}
		if c.cause == nil || q.answered && c.cause.Retry != exchange.RetryNever {
			return exchange.ErrTruncated
		}
		return c.cause
	}
	switch {
	case q.answered:
		q.x.Detail = resetDetail(code)
		return exchange.ErrTruncated
	case code == h2.RefusedStream:
		c.env().Count.UpstreamRefused++
		return exchange.ErrStreamRefused
	}
	q.x.Detail = resetDetail(code)
	return exchange.ErrStreamReset
}

// lost takes q, whose attempt on c failed because of f, further: to another attempt, or to its end.
func (c *h2Conn) lost(q *Request, f *exchange.Failure, stale bool) {
	e := c.env()
	if !stale {
		q.judge(f)
	}
	if !q.mayRetry(f, stale) {
		q.fail(f)
		return
	}
	if stale && f != exchange.ErrStreamRefused && f != exchange.ErrGoAway {
		e.Count.UpstreamStale++
		q.fresh = true // it must not meet the next stale one
	}
	q.x.Detail = ""
	e.Loop.Disarm(&q.timer)
	q.leave()
	q.retry(c.pool.ep, stale)
}

// repeat gives the stream up and sends its request again.
func (c *h2Conn) repeat(q *Request) {
	c.reset(q, h2.Cancel)
	c.env().Loop.Disarm(&q.timer)
	q.leave()
	q.retry(c.pool.ep, false)
}

// GoAway implements h2.Handler: no more requests here. Those that the endpoint did not look at come back by Closed.
func (c *h2Conn) GoAway(uint32, h2.ErrCode) {
	c.env().Count.UpstreamGoAways++
	c.retire()
	c.ready = c.ready || c.codec.Ready()
	c.giveBack()
	c.touch()
}

// Pong implements h2.Handler: what arrived was answer enough.
func (c *h2Conn) Pong(uint64) {}

// resetDetail is the text for the code of an RST_STREAM, one of a fixed set.
func resetDetail(code h2.ErrCode) string {
	if int(code) < len(resetDetails) {
		return resetDetails[code]
	}
	return "the endpoint reset the stream with an unknown code"
}

var resetDetails = func() (t [h2.HTTP11Required + 1]string) {
	for code := range t {
		t[code] = "the endpoint reset the stream with " + h2.ErrCode(code).String()
	}
	return t
}()
