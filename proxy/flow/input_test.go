package flow

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInputKeepsWhatWasNotDropped(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	r := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var in Input
		var want []byte
		for range 60 {
			if r.IntN(3) > 0 {
				p := make([]byte, r.IntN(90))
				for i := range p {
					p[i] = byte(r.Uint32())
				}
				require.True(t, in.Add(pool, p, 1<<20))
				want = append(want, p...)
			} else if n := r.IntN(len(want) + 2); n > 0 {
				in.Drop(pool, n)
				want = want[min(n, len(want)):]
			}
			require.Equal(t, len(want), in.Len())
			require.True(t, bytes.Equal(want, in.Bytes()))
		}
		in.Release(pool)
		require.Zero(t, pool.InUse())
	}
}

func TestInputIsBoundedByMaxAndBudget(t *testing.T) {
	pool := NewPool(64, 256, 1024)
	var in Input
	require.True(t, in.Add(pool, make([]byte, 100), 100))
	require.False(t, in.Add(pool, make([]byte, 1), 100), "max")
	require.Equal(t, 100, in.Len())
	require.True(t, in.Add(pool, make([]byte, 300), 5000), "ordinary memory, which counts against the budget")
	require.EqualValues(t, 600, pool.InUse())
	require.False(t, in.Add(pool, make([]byte, 600), 5000), "budget")
	require.Equal(t, 400, in.Len(), "nothing is added, nothing is lost")
	in.Release(pool)
	require.Zero(t, pool.InUse())
	require.Zero(t, in.Len())
}

func TestInputTakesTheSmallestBufferThatFits(t *testing.T) {
	pool := NewPool(64, 256, 1<<20)
	var in Input
	require.True(t, in.Add(pool, make([]byte, 64), 1000))
	require.EqualValues(t, 64, pool.InUse())
	require.True(t, in.Add(pool, make([]byte, 1), 1000))
	require.EqualValues(t, 256, pool.InUse())
	in.Drop(pool, 60)
	require.True(t, in.Add(pool, make([]byte, 251), 1000), "room at the front is used before more memory is")
	require.EqualValues(t, 256, pool.InUse())
	in.Drop(pool, 256)
	require.Zero(t, pool.InUse())
}
