package telemetry

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/blitz-gateway/blitz/proxy/exchange"
)

func TestHistogramBounds(t *testing.T) {
	for i := range numBuckets {
		bound := BucketBound(i)
		for _, c := range []struct {
			ns   int64
			want int
		}{{bound - 1, i}, {bound, i}, {bound + 1, i + 1}} {
			var h Histogram
			h.Observe(c.ns)
			assert.Equal(t, uint64(1), h.Buckets[c.want], "%d ns", c.ns)
			assert.Equal(t, uint64(c.ns), h.Sum)
		}
	}
	for ns, want := range map[int64]int{-5: 0, 0: 0, 1: 0, 1<<63 - 1: numBuckets} {
		var h Histogram
		h.Observe(ns)
		assert.Equal(t, uint64(1), h.Buckets[want], "%d ns", ns)
	}
}

func TestCodesBeyondTheBoundCountAsOther(t *testing.T) {
	var c CodeCounts
	for i := range maxCodes + 10 {
		c.Add(fmt.Sprint("code ", i))
	}
	c.Add("code 3")
	assert.Len(t, c.counts, maxCodes)
	assert.Equal(t, uint64(2), c.Get("code 3"))
	assert.Equal(t, uint64(11), c.Get("other"))
	assert.Zero(t, c.Get("never seen"))
}

func TestEndedCountsClassAndEveryFlag(t *testing.T) {
	var c Counters
	for _, status := range []int{0, 101, 200, 204, 304, 404, 499, 504, 999, -1} {
		c.Ended(status, 0, 1)
	}
	assert.Equal(t, [6]uint64{3, 1, 2, 1, 2, 1}, c.Responses)

	c.Ended(504, exchange.UpstreamConnectFailure|exchange.UpstreamTimeout, 1)
	var want [16]uint64
	want[2], want[4] = 1, 1
	assert.Equal(t, want, c.Flagged)
}

func TestCopiesAreIndependent(t *testing.T) {
	var c, d Counters
	c.Failed(exchange.ErrConnect)
	c.copyTo(&d)
	c.Failed(exchange.ErrConnect)
	c.Failed(exchange.ErrNoRoute)
	assert.Equal(t, uint64(1), d.Failures.Get(exchange.ErrConnect.Code))
	assert.Zero(t, d.Failures.Get(exchange.ErrNoRoute.Code))
}

func TestCountingDoesNotAllocate(t *testing.T) {
	var c Counters
	c.Failed(exchange.ErrConnect)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		c.RequestsTotal++
		c.Failed(exchange.ErrConnect)
		c.Failed(exchange.ErrNoRoute)
		c.Ended(502, exchange.UpstreamConnectFailure, 12345)
		c.UpstreamTime.Observe(99)
	}))
}
