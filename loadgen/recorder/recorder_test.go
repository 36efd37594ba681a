package recorder

import (
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestIntervalsOfAllThreadsAreMergedInOrder(t *testing.T) {
	t.Run("as they come", func(t *testing.T) { testMergedInOrder(t, 0) })
	t.Run("held, more than foreseen", func(t *testing.T) { testMergedInOrder(t, 7) })
}

func testMergedInOrder(t *testing.T, held int) {
	const threads, intervals, perInterval = 3, 20, 100
	type seen struct {
		k         int
		completed int64
		p50       int64
	}
	var got []seen
	c := NewCollector(threads, held, func(k int, p *Part) {
		got = append(got, seen{k, p.Completed, p.Response.At(50)})
	})
	c.Start()
	var wg sync.WaitGroup
	for i := range threads {
		wg.Go(func() {
			th := c.Thread(i)
			for k := range intervals {
				for range perInterval {
					th.Requests++
					th.Complete(int64(k+1)*1000, 500, 200, 10, 4)
				}
				if k < intervals-1 {
					th.Rotate(int64(k+1) * 1e9)
				}
			}
			th.Opened = 5
			th.Finish(intervals * 1e9)
		})
	}
	wg.Wait()
	total := c.Wait()
	require.Len(t, got, intervals)
	for k, s := range got {
		require.Equal(t, k, s.k)
		require.EqualValues(t, threads*perInterval, s.completed)
		require.InDelta(t, (k+1)*1000, s.p50, float64(k+1)+1)
	}
	n := int64(threads * intervals * perInterval)
	require.Equal(t, n, total.Requests)
	require.Equal(t, n, total.Completed)
	require.Equal(t, n, total.Response.Count())
	require.Equal(t, n, total.Service.Count())
	require.Equal(t, n, total.Codes[200])
	require.Equal(t, 10*n, total.BytesReceived)
	require.Equal(t, 4*n, total.BodyBytes)
	require.EqualValues(t, 15, total.Opened)
	require.EqualValues(t, intervals*1e9, total.To)
}

// A thread that ends early (its grace was shorter) must not keep the others' intervals back for ever.
func TestThreadsMayEndAtDifferentIntervals(t *testing.T) {
	var ks []int
	c := NewCollector(2, 0, func(k int, _ *Part) { ks = append(ks, k) })
	c.Start()
	a, b := c.Thread(0), c.Thread(1)
	a.Complete(1, 1, 200, 0, 0)
	a.Finish(1)
	for range 3 {
		b.Complete(1, 1, 200, 0, 0)
		b.Rotate(1)
	}
	b.Finish(2)
	require.EqualValues(t, 4, c.Wait().Completed)
	require.Equal(t, []int{0, 1, 2, 3}, ks)
}

func TestErrorsByKindAndTheirSamples(t *testing.T) {
	c := NewCollector(1, 0, nil)
	c.Start()
	th := c.Thread(0)
	for i := range 100 {
		th.Fail(Reset, errors.New("number "+strconv.Itoa(i%3)))
		th.Fail(Kind(i%int(kinds)), errors.New("x"))
	}
	th.Complete(1, 1, 503, 0, 0)
	th.Unexpected(func() string { return "got 503" })
	th.Finish(1)
	p := c.Wait()
	require.Equal(t, [kinds]int64{13, 13, 113, 13, 12, 12, 12, 12}, p.Errors)
	require.EqualValues(t, 1, p.StatusErrors)
	require.Len(t, p.Samples, maxSamples)
	require.Contains(t, p.Samples, "reset: number 0")
}

func TestRecordingDoesNotAllocate(t *testing.T) {
	c := NewCollector(1, 0, nil)
	th := c.Thread(0)
	for range maxSamples {
		th.Fail(Timeout, errors.New(strconv.Itoa(len(th.Samples))))
	}
	err := errors.New("broken")
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		th.Complete(12345, 12000, 200, 100, 10)
		th.Lateness.Record(17)
		th.Fail(Reset, err)
	}))
}
