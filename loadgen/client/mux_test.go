package client

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// Dial implements loop.Loop: the connection stands when the test says so.
func (l *stillLoop) Dial(loop.Addr, loop.Handler) loop.ID { return 1 }

// standingMux is a client with one HTTP/2 connection, whose server has sent its SETTINGS.
func standingMux(t *testing.T, streams int, rate float64) (*Client, *stillLoop) {
	t.Helper()
	c, l := standingClient(t, 1, rate)
	w, err := workload.New(workload.Spec{URL: "http://a/x", H2: true})
	require.NoError(t, err)
	c.cfg.Requests, c.cfg.H2, c.cfg.Streams = w.Requests, true, streams
	c.h2 = h2Config(streams)
	k := &c.conns[0]
	k.unlink()
	c.init(k)
	k.state = dialing
	k.OnConnect(nil)
	c.flush()
	k.OnSend(0, nil)
	k.OnRecv(h2.AppendSettings(nil))
	require.Equal(t, idle, k.state)
	c.flush()
	k.OnSend(0, nil)
	return c, l
}

// A turn with all its requests is one send, and neither they nor their responses allocate.
func TestRequestsOfHTTP2DoNotAllocate(t *testing.T) {
	const streams = 32
	for name, rate := range map[string]float64{"closed loop": 0, "open loop": 32000} {
		t.Run(name, func(t *testing.T) {
			c, l := standingMux(t, streams, rate)
			k := &c.conns[0]
			id, buf := uint32(1), make([]byte, 0, 1<<14)
			cycle := func() {
				l.now += int64(time.Millisecond)
				c.turn(l.now)
				k.OnSend(0, nil)
				buf = buf[:0]
				for range k.mux.open {
					buf = h2.AppendFrame(buf, h2.FrameHeaders, h2.FlagEndHeaders, id, []byte{0x88, 0x0f, 0x0d, 1, '5'})
					buf = h2.AppendFrame(buf, h2.FrameData, h2.FlagEndStream, id, []byte("hello"))
					id += 2
				}
				k.OnRecv(buf[:len(buf)/2]) // in two pieces, which end within a frame
				k.OnRecv(buf[len(buf)/2:])
			}
			for range 5 {
				cycle()
			}
			sends := l.sends
			require.Zero(t, testing.AllocsPerRun(300, cycle))
			require.EqualValues(t, 301, l.sends-sends)
			require.Equal(t, c.rec.Sent, c.rec.Completed)
			require.EqualValues(t, id/2, c.rec.Completed)
			require.Greater(t, c.rec.Completed, int64(300*streams*9/10))
			require.Zero(t, c.rec.StatusErrors)
			require.Zero(t, c.rec.Errors)
		})
	}
}

// Requests that wait for a connection are not lost with it, and not sent twice: what was out fails, what was not goes out on the next.
func TestWhatWasNotSentGoesOutOnTheNextConnection(t *testing.T) {
	c, l := standingMux(t, 4, 0)
	k := &c.conns[0]
	k.OnRecv(h2.AppendSettings(nil, h2.Setting{ID: h2.SettingMaxConcurrentStreams, Value: 2}))
	for range 4 {
		k.mux.begin(&c.cfg.Requests[0], l.now, l.now)
	}
	require.Equal(t, 2, k.mux.open)
	require.Equal(t, 2, k.mux.waiting)
	k.OnRecvEnd(errEarlyEnd)
	require.EqualValues(t, 2, c.rec.Errors[recorder.Reset])
	k.OnClose()
	require.Equal(t, dialing, k.state, "it is opened for those that wait")
	require.Equal(t, 2, k.mux.waiting)
	k.OnConnect(nil)
	k.OnRecv(h2.AppendSettings(nil))
	require.Equal(t, 2, k.mux.open)
	require.Zero(t, k.mux.waiting)
	require.EqualValues(t, 4, c.rec.Sent)
	require.EqualValues(t, 4, c.rec.Requests)
}

func TestGRPCAnswers(t *testing.T) {
	for name, tt := range map[string]struct {
		g    grpcAnswer
		body int64
		good bool
	}{
		"good":          {grpcAnswer{prefix: [5]byte{0, 0, 0, 1, 2}, status: 1}, 263, true},
		"empty message": {grpcAnswer{status: 1}, 5, true},
		"no message":    {grpcAnswer{status: 1}, 0, false},
		"no status":     {grpcAnswer{}, 5, false},
		"unavailable":   {grpcAnswer{status: 15}, 0, false},
		"too short":     {grpcAnswer{prefix: [5]byte{0, 0, 0, 1, 2}, status: 1}, 262, false},
	} {
		require.Equal(t, tt.good, tt.g.check(tt.body) == nil, name)
	}
}
