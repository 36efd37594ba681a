package downstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// An HTTP/2 connection has one timer. While something is going on it runs at the pace of sweeps, which look at everything that has a limit; an idle
// connection is only waited for until its time is over. So limits are kept to within a sweep, and a request costs no timer.

// tick is the interval of the codec's budgets.
const tick = time.Second

// sweepEvery is the interval of sweeps: a quarter of the shortest limit, a second at most.
func (l *Listener) sweepEvery() time.Duration {
	d := 4 * tick
	for _, limit := range [...]time.Duration{l.Header, l.Body} {
		if limit > 0 {
			d = min(d, limit)
		}
	}
	return max(d/4, 5*time.Millisecond)
}

// tickSoon makes the timer run at the pace of sweeps.
func (h *h2Conn) tickSoon() {
	if !h.ticking && !h.c.closing && !h.c.lingering {
		h.ticking = true
		h.c.arm(waitSweep, h.c.lst.sweepEvery())
	}
}

// catchUp refills the codec's budgets for the time in which the timer did not run.
func (h *h2Conn) catchUp() {
	now := h.c.env.Loop.Now()
	for i := 0; now-h.lastTick >= int64(tick); i++ {
		if i == 8 { // everything is full
			h.lastTick = now
			return
		}
		h.lastTick += int64(tick)
		if err := h.codec.Tick(); err != nil {
			h.failed(err)
			return
		}
	}
}

// onTimer is the sweep.
func (h *h2Conn) onTimer() {
	c := h.c
	e, l := c.env, c.lst
	now := e.Loop.Now()
	h.ticking = false
	if h.broken {
		// The client does not even take the GOAWAY.
		c.shut()
		return
	}
	if !h.reserve(feedRoom) {
		return
	}
	h.catchUp()
	h.touch()
	switch {
	case h.broken:
		return
	case c.sending && over(now-h.lastOut, l.Body):
		e.Count.Failures.Add("client_write_timeout")
		h.gone(exchange.DownstreamTermination)
		return
	case h.partial != 0 && over(now-h.partial, l.Header), !h.codec.Ready() && over(now-c.started, l.Header):
		e.Count.RequestTimeouts++
		e.Count.Failures.Add(exchange.ErrHeaderTimeout.Code)
		h.leave(exchange.DownstreamTimeout)
		return
	}
	for st := h.open; st != nil; {
		next := st.next
		st.check(now)
		if c.closing || h.broken {
			return
		}
		st = next
		if st != nil && st.over { // the end of one has ended others
			st = h.open
		}
	}
	if l.MaxAge > 0 && now-c.started >= int64(l.MaxAge) {
		h.drain()
	}
	if h.drainAt != 0 && now-h.drainAt >= int64(l.sweepEvery()) && !h.codec.Refusing() && h.reserve(64) {
		h.codec.DrainNow() // the client owes us the answer to a PING
	}
	if h.open != nil || c.sending || h.partial != 0 || h.drainAt != 0 || h.pending() > 0 || !h.codec.Ready() {
		h.tickSoon()
		return
	}
	left := int64(l.Idle) - (now - h.lastUse)
	if left <= 0 {
		h.leave(exchange.DownstreamTimeout)
		return
	}
	if l.MaxAge > 0 {
		left = min(left, int64(l.MaxAge)-(now-c.started))
	}
	c.arm(waitSweep, max(time.Duration(left), time.Millisecond))
}

// over tells whether a time in ns exceeds a limit.
func over(ns int64, limit time.Duration) bool { return limit > 0 && ns > int64(limit) }

// leave says good-bye and closes.
func (h *h2Conn) leave(why exchange.Flags) {
	if !h.reserve(64) {
		return
	}
	h.codec.DrainNow()
	h.c.env.Count.H2GoAways.Add(uint32(h2.NoError))
	h.cut(why)
	h.touch()
	h.c.arm(waitSweep, lingerTime)
	h.ticking = true
}

// check looks at the limits of one stream.
func (st *h2Stream) check(now int64) {
	h := st.h
	l := h.c.lst
	e := h.c.env
	if st.waits && (over(now-st.lastOut, l.Body) || st.srcPaused && st.writeRate.tooSlow(l.MinRate, now)) {
		if over(now-st.lastOut, l.Body) {
			e.Count.Failures.Add("client_write_timeout")
		} else {
			e.Count.Failures.Add("client_reads_too_slowly")
		}
		if st.s != nil && h.reserve(64) {
			h.codec.Reset(st.s, h2.EnhanceYourCalm)
			e.Count.H2ResetsOut.Add(uint32(h2.EnhanceYourCalm))
		}
		st.cut(exchange.DownstreamTermination)
		return
	}
	if st.reqDone || st.connect || st.paused || st.Up == nil || st.finished {
		return
	}
	switch {
	case over(now-st.lastIn, l.Body) && !st.srcPaused:
		e.Count.RequestTimeouts++
		st.refuse(exchange.ErrBodyTimeout)
	case st.bodyRate.tooSlow(l.MinRate, now) && !st.srcPaused:
		st.refuse(exchange.ErrBodyTooSlow)
	}
}
