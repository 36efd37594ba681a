package run

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	hdrhistogram "github.com/HdrHistogram/hdrhistogram-go"
	"github.com/stretchr/testify/require"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/origin"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// Generator and server count the same requests.
func TestClosedLoop(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s := newHTTPServer(t, hello)
		r := do(t, Options{Workload: newWorkload(t, s.url), Closed: true, Engine: engine, Duration: 300 * time.Millisecond, ExpectBody: 5}).Record
		require.Equal(t, engine, r.Generator.Engine)
		require.True(t, r.Validity.Valid, r.Validity.Reasons)
		require.Positive(t, r.Counts.Requests)
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		require.Equal(t, r.Counts.Requests, s.requests.Load())
		require.Equal(t, r.Counts.Requests, r.Counts.ByCode["200"])
		require.Equal(t, 5*r.Counts.Completed, r.Counts.BodyBytes)
		require.EqualValues(t, 4, s.conns.Load())
		require.EqualValues(t, 4, r.Connections.Opened)
		require.Zero(t, r.Errors.Total())
		require.Equal(t, r.Latency.Response.Histogram, r.Latency.Service.Histogram)
		require.Zero(t, r.Cost.Lateness.Count)
		require.Positive(t, r.Cost.CPUMicrosPerRequest)
	})
}

// The number of requests follows from the plan alone; the warm-up is sent and not counted; two threads share one plan.
func TestOpenLoopFollowsThePlan(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		for _, threads := range []int{1, 2} {
			s := newHTTPServer(t, hello)
			r := do(t, Options{
				Workload: newWorkload(t, s.url), Rate: 500, Engine: engine, Threads: threads,
				Warmup: 200 * time.Millisecond, Duration: 600 * time.Millisecond, Timeout: time.Minute,
			}).Record
			// Hits at 2, 4 … 798 ms: 99 before 200 ms, 300 from then on.
			require.EqualValues(t, 300, r.Counts.Requests)
			require.EqualValues(t, 300, r.Counts.Completed+r.Counts.Unsent)
			require.EqualValues(t, 399, s.requests.Load()+r.Counts.Unsent)
			require.EqualValues(t, r.Counts.Sent, r.Cost.Lateness.Count)
			require.Zero(t, r.Errors.Total())
		}
	})
}

// stalling answers at once, except that from its 200th request on it answers nobody for 100 ms.
func stalling(t *testing.T) *httpServer {
	var mu sync.RWMutex
	var n atomic.Int64
	return newHTTPServer(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 200 {
			mu.Lock()
			time.Sleep(stall)
			mu.Unlock()
		}
		mu.RLock()
		defer mu.RUnlock()
		hello(w, r)
	})
}

const stall = 100 * time.Millisecond

// Coordinated omission. At 1000/s a stall of 100 ms concerns the hundred requests that are due in it: the 50 of its first half wait at
// least 50 ms, by construction. A clock that starts when a connection gets round to sending sees one slow request for
// each of the four connections.
func TestAStallShowsInEveryRequestThatWasDueDuringIt(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s := stalling(t)
		res := do(t, Options{Workload: newWorkload(t, s.url), Rate: 1000, Connections: 4, Engine: engine, Duration: time.Second})
		r := res.Record
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		corrected, uncorrected := res.Response.CountAbove(int64(stall/2)), res.Service.CountAbove(int64(stall/2))
		require.GreaterOrEqual(t, corrected, int64(48))
		require.Less(t, uncorrected*4, corrected, "the service time hides the stall")
		require.GreaterOrEqual(t, r.Latency.Response.P99, int64(stall/2), "48 of 999 are more than 1 %%")
		require.GreaterOrEqual(t, r.Cost.MaxBacklog, int64(48))

		// The same server in a closed loop: the generator waits with it. The run has to be long enough to come to the stall.
		closed := do(t, Options{Workload: newWorkload(t, stalling(t).url), Closed: true, Connections: 4, Engine: engine, Duration: 600 * time.Millisecond})
		for closed.Record.Counts.Completed <= 200 {
			length := 2 * time.Duration(closed.Record.MeasuredSeconds*float64(time.Second))
			closed = do(t, Options{Workload: newWorkload(t, stalling(t).url), Closed: true, Connections: 4, Engine: engine, Duration: length})
		}
		require.Less(t, closed.Response.CountAbove(int64(stall/2))*4, corrected)
	})
}

// Another open-loop generator, another implementation of HTTP, the same medians. A busy machine can hold up either of them, so
// they have a few tries; a systematic difference fails every one.
func TestAgreesWithVegeta(t *testing.T) {
	const rate, length, tries = 150, time.Second, 10
	url := newOrigin(t, origin.Options{Engine: "epoll"}) + "/delay/20ms"
	eachEngine(t, func(t *testing.T, engine string) {
		for try := 1; ; try++ {
			ours := do(t, Options{Workload: newWorkload(t, url), Rate: rate, Connections: 20, Engine: engine, Duration: length}).Record
			theirs := attack(url, rate, length)
			require.EqualValues(t, rate, ours.Counts.Requests, "as the plan has it: whole nanoseconds put the last one just before the end")
			require.EqualValues(t, ours.Counts.Requests, ours.Counts.Completed+ours.Counts.Unsent)
			p50 := time.Duration(ours.Latency.Response.P50)
			require.GreaterOrEqual(t, p50, 20*time.Millisecond, "the server waits at least that long")
			t.Logf("requests and median: blitzload %d, %v; vegeta %d, %v", ours.Counts.Requests, p50, theirs.Requests, theirs.Latencies.P50)
			ratio := float64(p50) / float64(theirs.Latencies.P50)
			if theirs.Requests+3 >= rate && ratio > 0.7 && ratio < 1.4 {
				return
			}
			require.Less(t, try, tries, "they never agreed")
		}
	})
}

// attack is the same load made by vegeta.
func attack(url string, rate int, length time.Duration) *vegeta.Metrics {
	var m vegeta.Metrics
	a := vegeta.NewAttacker(vegeta.Connections(20))
	defer a.Stop()
	for res := range a.Attack(vegeta.NewStaticTargeter(vegeta.Target{Method: "GET", URL: url}), vegeta.Rate{Freq: rate, Per: time.Second}, length, "") {
		m.Add(res)
	}
	m.Close()
	return &m
}

func TestANewConnectionForEachRequest(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s := newHTTPServer(t, hello)
		w, err := workload.New(workload.Spec{URL: s.url, Close: true})
		require.NoError(t, err)
		for _, closed := range []bool{true, false} {
			requests, conns := s.requests.Load(), s.conns.Load()
			o := Options{Workload: w, PerRequest: true, Engine: engine, Duration: 300 * time.Millisecond, Closed: closed}
			if !closed {
				o.Rate = 200
			}
			r := do(t, o).Record
			require.Positive(t, r.Counts.Completed)
			require.Equal(t, r.Counts.Requests, r.Counts.Completed)
			require.Zero(t, r.Errors.Total(), r.Errors.Samples)
			require.Equal(t, r.Counts.Completed, s.requests.Load()-requests)
			require.Equal(t, r.Counts.Completed+1, s.conns.Load()-conns, "one more, to see whether the server is there")
			require.Equal(t, r.Counts.Completed+1, r.Connections.Opened)
		}
	})
}

// A server that says it closes, and does, makes no errors: the next request opens the next connection.
func TestServerThatClosesAfterEachResponse(t *testing.T) {
	url := newOrigin(t, origin.Options{Engine: "epoll", BodySize: 20_000})
	eachEngine(t, func(t *testing.T, engine string) {
		r := do(t, Options{Workload: newWorkload(t, url+"/close"), Closed: true, Engine: engine, Duration: 500 * time.Millisecond, ExpectBody: 20_000}).Record
		require.Greater(t, r.Counts.Completed, int64(4))
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		require.Zero(t, r.Errors.Total(), r.Errors.Samples)
	})
}

func TestTargetsAreSentInTurn(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		var mu sync.Mutex
		paths := map[string]int64{}
		s := newHTTPServer(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			paths[r.Method+r.URL.Path+string(b)]++
			mu.Unlock()
			hello(w, r)
		})
		w, err := workload.New(workload.Spec{
			Targets: strings.NewReader(fmt.Sprintf("GET %[1]s/a\n\nPOST %[1]s/b\n\nHEAD %[1]s/c\n", s.url)), Body: []byte("body"),
		})
		require.NoError(t, err)
		r := do(t, Options{Workload: w, Rate: 300, Threads: 2, Engine: engine, Duration: 301 * time.Millisecond}).Record
		require.EqualValues(t, 90, r.Counts.Completed)
		require.Equal(t, map[string]int64{"GET/abody": 30, "POST/bbody": 30, "HEAD/cbody": 30}, paths)
		require.EqualValues(t, 60*5, r.Counts.BodyBytes)
		require.Equal(t, 3, r.Params.Targets)
	})
}

func TestInterrupt(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		ctx, cancel := context.WithCancel(t.Context())
		var n atomic.Int64
		s := newHTTPServer(t, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 50 {
				cancel()
			}
			hello(w, r)
		})
		r := doContext(t, ctx, Options{Workload: newWorkload(t, s.url), Rate: 500, Engine: engine, Duration: time.Hour}).Record
		require.True(t, r.Interrupted)
		require.False(t, r.Validity.Valid)
		require.GreaterOrEqual(t, r.Counts.Completed, int64(49))
		require.Less(t, r.MeasuredSeconds, 3600.0)

		// Before the window there is nothing to tell.
		ctx, cancel = context.WithCancel(t.Context())
		n.Store(0)
		_, err := Run(ctx, Options{Workload: newWorkload(t, s.url), Rate: 500, Connections: 1, Engine: engine, Duration: time.Hour, Warmup: time.Hour})
		require.ErrorIs(t, err, ErrInterruptedEarly)
		cancel()
	})
}

// The intervals of the log, read by ours and by the library's own reader, add up to the record.
func TestIntervalLogAddsUp(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		s := newHTTPServer(t, hello)
		var log bytes.Buffer
		var seen []Progress
		res := do(t, Options{
			Workload: newWorkload(t, s.url), Rate: 200, Threads: 2, Engine: engine, Duration: 1200 * time.Millisecond, IntervalLog: &log,
			Progress: func(p Progress) { seen = append(seen, p) },
		})
		ivs, err := hdr.ReadLog(bytes.NewReader(log.Bytes()))
		require.NoError(t, err)
		sum := map[string]*hdr.Histogram{"response": hdr.New(), "service": hdr.New()}
		for _, iv := range ivs {
			sum[iv.Tag].Merge(iv.Histogram)
		}
		require.GreaterOrEqual(t, len(ivs), 2*2)
		require.True(t, sum["response"].Equal(res.Response))
		require.True(t, sum["service"].Equal(res.Service))
		require.WithinDuration(t, res.Record.Start, ivs[0].From, 2*time.Millisecond)

		lr := hdrhistogram.NewHistogramLogReader(bytes.NewReader(log.Bytes()))
		var n int64
		for h, err := lr.NextIntervalHistogram(); h != nil; h, err = lr.NextIntervalHistogram() {
			require.NoError(t, err)
			n += h.TotalCount()
		}
		require.Equal(t, 2*res.Record.Counts.Completed, n)

		require.GreaterOrEqual(t, len(seen), 1)
		require.Positive(t, seen[0].Rate)
	})
}

func TestShortIntervalsAddUp(t *testing.T) {
	s := newHTTPServer(t, hello)
	var log bytes.Buffer
	res := do(t, Options{
		Workload: newWorkload(t, s.url), Rate: 400, Threads: 2, Warmup: 50 * time.Millisecond, Duration: 500 * time.Millisecond,
		Interval: 50 * time.Millisecond, IntervalLog: &log,
	})
	ivs, err := hdr.ReadLog(&log)
	require.NoError(t, err)
	sum, n := hdr.New(), 0
	for _, iv := range ivs {
		if iv.Tag == "response" {
			sum.Merge(iv.Histogram)
			n++
		}
	}
	require.True(t, sum.Equal(res.Response))
	require.GreaterOrEqual(t, n, 5, "ten, unless the machine was busy")

	_, err = Run(t.Context(), Options{Workload: newWorkload(t, s.url), Rate: 1, Connections: 1, Duration: time.Second, Interval: time.Millisecond})
	require.ErrorContains(t, err, "interval: 1ms, must be at least 10ms")
}

// Intervals that are kept until the end of a run are bounded, and the error says an --interval with which it would be done.
func TestShortIntervalsAreBounded(t *testing.T) {
	for _, c := range []struct {
		d, interval time.Duration
		want        string
	}{
		{time.Hour, 10 * time.Millisecond, "choose a longer --interval (220ms at least)"},
		{1000 * time.Hour, 999 * time.Millisecond, "choose a longer --interval (1s at least)"},
		{time.Hour, 220 * time.Millisecond, ""},
		{1000 * time.Hour, time.Second, ""}, // each goes to the log as it ends
		{2 * time.Minute, 10 * time.Millisecond, ""},
	} {
		o := Options{Workload: newWorkload(t, "http://127.0.0.1:1/"), Rate: 1, Connections: 1, Duration: c.d, Interval: c.interval}
		err := o.fill()
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, c.want)
	}
}

func TestManyConnectionsAndAnUnreachableServer(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		url := newOrigin(t, origin.Options{Engine: "epoll"})
		r := do(t, Options{Workload: newWorkload(t, url), Rate: 3000, Connections: 500, Engine: engine, Duration: 300 * time.Millisecond}).Record
		require.EqualValues(t, 500, r.Connections.Opened)
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)

		_, err := Run(t.Context(), Options{Workload: newWorkload(t, "http://127.0.0.1:1/"), Closed: true, Connections: 3, Threads: 2, Engine: engine, Duration: time.Hour})
		require.ErrorContains(t, err, "cannot connect to 127.0.0.1:1")
	})
}

func TestTableOfAnInvalidRun(t *testing.T) {
	r := &runfmt.Record{
		Params:          runfmt.Params{URL: "http://h/", Method: "GET", Mode: runfmt.Open, OfferedRate: 1000, DurationSeconds: 10, WarmupSeconds: 1},
		MeasuredSeconds: 10, Counts: runfmt.Counts{Requests: 10_000, Completed: 10_000, InWindow: 10_000},
	}
	r.Validity = runfmt.Validity{Reasons: []string{"because"}, Warnings: []string{"careful"}}
	var buf bytes.Buffer
	require.NoError(t, WriteTable(&buf, r))
	require.Contains(t, buf.String(), "warning: careful\nINVALID: because\n")
	require.NotContains(t, buf.String(), "\nvalid")
}
