package run

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// Options say what to run. Zero values of optional fields are filled in by their defaults.
type Options struct {
	Workload *workload.Workload
	// Address of the server; the zero value: what the workload's host resolves to.
	Address netip.AddrPort
	// Rate in requests per second, and its change per second: open loop. Closed: no schedule.
	Rate, Slope float64
	Closed      bool
	Connections int
	Threads     int // default 1
	// Duration of the measured window, after Warmup.
	Duration, Warmup time.Duration
	// StartAt is when the load (its warm-up, if it has one) begins, by this machine's wall clock, so that several generators begin together; the zero
	// value: as soon as the connections stand. They must stand by then, else the run is refused with ErrTooLate.
	StartAt time.Time
	// Timeout of a request and of a connect (default 10 s).
	Timeout time.Duration
	// PerRequest opens a new connection for each request. The workload must have been rendered with Close.
	PerRequest bool
	// H2 speaks HTTP/2 with up to Streams (default 1) requests at once on each connection. The workload must have been rendered
	// for it. GRPC checks the answers of unary calls; the workload must consist of such.
	H2      bool
	Streams int
	GRPC    bool
	// TLS, when set, is spoken on all connections; see client.Config for the others. Handshakes implies PerRequest.
	TLS                *tls.Config
	ALPN               string
	Resume, Handshakes bool
	Engine             string // auto (default), uring or epoll
	// CPUs to pin thread i to (CPUs[i modulo len]); nil: not pinned. CPUList is how it was written, for the record.
	CPUs    []int
	CPUList string
	// BusyPoll is how long the loop spins before it sleeps.
	BusyPoll time.Duration
	// ExpectStatus: 0 takes any below 400. ExpectBody: negative takes any size.
	ExpectStatus int
	ExpectBody   int64
	// MaxLateness is how late the generator itself may be, at the 99th percentile (default 1 ms).
	MaxLateness time.Duration
	// IntervalLog, when set, gets the interval log: one response and one service histogram for each interval.
	IntervalLog io.Writer
	// Interval is the length of the intervals of IntervalLog and Progress, 1 s when 0. Short ones (10 ms and more) tell what is typical from what
	// is rare; those below a second are merged, logged and told to Progress after the run, so that this makes the generator late at nothing.
	Interval time.Duration
	// Progress, when set, is called about once per interval of the window, on a goroutine of its own.
	Progress func(Progress)
	// Command and Version are for the record.
	Command []string
	Version string
}

// Progress is the state of a run for people who wait.
type Progress struct {
	Elapsed, Duration time.Duration
	// Rate is responses per second in the last interval; P50 and P99 its response times.
	Rate     float64
	P50, P99 time.Duration
	// Errors of all kinds so far.
	Errors int64
}

// defaultInterval, defaultTimeout and defaultLateness are documented in Options.
const (
	defaultInterval = time.Second
	defaultTimeout  = 10 * time.Second
	defaultLateness = time.Millisecond
	// minInterval is what merging the histograms of an interval takes, many times over.
	minInterval = 10 * time.Millisecond
	// maxHeld bounds the intervals that are kept until the end of the run: one of 10 ms for about 160 s.
	maxHeld = 1 << 14
	// maxAhead keeps a slip of the finger in StartAt from waiting for ever.
	maxAhead = time.Hour
	// maxConnections keeps a slip of the finger from asking for all memory.
	maxConnections = 1 << 20
)

func (o *Options) fill() error {
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	if o.Interval == 0 {
		o.Interval = defaultInterval
	}
	if o.MaxLateness == 0 {
		o.MaxLateness = defaultLateness
	}
	if o.Engine == "" {
		o.Engine = "auto"
	}
	if o.H2 && o.Streams == 0 {
		o.Streams = 1
	}
	if o.Handshakes {
		o.PerRequest = true
	}
	switch {
	case o.Workload == nil || len(o.Workload.Requests) == 0:
		return errors.New("nothing to send")
	case !o.Closed && o.Rate == 0:
		return errors.New("an open loop needs a rate: say --rate N, or --closed-loop to let each connection send as fast as the server answers")
	case o.Closed && (o.Rate != 0 || o.Slope != 0):
		return errors.New("a closed loop has no rate: the server sets the pace")
	case o.Connections < 1 || o.Connections > maxConnections:
		return fmt.Errorf("connections: %d is not within 1 and %d", o.Connections, maxConnections)
	case o.Threads < 1 || o.Threads > o.Connections:
		return fmt.Errorf("threads: %d, with %d connections it must be within 1 and %d", o.Threads, o.Connections, o.Connections)
	case o.Streams != 0 && !o.H2:
		return errors.New("streams are HTTP/2's: in HTTP/1.1 a connection has one request at a time")
	case o.Streams < 0 || o.Connections*max(o.Streams, 1) > maxConnections:
		return fmt.Errorf("streams: %d on each of %d connections: expected 1 to %d in all", o.Streams, o.Connections, maxConnections)
	case o.H2 && o.PerRequest && o.Streams > 1:
		return errors.New("a new connection for each request has one stream")
	case o.H2 && o.Workload.Requests[0].Block == nil:
		return errors.New("the requests are rendered for HTTP/1.1")
	case o.GRPC && !o.H2:
		return errors.New("gRPC needs HTTP/2")
	case (o.Handshakes || o.Resume) && o.TLS == nil:
		return errors.New("handshakes and sessions are TLS's: the URL must say https")
	case o.Interval < minInterval:
		return fmt.Errorf("interval: %v, must be at least %v", o.Interval, minInterval)
	case o.Duration <= 0:
		return fmt.Errorf("duration: %v, must be more than 0", o.Duration)
	case o.held() > maxHeld:
		return fmt.Errorf("interval: %v makes %d intervals of a run of %v, and intervals below %v are kept in memory until its end, %d at most: choose a longer --interval (%v at least), or a shorter --duration",
			o.Interval, o.held(), o.Warmup+o.Duration, defaultInterval, maxHeld, o.shortestInterval())
	case !o.StartAt.IsZero() && time.Until(o.StartAt) > maxAhead:
		return fmt.Errorf("start at %v: more than %v from now", o.StartAt.UTC().Format(time.RFC3339), maxAhead)
	case o.Warmup < 0 || o.Timeout < 0 || o.MaxLateness < 0:
		return errors.New("warm-up, timeout and lateness must not be negative")
	}
	return nil
}

// held is how many intervals are kept until the end of the run: all that are shorter than the usual ones.
func (o *Options) held() int {
	if o.Interval >= defaultInterval {
		return 0
	}
	return int((o.Warmup+o.Duration)/o.Interval) + 2
}

// shortestInterval is the shortest one, in whole milliseconds, of which the run makes no more than maxHeld; defaultInterval ones are not kept.
func (o *Options) shortestInterval() time.Duration {
	least := (o.Warmup + o.Duration) / (maxHeld - 2)
	return min((least/time.Millisecond+1)*time.Millisecond, defaultInterval)
}

// share is how many of n things part i of parts gets.
func share(n, i, parts int) int {
	s := n / parts
	if i < n%parts {
		s++
	}
	return s
}
