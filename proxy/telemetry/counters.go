package telemetry

import (
	"math/bits"
	"slices"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// Counters are the counters of one worker. Only its own thread touches them, so they are plain fields. A new field needs a
// row in Table, or TestEveryCounterIsInTheTable fails.
type Counters struct {
	_ [64]byte // keeps the neighbours in memory off our cache lines

	// Connections from clients: accepted so far; pauses of accepting because of max_connections; open now.
	DownstreamConnections, DownstreamRefused uint64
	DownstreamActive                         int64
	// AcceptErrors counts pauses of accepting, mostly for want of descriptors.
	AcceptErrors uint64
	// Bytes on client connections, heads included.
	DownstreamBytesIn, DownstreamBytesOut uint64
	// DownstreamAborts counts exchanges that the client left before they were over.
	DownstreamAborts uint64

	// HTTP/2 connections so far; RST_STREAM received and sent, and GOAWAY sent, by error code; times that bytes of a response had to wait because
	// the client's windows were used up.
	H2Connections           uint64
	H2ResetsIn, H2ResetsOut H2Codes
	H2GoAways               H2Codes
	H2WindowStalls          uint64

	// Requests whose head arrived, malformed ones included; in flight now.
	RequestsTotal  uint64
	RequestsActive int64
	// RequestTimeouts counts heads and bodies of requests that did not arrive in time.
	RequestTimeouts uint64
	// Responses by status class: index 1 is 1xx … 5 is 5xx, 0 is an exchange without a response.
	Responses [6]uint64
	// Flagged counts ended exchanges by response flag: index is the bit of the flag.
	Flagged [16]uint64
	// LocalReplies counts responses that the gateway made itself, from routes or for failures.
	LocalReplies uint64
	// Failures counts failures by their code.
	Failures CodeCounts
	// Shed counts connections and requests given up for want of buffer memory.
	Shed uint64

	// RequestTime is from the first byte of a request to the last byte of its response, UpstreamTime from the whole request sent
	// to the head of the response.
	RequestTime, UpstreamTime Histogram

	// Connections to endpoints: started, failed, timed out, taken from the pool, found dead in the pool, with bytes nobody asked for.
	UpstreamConnects, UpstreamConnectFailures, UpstreamConnectTimeouts uint64
	UpstreamReuses, UpstreamStale, UpstreamUnsolicited                 uint64
	// Open and unused ones now.
	UpstreamActive, UpstreamIdle int64
	// Requests to endpoints: tried again, refused because too many wait, abandoned because the client's side ended.
	UpstreamRetries, UpstreamOverflows, UpstreamAborts uint64
	// Requests refused by the limits of a whole cluster: of requests, of connections (they wait), of retries.
	BreakerRequests, BreakerConnections, BreakerRetries uint64
	// Retries not made because the budget was used up; attempts given up because they took too long; second attempts beside slow ones, those
	// that answered first, and those that did not.
	RetryBudgetExhausted, TryTimeouts, Hedges, HedgesWon, HedgesLost uint64
	// Copies of requests to other clusters: started, not made (or given up) because the body is too large, ended by a failure or their time limit.
	MirrorRequests, MirrorSkipped, MirrorFailures uint64
	// HTTP/2 to endpoints: streams so far and now; RST_STREAM of endpoints, and those of them that refused; GOAWAY; connections ended
	// because the endpoint broke a rule, or did not answer a PING.
	UpstreamStreams                                  uint64
	UpstreamStreamsActive                            int64
	UpstreamResets, UpstreamRefused, UpstreamGoAways uint64
	UpstreamH2Errors, UpstreamPingTimeouts           uint64
	// Bytes on endpoint connections, heads included.
	UpstreamBytesIn, UpstreamBytesOut uint64

	// TLS of clients and to endpoints.
	DownstreamTLS, UpstreamTLS TLSCounters

	// Loop is copied from the worker's loop when counters are collected.
	Loop loop.Stats

	_ [64]byte
}

// Failed counts a failure under its code.
func (c *Counters) Failed(f *exchange.Failure) { c.Failures.Add(f.Code) }

// Ended counts the end of an exchange: its status (0: no response was sent), its flags and its duration in ns.
func (c *Counters) Ended(status int, flags Flags, ns int64) {
	class := status / 100
	if class < 0 || class >= len(c.Responses) {
		class = 0
	}
	c.Responses[class]++
	for f := uint16(flags); f != 0; f &= f - 1 {
		c.Flagged[bits.TrailingZeros16(f)]++
	}
	c.RequestTime.Observe(ns)
}

// copyTo makes dst an independent copy. It reuses the memory of dst.
func (c *Counters) copyTo(dst *Counters) {
	codes := append(dst.Failures.counts[:0], c.Failures.counts...)
	down := append(dst.DownstreamTLS.Failures.counts[:0], c.DownstreamTLS.Failures.counts...)
	up := append(dst.UpstreamTLS.Failures.counts[:0], c.UpstreamTLS.Failures.counts...)
	*dst = *c
	dst.Failures.counts, dst.DownstreamTLS.Failures.counts, dst.UpstreamTLS.Failures.counts = codes, down, up
}

// A Histogram counts durations in buckets whose bounds are powers of two nanoseconds: finding the bucket is one instruction.
type Histogram struct {
	// Buckets are not cumulative. Bucket i takes durations up to BucketBound(i); the last one everything above.
	Buckets [numBuckets + 1]uint64
	// Sum of all durations in ns.
	Sum uint64
}

const (
	// firstBound is the exponent of the first bound: 2^14 ns, about 16 µs. A proxied request on loopback takes 2 of them.
	firstBound = 14
	// lastBound: 2^35 ns, about 34 s, beyond the default timeouts.
	lastBound  = 35
	numBuckets = lastBound - firstBound + 1
)

// BucketBound is the inclusive upper bound of bucket i in ns.
func BucketBound(i int) int64 { return 1 << (firstBound + i) }

// Observe counts one duration of ns nanoseconds. A negative one, from a clock that two threads disagree about, counts as 0.
func (h *Histogram) Observe(ns int64) {
	ns = max(ns, 0)
	h.Sum += uint64(ns)
	h.Buckets[min(bits.Len64(uint64(max(ns-1, 0))>>firstBound), numBuckets)]++
}

// CodeCounts counts by a stable code. Codes are the constants of package variables, so there are few of them, but nothing here
// relies on it: beyond maxCodes everything counts as "other".
type CodeCounts struct {
	counts []codeCount
}

type codeCount struct {
	code string
	n    uint64
}

const maxCodes = 64

// Add counts one. It allocates only for the first failure of a worker.
func (c *CodeCounts) Add(code string) {
	for i := range c.counts {
		if c.counts[i].code == code {
			c.counts[i].n++
			return
		}
	}
	if c.counts == nil {
		c.counts = make([]codeCount, 0, maxCodes)
	}
	if len(c.counts) == maxCodes {
		c.counts[maxCodes-1].n++
		return
	}
	if len(c.counts) == maxCodes-1 {
		code = "other"
	}
	c.counts = append(c.counts, codeCount{code, 1})
}

// Get returns the count of one code.
func (c *CodeCounts) Get(code string) uint64 {
	if i := slices.IndexFunc(c.counts, func(x codeCount) bool { return x.code == code }); i >= 0 {
		return c.counts[i].n
	}
	return 0
}
