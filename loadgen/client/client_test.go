package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/clock"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/schedule"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// stillLoop is a loop without sockets, whose time the test moves.
type stillLoop struct {
	loop.Loop
	now   int64
	sends int
}

func (l *stillLoop) Now() int64                     { return l.now }
func (l *stillLoop) Send(loop.ID, []byte)           { l.sends++ }
func (l *stillLoop) Close(loop.ID)                  {}
func (l *stillLoop) StartRecv(loop.ID)              {}
func (l *stillLoop) Arm(*loop.Timer, time.Duration) {}

// standingClient has n connections that stand and a window that never ends.
func standingClient(t *testing.T, n int, rate float64) (*Client, *stillLoop) {
	t.Helper()
	l := &stillLoop{now: clock.System{}.Mono()}
	c := &Client{
		loop: l, rec: recorder.NewCollector(1, 0, nil).Thread(0), phase: running, windowOpen: true, conns: make([]conn, n),
		cfg: Config{
			Requests: []workload.Request{{Bytes: []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), Method: wire.MethodGet}},
			Shards:   1, Timeout: time.Hour, Interval: time.Hour, ExpectBody: 5, Window: func(bool) {}, Open: rate > 0,
		},
		plan: Plan{Start: l.now, From: l.now, To: l.now + int64(time.Hour)},
	}
	c.nextRotate, c.nextSweep = c.plan.To, c.plan.To
	if rate > 0 {
		p, err := schedule.Pacer(rate, 0)
		require.NoError(t, err)
		c.sched = schedule.New(p, time.Hour, 0, 1)
		c.ahead = c.sched
	}
	for i := range c.conns {
		c.init(&c.conns[i])
		c.conns[i].release()
	}
	return c, l
}

var answers = map[string][][]byte{
	"length":  {[]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: x\r\n\r\nhello")},
	"pieces":  {[]byte("HTTP/1.1 200 OK\r\nContent-"), []byte("Length: 5\r\n\r\nhel"), []byte("lo")},
	"chunked": {[]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n"), []byte("3\r\nllo\r\n0\r\n\r\n")},
}

func TestARequestDoesNotAllocate(t *testing.T) {
	for name, answer := range answers {
		t.Run("closed loop, "+name, func(t *testing.T) {
			c, l := standingClient(t, 1, 0)
			c.turn(l.now)
			k := &c.conns[0]
			cycle := func() {
				l.now += 1000
				k.OnSend(1, nil)
				for _, p := range answer {
					k.OnRecv(p)
				}
				c.turn(l.now)
			}
			cycle()
			require.Zero(t, testing.AllocsPerRun(500, cycle))
			require.EqualValues(t, l.sends-1, c.rec.Completed)
			require.Zero(t, c.rec.StatusErrors)
		})
		t.Run("open loop, "+name, func(t *testing.T) {
			c, l := standingClient(t, 8, 1000)
			cycle := func() {
				l.now += int64(4 * time.Millisecond)
				c.turn(l.now)
				for i := range c.conns {
					if k := &c.conns[i]; k.state == busy {
						k.OnSend(1, nil)
						for _, p := range answer {
							k.OnRecv(p)
						}
					}
				}
			}
			cycle()
			require.Zero(t, testing.AllocsPerRun(500, cycle))
			require.EqualValues(t, l.sends, c.rec.Completed)
			require.EqualValues(t, l.sends, c.rec.Lateness.Count())
			require.Greater(t, l.sends, 2000)
		})
	}
}

// With one connection that is busy for 50 ms, 49 further requests become due at 1000/s. They wait in the schedule, and when they
// are sent at last their response time counts from when they were due, their service time does not.
func TestWaitingForAConnectionCountsFromTheIntendedStart(t *testing.T) {
	c, l := standingClient(t, 1, 1000)
	k := &c.conns[0]
	start := l.now
	answer := func() {
		k.OnSend(1, nil)
		k.OnRecv(answers["length"][0])
	}
	l.now = start + int64(time.Millisecond)
	require.Equal(t, start+2*int64(time.Millisecond), c.turn(l.now), "it wants to wake when the next request is due")
	require.Equal(t, busy, k.state)
	l.now = start + 51*int64(time.Millisecond)
	c.turn(l.now)
	require.EqualValues(t, 50, c.rec.MaxBacklog)
	for range 51 {
		answer()
		c.turn(l.now)
	}
	require.EqualValues(t, 51, c.rec.Completed)
	ms := int64(time.Millisecond)
	require.EqualValues(t, 1, c.rec.Service.CountAbove(ms), "only one was slow by the server's clock")
	require.EqualValues(t, 40, c.rec.Response.CountAbove(10*ms+ms/2), "those due between 1 and 40 ms")
	require.InDelta(t, 25*ms, c.rec.Response.At(50), float64(ms))
}

// Bytes that nobody asked for end the connection and are counted, whether they come alone or behind a response.
func TestUnsolicitedBytes(t *testing.T) {
	c, _ := standingClient(t, 2, 0)
	c.conns[0].OnRecv([]byte("HTTP/1.1 408 Request Timeout\r\n\r\n"))
	require.Equal(t, closing, c.conns[0].state)
	require.EqualValues(t, 1, c.rec.Unsolicited)
	c.turn(c.loop.Now())
	k := &c.conns[1]
	require.Equal(t, busy, k.state)
	k.OnSend(1, nil)
	k.OnRecv([]byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, world"))
	require.Equal(t, closing, k.state)
	require.EqualValues(t, 2, c.rec.Unsolicited)
	require.EqualValues(t, 1, c.rec.Completed)
}

// An answer that comes before the request was taken is an answer; the connection is not used again before the loop gives the
// bytes back.
func TestAnEarlyAnswer(t *testing.T) {
	c, l := standingClient(t, 1, 0)
	c.turn(l.now)
	k := &c.conns[0]
	k.OnRecv(answers["length"][0])
	require.Equal(t, flushing, k.state)
	require.Equal(t, 1, l.sends)
	k.OnSend(1, nil)
	require.Equal(t, busy, k.state)
	require.Equal(t, 2, l.sends)
}

func TestQueue(t *testing.T) {
	var q, other queue
	ks := make([]conn, 4)
	for i := range ks {
		q.push(&ks[i])
	}
	ks[1].unlink()
	ks[3].unlink()
	ks[3].unlink()
	other.push(&ks[3])
	require.Same(t, &ks[0], q.pop())
	require.Same(t, &ks[2], q.pop())
	require.Nil(t, q.pop())
	require.Same(t, &ks[3], other.pop())
	q.push(&ks[1])
	require.Same(t, &ks[1], q.pop())
}
