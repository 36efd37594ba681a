package flow

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// receives is the receive side of a loop. It panics when its contract is broken.
type receives struct {
	loop.Loop
	multi, stopping bool
	into            []byte
}

func (l *receives) StartRecv(loop.ID) {
	if l.into != nil {
		panic("StartRecv during RecvInto")
	}
	l.multi, l.stopping = true, false
}

func (l *receives) StopRecv(loop.ID) {
	if l.multi {
		l.stopping = true
	}
}

func (l *receives) RecvInto(_ loop.ID, p []byte) {
	if l.multi || l.into != nil || len(p) == 0 {
		panic(fmt.Sprint("RecvInto out of turn: ", l.multi, l.into != nil, len(p)))
	}
	l.into = p
}

func TestReceiverSwitchesModes(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	l := new(receives)
	var r Receiver
	r.Start(l, 1, pool)
	require.True(t, l.multi)
	require.Nil(t, r.Take(), "multishot bytes belong to the loop")

	r.Large(l, 1, pool, 100)
	require.True(t, l.stopping, "large buffers have to wait for the end of the multishot receive")
	require.True(t, r.IsLarge())
	l.multi, l.stopping = false, false
	r.Stopped(l, 1, pool)
	require.Len(t, l.into, 100, "no more than was asked for")

	r.Pause(l, 1, pool)
	require.False(t, r.Running())
	l.into = nil
	buf := r.Take()
	require.Len(t, buf, 256, "the whole buffer is the caller's")
	pool.Put(buf)
	r.Large(l, 1, pool, 1000)
	require.Len(t, l.into, 256, "no more than a buffer holds")

	r.End(pool)
	require.Zero(t, pool.InUse())
	require.True(t, r.Ended())
	l.into = nil
	r.Start(l, 1, pool)
	require.False(t, l.multi, "nothing starts after the end")
}

func TestReceiverWithoutLargeBuffers(t *testing.T) {
	pool := NewPool(64, 256, 256)
	buf := pool.LargeBuffer()
	l := new(receives)
	var r Receiver
	r.Large(l, 1, pool, 0)
	require.True(t, l.multi, "the loop's own buffers do instead")
	pool.Put(buf)
}

// Any order of wishes and events keeps the loop's contract, loses no buffer and ends in the mode asked for last.
func TestReceiverKeepsTheContract(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		l := new(receives)
		var r Receiver
		wish := func() {
			switch rnd.IntN(3) {
			case 0:
				r.Start(l, 1, pool)
			case 1:
				r.Large(l, 1, pool, int64(rnd.IntN(300)))
			case 2:
				r.Pause(l, 1, pool)
			}
		}
		event := func() bool {
			switch {
			case l.stopping:
				l.multi, l.stopping = false, false
				r.Stopped(l, 1, pool)
			case l.into != nil:
				l.into = nil
				pool.Put(r.Take())
				wish()
			case l.multi:
				require.Nil(t, r.Take())
				return false
			default:
				return false
			}
			return true
		}
		for range 50 {
			wish()
			if rnd.IntN(2) == 0 {
				event()
			}
		}
		for l.stopping {
			event()
		}
		if r.Running() {
			require.True(t, l.multi || l.into != nil, "something runs when something is wanted")
		} else {
			require.False(t, l.multi)
		}
		r.End(pool)
		require.Zero(t, pool.InUse())
	}
}

// readies is the receive side of a loop that takes buffers when there is something to receive.
type readies struct {
	receives
	src loop.BufferSource
}

func (l *readies) RecvReady(_ loop.ID, src loop.BufferSource) { l.src = src }

func TestReceiverHoldsNoBufferWhileItWaits(t *testing.T) {
	pool := NewPool(64, 256, 256)
	l := new(readies)
	require.False(t, Holds(l))
	require.True(t, Holds(new(receives)))
	var r Receiver
	r.Large(l, 1, pool, 100)
	require.NotNil(t, l.src)
	require.Zero(t, pool.InUse(), "nothing has come")

	b := l.src.Buffer()
	require.Len(t, b, 100, "no more than was asked for")
	require.Equal(t, 100, cap(b), "a receive that fills it can be told")
	require.Same(t, &b[0], &l.src.Buffer()[0], "asked again it is the same")
	whole := r.Take()
	require.Len(t, whole, 256)

	// The budget is used up: the loop's own buffers do instead, until large ones are wanted again.
	r.Large(l, 1, pool, 0)
	require.Nil(t, l.src.Buffer())
	r.Stopped(l, 1, pool)
	require.True(t, l.multi)
	require.Nil(t, r.Take(), "multishot bytes belong to the loop")
	pool.Put(whole)
	r.Large(l, 1, pool, 0)
	require.True(t, l.stopping)
	l.multi, l.src = false, nil
	r.Stopped(l, 1, pool)
	require.Len(t, l.src.Buffer(), 256)
	r.End(pool)
	require.Zero(t, pool.InUse())
}
