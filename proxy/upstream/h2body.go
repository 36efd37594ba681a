package upstream

import "github.com/blitz-gateway/blitz/internal/wire/h2"

// How request bodies are written: the codec says whose turn it is, within the windows of stream and connection.

// more has what came together of q's body written in its turn, or ends the message when there is no more of it.
func (c *h2Conn) more(q *Request) {
	switch {
	case q.bodyLeft() > 0:
		c.codec.Schedule(q.s)
		if !q.answered {
			if q.timer.Kind != waitBody || !q.timer.Armed() {
				q.arm(waitBody, q.idle) // for the endpoint to take it
			}
		}
	case q.finished && !q.s.LocalDone():
		c.tail(q)
	}
	c.touch()
}

// pump writes bodies, each in its turn, as far as windows and the output allow.
func (c *h2Conn) pump() {
	if c.pumping {
		return
	}
	c.pumping = true
	for len(c.codec.Out()) <= outHigh {
		s := c.codec.Next()
		if s == nil {
			break
		}
		if q, ok := s.User.(*Request); ok {
			c.write(q)
		}
	}
	c.pumping = false
}

// write gives q its turn.
func (c *h2Conn) write(q *Request) {
	body := q.bodyLeft()
	if body == 0 {
		return
	}
	b := q.q.Next()
	n := min(len(b), body, turnBytes)
	c.room(n + 2*h2.HeaderBytes)
	end := q.finished && n == body && q.trailers == 0 && !q.waitsForTunnel()
	n = c.codec.WriteData(q.s, b[:n], end)
	q.q.Sent(n)
	if q.s == nil {
		return
	}
	switch {
	case q.bodyLeft() > 0:
		c.codec.Schedule(q.s)
	case q.s.LocalDone():
		q.sent()
	case q.finished:
		c.tail(q)
	case !q.answered:
		q.client.env.Loop.Disarm(&q.timer) // it is the client's turn, which the downstream side watches
	}
	if q.s != nil && q.paused && q.q.Drained() {
		q.paused = false
		q.x.Down.Resume()
	}
}

// bodyLeft is how much of the body is still to be sent: what is in the queue but for the trailers behind it.
func (q *Request) bodyLeft() int { return max(q.q.Len()-q.trailers, 0) }

// waitsForTunnel: the end of the request's head is not the end of what the client will send, if the endpoint agrees to a tunnel.
func (q *Request) waitsForTunnel() bool { return q.tunnel && !q.x.Tunnel }

// tail ends the message, whose body is out, with trailers if there are any.
func (c *h2Conn) tail(q *Request) {
	if q.waitsForTunnel() {
		q.sent()
		return
	}
	if n := q.q.Len(); n == 0 {
		c.room(2 * h2.HeaderBytes)
		c.codec.WriteData(q.s, nil, true)
	} else {
		e := c.env()
		c.room(2*n + 64)
		e.fields = appendKeptFields(e.fields[:0], q.q.Next()[:n])
		c.codec.WriteTrailers(q.s, e.fields)
		q.q.Sent(n)
	}
	if q.s != nil {
		q.sent()
	}
}
