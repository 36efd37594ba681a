package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// One timer per connection: streams have those of their requests.

func (c *h2Conn) arm(kind uint8, d time.Duration) {
	c.timer.Kind = kind
	c.env().Loop.Arm(&c.timer, d)
}

// armGrace gives the last bytes, ours or theirs, a little time.
func (c *h2Conn) armGrace() { c.arm(timeGrace, sendErrorGrace) }

// watch bounds the time that q waits. A connection that is not ready may take as long as the most patient of its requests allows; those that are less
// patient have timers of their own.
func (c *h2Conn) watch(q *Request) {
	now := c.env().Loop.Now()
	if until := c.born + int64(q.connectTime); !c.ready && until > c.until {
		c.until = until
		c.arm(timeConnect, time.Duration(max(until-now, 1)))
	}
	if c.ready || now+int64(q.connectTime) < c.until {
		q.arm(waitConnect, q.connectTime)
	}
}

func (c *h2Conn) startTick() {
	if c.timer.Kind != timeGrace && (c.timer.Kind != timeTick || !c.timer.Armed()) {
		c.arm(timeTick, tick)
	}
}

// setIdle notes that the connection carries nothing.
func (c *h2Conn) setIdle() {
	if c.idle || !c.ready || c.closing || c.lastWords {
		return
	}
	c.idle = true
	c.idleSince = c.env().Loop.Now()
	c.pool.nIdle++
	c.env().Count.UpstreamIdle++
	// The tick that is armed finds out whether that lasts.
}

func (c *h2Conn) clearIdle() {
	if c.idle {
		c.idle = false
		c.pool.nIdle--
		c.env().Count.UpstreamIdle--
	}
}

// OnTimer implements loop.TimerHandler.
func (c *h2Conn) OnTimer(t *loop.Timer) {
	e := c.env()
	switch t.Kind {
	case timeConnect:
		e.Count.UpstreamConnectTimeouts++
		c.die(exchange.ErrConnectTimeout)
	case timeGrace:
		if c.broken {
			c.die(exchange.ErrSend)
		} else {
			c.shut()
		}
	default:
		c.tick()
	}
	e.flushTouched()
}

// tick lets time pass for the codec, for keep-alive, and for the age of the connection.
func (c *h2Conn) tick() {
	e, o := c.env(), &c.pool.client.c.HTTP2
	now := e.Loop.Now()
	if err := c.codec.Tick(); err != nil {
		c.faulted(err)
		c.touch()
		return
	}
	if o.MaxAge > 0 && now-c.born >= int64(o.MaxAge) {
		c.retire()
	}
	if c.idle {
		left := c.pool.client.c.KeepAlive - time.Duration(now-c.idleSince)
		if left <= 0 || c.leaving {
			c.takeLeave()
			return
		}
		c.arm(timeIdle, min(left, idleTick))
		return
	}
	if o.PingInterval > 0 {
		switch {
		case c.pinged != 0 && now-c.pinged >= int64(o.PingTimeout):
			e.Count.UpstreamPingTimeouts++
			c.die(exchange.ErrReset)
			return
		case c.pinged == 0 && now-c.lastRecv >= int64(o.PingInterval):
			c.pinged = now
			c.room(32)
			c.codec.Ping(pingData)
		}
	}
	c.touch()
	c.arm(timeTick, tick)
}

// takeLeave closes a connection that carries nothing, after a GOAWAY that tells the endpoint that this is no failure (RFC 9113 section 6.8).
func (c *h2Conn) takeLeave() {
	c.retire()
	c.clearIdle()
	c.room(64)
	c.codec.Drain()
	c.lastWords = true
	c.armGrace()
	c.touch()
}

// pingData is what our PINGs carry; any answer will do, so they are all alike.
const pingData = 0x626c69747a
