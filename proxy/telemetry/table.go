package telemetry

import (
	"runtime"
	"slices"
)

// Kind of a metric, as Prometheus spells it.
type Kind string

// Kinds.
const (
	KindCounter   Kind = "counter"
	KindGauge     Kind = "gauge"
	KindHistogram Kind = "histogram"
)

// Metric is one row of the table: what a metric is called and where its value comes from. Exactly one of the sources is set.
type Metric struct {
	Name string
	Kind Kind
	// Unit of the value: a word for counted things, otherwise bytes, seconds or info.
	Unit string
	Help string
	// Labels in the order in which sources give their values. Metrics of a single worker have the label worker in front.
	Labels []string

	one       func(*Counters) float64    // summed over the workers
	many      func(*Counters, put)       // summed over the workers, label by label
	durations func(*Counters) *Histogram // summed over the workers
	each      func(*workerSample, put)   // not summed: one series for each worker
	process   func(*Samples, put)        // of the whole process
	named     func(*Samples) []*Series   // a histogram for each name
}

// put takes one value and the values of its labels.
type put func(v float64, labels ...string)

var classes = [...]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}

// Table declares all metrics of the data plane. The exposition and docs/METRICS.md are derived from it.
var Table = slices.Concat(dataTable, scopeTable, configTable)

var dataTable = []Metric{
	{Name: "blitz_build_info", Kind: KindGauge, Unit: "info", Help: "Always 1; what is running.", Labels: []string{"version", "go", "arch"},
		process: func(s *Samples, p put) { p(1, s.version, runtime.Version(), runtime.GOARCH) }},
	{Name: "blitz_start_time_seconds", Kind: KindGauge, Unit: "seconds", Help: "Start of the process since the Unix epoch.",
		process: func(s *Samples, p put) { p(float64(s.started.UnixMilli()) / 1000) }},
	{Name: "blitz_resident_memory_bytes", Kind: KindGauge, Unit: "bytes", Help: "Memory of the process in RAM; 0 where the system does not tell.",
		process: func(s *Samples, p put) { p(float64(s.process.rss)) }},
	{Name: "blitz_cpu_seconds_total", Kind: KindCounter, Unit: "seconds", Help: "CPU time of the process, in user and in kernel mode; 0 where the system does not tell.",
		process: func(s *Samples, p put) { p(s.process.cpu) }},
	{Name: "blitz_goroutines", Kind: KindGauge, Unit: "goroutines", Help: "Goroutines of the process; workers need one each.",
		process: func(s *Samples, p put) { p(float64(s.process.goroutines)) }},
	{Name: "blitz_gc_cycles_total", Kind: KindCounter, Unit: "cycles", Help: "Garbage collections so far. The data plane makes no garbage.",
		process: func(s *Samples, p put) { p(float64(s.process.gcCycles)) }},
	{Name: "blitz_gc_pause_seconds_total", Kind: KindCounter, Unit: "seconds", Help: "Time for which garbage collections stopped everything.",
		process: func(s *Samples, p put) { p(s.process.gcPause) }},
	{Name: "blitz_go_mallocs_total", Kind: KindCounter, Unit: "objects", Help: "Objects allocated on the Go heap. It stands still while requests are served; the gate divides its growth by requests.",
		process: func(s *Samples, p put) { p(float64(s.process.mallocs)) }},

	{Name: "blitz_worker_info", Kind: KindGauge, Unit: "info", Help: "Always 1; the engine of each worker.", Labels: []string{"worker", "engine"},
		each: func(w *workerSample, p put) { p(1, w.engine) }},
	{Name: "blitz_workers_late", Kind: KindGauge, Unit: "workers", Help: "Workers that did not answer this scrape in time; their values are older.",
		process: func(s *Samples, p put) { p(float64(s.late)) }},

	{Name: "blitz_downstream_connections_total", Kind: KindCounter, Unit: "connections", Help: "Connections accepted from clients.",
		one: func(c *Counters) float64 { return float64(c.DownstreamConnections) }},
	{Name: "blitz_downstream_limit_pauses_total", Kind: KindCounter, Unit: "pauses", Help: "Times that accepting paused because max_connections was reached; clients wait in the backlog.",
		one: func(c *Counters) float64 { return float64(c.DownstreamRefused) }},
	{Name: "blitz_downstream_connections_active", Kind: KindGauge, Unit: "connections", Help: "Connections of clients that are open now.",
		one: func(c *Counters) float64 { return float64(c.DownstreamActive) }},
	{Name: "blitz_accept_errors_total", Kind: KindCounter, Unit: "errors", Help: "Times that accepting paused because it failed, mostly for want of descriptors.",
		one: func(c *Counters) float64 { return float64(c.AcceptErrors) }},
	{Name: "blitz_downstream_received_bytes_total", Kind: KindCounter, Unit: "bytes", Help: "Bytes received from clients, heads included.",
		one: func(c *Counters) float64 { return float64(c.DownstreamBytesIn) }},
	{Name: "blitz_downstream_sent_bytes_total", Kind: KindCounter, Unit: "bytes", Help: "Bytes sent to clients, heads included.",
		one: func(c *Counters) float64 { return float64(c.DownstreamBytesOut) }},
	{Name: "blitz_downstream_aborts_total", Kind: KindCounter, Unit: "requests", Help: "Requests whose client went away before they were answered.",
		one: func(c *Counters) float64 { return float64(c.DownstreamAborts) }},

	{Name: "blitz_http2_connections_total", Kind: KindCounter, Unit: "connections", Help: "Connections of clients that spoke HTTP/2.",
		one: func(c *Counters) float64 { return float64(c.H2Connections) }},
	{Name: "blitz_http2_resets_received_total", Kind: KindCounter, Unit: "streams", Help: "Streams that clients reset, by error code.", Labels: []string{"code"},
		many: func(c *Counters, p put) { c.H2ResetsIn.each(p) }},
	{Name: "blitz_http2_resets_sent_total", Kind: KindCounter, Unit: "streams", Help: "Streams of clients that the gateway reset, by error code.", Labels: []string{"code"},
		many: func(c *Counters, p put) { c.H2ResetsOut.each(p) }},
	{Name: "blitz_http2_goaways_sent_total", Kind: KindCounter, Unit: "connections", Help: "Connections that the gateway began to end with GOAWAY, by error code; blitz_failures_total tells the kinds of floods apart.", Labels: []string{"code"},
		many: func(c *Counters, p put) { c.H2GoAways.each(p) }},
	{Name: "blitz_http2_window_stalls_total", Kind: KindCounter, Unit: "stalls", Help: "Times that bytes of a response had to wait because the client's windows were used up.",
		one: func(c *Counters) float64 { return float64(c.H2WindowStalls) }},

	{Name: "blitz_requests_total", Kind: KindCounter, Unit: "requests", Help: "Requests whose head arrived, malformed ones included.",
		one: func(c *Counters) float64 { return float64(c.RequestsTotal) }},
	{Name: "blitz_requests_active", Kind: KindGauge, Unit: "requests", Help: "Requests in flight now.",
		one: func(c *Counters) float64 { return float64(c.RequestsActive) }},
	{Name: "blitz_request_timeouts_total", Kind: KindCounter, Unit: "requests", Help: "Requests whose head or body did not arrive in time.",
		one: func(c *Counters) float64 { return float64(c.RequestTimeouts) }},
	{Name: "blitz_responses_total", Kind: KindCounter, Unit: "responses", Help: "Ended requests by class of status; none: no response was sent.", Labels: []string{"class"},
		many: func(c *Counters, p put) {
			for i, n := range c.Responses {
				p(float64(n), classes[i])
			}
		}},
	{Name: "blitz_response_flags_total", Kind: KindCounter, Unit: "responses", Help: "Ended requests by response flag; one request may have several.", Labels: []string{"flag"},
		many: func(c *Counters, p put) {
			for i, n := range c.Flagged {
				if name := Flags(1 << i).String(); name != "" {
					p(float64(n), name)
				}
			}
		}},
	{Name: "blitz_failures_total", Kind: KindCounter, Unit: "failures", Help: "Failures by code; the access log has the same codes.", Labels: []string{"code"},
		many: func(c *Counters, p put) {
			for _, f := range c.Failures.counts {
				p(float64(f.n), f.code)
			}
		}},
	{Name: "blitz_local_replies_total", Kind: KindCounter, Unit: "responses", Help: "Responses made by the gateway itself, from routes or for failures.",
		one: func(c *Counters) float64 { return float64(c.LocalReplies) }},
	{Name: "blitz_shed_total", Kind: KindCounter, Unit: "exchanges", Help: "Connections and requests given up for want of buffer memory.",
		one: func(c *Counters) float64 { return float64(c.Shed) }},
	{Name: "blitz_request_duration_seconds", Kind: KindHistogram, Unit: "seconds", Help: "First byte of a request to last byte of its response.",
		durations: func(c *Counters) *Histogram { return &c.RequestTime }},

	{Name: "blitz_upstream_duration_seconds", Kind: KindHistogram, Unit: "seconds", Help: "Whole request sent to an endpoint until the head of its response.",
		durations: func(c *Counters) *Histogram { return &c.UpstreamTime }},
	{Name: "blitz_upstream_connects_total", Kind: KindCounter, Unit: "connections", Help: "Connections started to endpoints.",
		one: func(c *Counters) float64 { return float64(c.UpstreamConnects) }},
	{Name: "blitz_upstream_connect_failures_total", Kind: KindCounter, Unit: "connections", Help: "Connections to endpoints that were refused or failed.",
		one: func(c *Counters) float64 { return float64(c.UpstreamConnectFailures) }},
	{Name: "blitz_upstream_connect_timeouts_total", Kind: KindCounter, Unit: "connections", Help: "Connections to endpoints that took too long.",
		one: func(c *Counters) float64 { return float64(c.UpstreamConnectTimeouts) }},
	{Name: "blitz_upstream_reuses_total", Kind: KindCounter, Unit: "requests", Help: "Requests that found an open connection in the pool.",
		one: func(c *Counters) float64 { return float64(c.UpstreamReuses) }},
	{Name: "blitz_upstream_stale_total", Kind: KindCounter, Unit: "connections", Help: "Pooled connections that turned out to be closed when a request used them.",
		one: func(c *Counters) float64 { return float64(c.UpstreamStale) }},
	{Name: "blitz_upstream_unsolicited_total", Kind: KindCounter, Unit: "connections", Help: "Connections closed because an endpoint sent bytes nobody had asked for.",
		one: func(c *Counters) float64 { return float64(c.UpstreamUnsolicited) }},
	{Name: "blitz_upstream_connections_active", Kind: KindGauge, Unit: "connections", Help: "Open connections to endpoints, in use or not.",
		one: func(c *Counters) float64 { return float64(c.UpstreamActive) }},
	{Name: "blitz_upstream_connections_idle", Kind: KindGauge, Unit: "connections", Help: "Open connections to endpoints that wait in the pool.",
		one: func(c *Counters) float64 { return float64(c.UpstreamIdle) }},
	{Name: "blitz_upstream_retries_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts after the first one.",
		one: func(c *Counters) float64 { return float64(c.UpstreamRetries) }},
	{Name: "blitz_retry_budget_exhausted_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts not made because the retry budget was used up.",
		one: func(c *Counters) float64 { return float64(c.RetryBudgetExhausted) }},
	{Name: "blitz_upstream_try_timeouts_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts given up for another one because they took longer than per_try.",
		one: func(c *Counters) float64 { return float64(c.TryTimeouts) }},
	{Name: "blitz_hedges_total", Kind: KindCounter, Unit: "attempts", Help: "Second attempts beside a slow first one.",
		one: func(c *Counters) float64 { return float64(c.Hedges) }},
	{Name: "blitz_hedge_results_total", Kind: KindCounter, Unit: "attempts", Help: "Hedged requests by the attempt that answered first.", Labels: []string{"first"},
		many: func(c *Counters, p put) {
			p(float64(c.HedgesWon), "hedge")
			p(float64(c.HedgesLost), "original")
		}},
	{Name: "blitz_circuit_breaker_total", Kind: KindCounter, Unit: "requests", Help: "Times that a limit of a whole cluster was in the way: of requests (503), of connections (the request waits), of retries (none is made).", Labels: []string{"limit"},
		many: func(c *Counters, p put) {
			p(float64(c.BreakerRequests), "requests")
			p(float64(c.BreakerConnections), "connections")
			p(float64(c.BreakerRetries), "retries")
		}},
	{Name: "blitz_upstream_overflows_total", Kind: KindCounter, Unit: "requests", Help: "Requests refused because too many waited for a connection.",
		one: func(c *Counters) float64 { return float64(c.UpstreamOverflows) }},
	{Name: "blitz_upstream_aborts_total", Kind: KindCounter, Unit: "requests", Help: "Requests to endpoints that were abandoned because the client's side had ended.",
		one: func(c *Counters) float64 { return float64(c.UpstreamAborts) }},
	{Name: "blitz_mirror_requests_total", Kind: KindCounter, Unit: "requests", Help: "Copies of requests sent to other clusters.",
		one: func(c *Counters) float64 { return float64(c.MirrorRequests) }},
	{Name: "blitz_mirror_skipped_total", Kind: KindCounter, Unit: "requests", Help: "Requests not copied because of a large body.",
		one: func(c *Counters) float64 { return float64(c.MirrorSkipped) }},
	{Name: "blitz_mirror_failures_total", Kind: KindCounter, Unit: "requests", Help: "Copies of requests that failed, or took longer than they may.",
		one: func(c *Counters) float64 { return float64(c.MirrorFailures) }},
	{Name: "blitz_upstream_streams_total", Kind: KindCounter, Unit: "streams", Help: "HTTP/2 streams opened to endpoints.",
		one: func(c *Counters) float64 { return float64(c.UpstreamStreams) }},
	{Name: "blitz_upstream_streams_active", Kind: KindGauge, Unit: "streams", Help: "HTTP/2 streams to endpoints that are open now.",
		one: func(c *Counters) float64 { return float64(c.UpstreamStreamsActive) }},
	{Name: "blitz_upstream_resets_total", Kind: KindCounter, Unit: "streams", Help: "HTTP/2 streams that endpoints reset, refused ones included.",
		one: func(c *Counters) float64 { return float64(c.UpstreamResets) }},
	{Name: "blitz_upstream_refused_total", Kind: KindCounter, Unit: "streams", Help: "HTTP/2 streams that endpoints refused without looking at the request.",
		one: func(c *Counters) float64 { return float64(c.UpstreamRefused) }},
	{Name: "blitz_upstream_goaways_total", Kind: KindCounter, Unit: "frames", Help: "GOAWAY frames of endpoints: their connections take no more requests.",
		one: func(c *Counters) float64 { return float64(c.UpstreamGoAways) }},
	{Name: "blitz_upstream_protocol_errors_total", Kind: KindCounter, Unit: "connections", Help: "HTTP/2 connections ended because the endpoint broke the protocol's rules.",
		one: func(c *Counters) float64 { return float64(c.UpstreamH2Errors) }},
	{Name: "blitz_upstream_ping_timeouts_total", Kind: KindCounter, Unit: "connections", Help: "HTTP/2 connections ended because the endpoint did not answer a PING.",
		one: func(c *Counters) float64 { return float64(c.UpstreamPingTimeouts) }},
	{Name: "blitz_upstream_received_bytes_total", Kind: KindCounter, Unit: "bytes", Help: "Bytes received from endpoints, heads included.",
		one: func(c *Counters) float64 { return float64(c.UpstreamBytesIn) }},
	{Name: "blitz_upstream_sent_bytes_total", Kind: KindCounter, Unit: "bytes", Help: "Bytes sent to endpoints, heads included.",
		one: func(c *Counters) float64 { return float64(c.UpstreamBytesOut) }},

	{Name: "blitz_loop_turns_total", Kind: KindCounter, Unit: "turns", Help: "Turns of the worker's loop.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Turns)) }},
	{Name: "blitz_loop_waits_total", Kind: KindCounter, Unit: "waits", Help: "Turns in which the worker slept in the kernel.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Waits)) }},
	{Name: "blitz_loop_submissions_total", Kind: KindCounter, Unit: "submissions", Help: "Submission queue entries on io_uring, system calls on epoll.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Submitted)) }},
	{Name: "blitz_loop_completions_total", Kind: KindCounter, Unit: "completions", Help: "Completions the worker has handled.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Completions)) }},
	{Name: "blitz_loop_no_buffers_total", Kind: KindCounter, Unit: "receives", Help: "Receives that found no provided buffer and were armed again.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.NoBufs)) }},
	{Name: "blitz_loop_cq_overflows_total", Kind: KindCounter, Unit: "overflows", Help: "Overflows of the completion queue.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.CQOverflow)) }},
	{Name: "blitz_loop_stale_completions_total", Kind: KindCounter, Unit: "completions", Help: "Completions for a socket that had been closed.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Stale)) }},
	{Name: "blitz_loop_accepts_total", Kind: KindCounter, Unit: "connections", Help: "Connections this worker accepted: shows how evenly the kernel spreads them.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Accepts)) }},
	{Name: "blitz_loop_accept_aborts_total", Kind: KindCounter, Unit: "connections", Help: "Connections that were gone before the worker accepted them.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.AcceptAborts)) }},
	{Name: "blitz_loop_sockets", Kind: KindGauge, Unit: "sockets", Help: "Open sockets of the worker, to clients and endpoints.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Sockets)) }},
	{Name: "blitz_loop_timers", Kind: KindGauge, Unit: "timers", Help: "Armed timers of the worker.", Labels: []string{"worker"},
		each: func(w *workerSample, p put) { p(float64(w.Loop.Timers)) }},

	{Name: "blitz_access_log_lines_total", Kind: KindCounter, Unit: "lines", Help: "Lines written to the access log.",
		process: func(s *Samples, p put) { p(float64(s.log.Lines)) }},
	{Name: "blitz_access_log_dropped_total", Kind: KindCounter, Unit: "lines", Help: "Lines dropped because the access log could not keep up.",
		process: func(s *Samples, p put) { p(float64(s.log.Dropped)) }},
	{Name: "blitz_access_log_write_errors_total", Kind: KindCounter, Unit: "errors", Help: "Writes to the access log that failed; their lines are lost.",
		process: func(s *Samples, p put) { p(float64(s.log.WriteErrors)) }},
}
