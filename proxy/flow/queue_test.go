package flow

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// drain sends everything that is in q, at most n bytes at a time.
func drain(q *Queue, n int) (sent []byte) {
	for b := q.Next(); b != nil; b = q.Next() {
		b = b[:min(n, len(b))]
		sent = append(sent, b...)
		q.Sent(len(b))
	}
	return sent
}

func text(n int, r *rand.Rand) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestQueueSendsWhatWasPutInInOrder(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		q := Queue{Pool: pool}
		var want, got []byte
		for range 40 {
			switch p := text(r.IntN(300), r); r.IntN(5) {
			case 0, 1:
				require.True(t, q.Append(p))
				want = append(want, p...)
			case 2:
				p = text(1+r.IntN(250), r)
				b := q.Reserve(len(p))
				require.GreaterOrEqual(t, cap(b), len(p))
				q.Commit(append(b, p...))
				want = append(want, p...)
			case 3:
				buf := pool.LargeBuffer()
				n := copy(buf, p)
				q.Push(buf, n)
				want = append(want, p[:n]...)
			case 4:
				if b := q.Next(); b != nil {
					n := 1 + r.IntN(len(b))
					got = append(got, b[:n]...)
					q.Sent(n)
				}
			}
			require.Equal(t, len(want)-len(got), q.Len())
		}
		got = append(got, drain(&q, 50)...)
		require.True(t, bytes.Equal(want, got))
		require.Zero(t, q.Len())
		require.Nil(t, q.Next())
		q.Clear()
		require.Zero(t, pool.InUse())
	}
}

// What is appended while bytes are in flight does not touch them.
func TestQueueGrowsBehindBytesInFlight(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	q := Queue{Pool: pool}
	require.True(t, q.Append([]byte("in flight")))
	flying := q.Next()
	for range 50 {
		require.True(t, q.Append([]byte("more and more")))
	}
	require.Equal(t, "in flight", string(flying))
	q.Sent(len(flying))
	require.Len(t, drain(&q, 1000), 50*13)
	require.Zero(t, pool.InUse(), "memory goes back as it is sent")
}

func TestKeptQueueIsSentAgain(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		q := Queue{Pool: pool}
		q.Keep()
		var want []byte
		add := func() {
			p := text(r.IntN(200), r)
			require.True(t, q.Append(p))
			want = append(want, p...)
		}
		add()
		for range 4 {
			// A part is sent, more comes, and the attempt fails.
			for range r.IntN(6) {
				if b := q.Next(); b != nil {
					q.Sent(1 + r.IntN(len(b)))
				}
				add()
			}
			require.True(t, q.Kept())
			q.Rewind()
			require.Equal(t, len(want), q.Len())
		}
		if r.IntN(2) == 0 {
			require.True(t, bytes.Equal(want, drain(&q, 70)))
			q.Unkeep()
			require.Zero(t, pool.InUse(), "all was sent, so Unkeep gives all back")
			add()
			require.NotNil(t, q.Next())
		} else {
			// Unkeep in the middle: the rest is still sent, once.
			sent := 0
			if b := q.Next(); b != nil {
				sent = 1 + r.IntN(len(b))
				q.Sent(sent)
			}
			q.Unkeep()
			require.False(t, q.Kept())
			require.True(t, bytes.Equal(want[sent:], drain(&q, 70)))
		}
		q.Clear()
		require.Zero(t, pool.InUse())
		require.False(t, q.Kept())
	}
}

func TestQueueMarks(t *testing.T) {
	pool := NewPool(8<<10, 64<<10, 1<<20)
	q := Queue{Pool: pool}
	require.True(t, q.Append(make([]byte, High)))
	require.False(t, q.Full())
	require.True(t, q.Append([]byte{1}))
	require.True(t, q.Full())
	for q.Len() > Low {
		require.False(t, q.Drained())
		q.Sent(1)
		q.Next()
	}
	require.True(t, q.Drained())
	q.Clear()
	require.Zero(t, pool.InUse())
	require.Less(t, Low, High)
}

func TestQueueWithoutMemory(t *testing.T) {
	pool := NewPool(64, 256, 512)
	q := Queue{Pool: pool}
	require.Nil(t, q.Reserve(257), "more than a large buffer holds")
	require.False(t, q.Append(make([]byte, 2000)))
	require.Nil(t, q.Reserve(256))
	require.Nil(t, pool.SmallBuffer())
	require.True(t, pool.Pressed())
	q.Clear()
	require.Zero(t, pool.InUse())
	require.False(t, pool.Pressed())
	require.NotNil(t, q.Reserve(256))
	q.Clear()
}
