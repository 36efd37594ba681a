package runfmt

import (
	"fmt"
	"math"
	"strconv"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Check tells why the record cannot be true: numbers that contradict one another, summaries that do not follow
// from their histograms. nil means it is consistent.
func (r *Record) Check() error {
	if r.Schema != Schema {
		return fmt.Errorf("schema is %q, this reader knows %q", r.Schema, Schema)
	}
	for _, f := range []func() error{r.checkParams, r.checkCounts, r.checkLatency, r.checkRates, r.checkValidity} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Record) checkParams() error {
	p := r.Params
	switch {
	case p.Mode != Open && p.Mode != Closed:
		return fmt.Errorf("params.mode is %q, expected %q or %q", p.Mode, Open, Closed)
	case p.Mode == Open && !(p.OfferedRate > 0):
		return fmt.Errorf("params.offered_rate is %v in open mode", p.OfferedRate)
	case p.Mode == Closed && (p.OfferedRate != 0 || p.RateSlope != 0):
		return fmt.Errorf("params.offered_rate is %v in closed mode", p.OfferedRate)
	case p.Connections < 1:
		return fmt.Errorf("params.connections is %d", p.Connections)
	case p.Threads < 1:
		return fmt.Errorf("params.threads is %d", p.Threads)
	case p.Streams < 0 || p.Streams > 0 && p.Protocol == "h1":
		return fmt.Errorf("params.streams is %d with %s", p.Streams, p.Protocol)
	case r.TLS != nil && (r.TLS.Resumed < 0 || r.TLS.Handshakes < r.TLS.Resumed):
		return fmt.Errorf("tls has %d resumed of %d handshakes", r.TLS.Resumed, r.TLS.Handshakes)
	case p.Handshakes && r.TLS == nil:
		return fmt.Errorf("params.handshakes without tls")
	case p.URL == "":
		return fmt.Errorf("params.url is empty")
	case r.Start.IsZero():
		return fmt.Errorf("start is missing")
	case !(r.MeasuredSeconds > 0):
		return fmt.Errorf("measured_seconds is %v", r.MeasuredSeconds)
	}
	return nil
}

func (r *Record) checkCounts() error {
	c, e := r.Counts, r.Errors
	for name, v := range map[string]int64{
		"counts.requests": c.Requests, "counts.sent": c.Sent, "counts.completed": c.Completed, "counts.unsent": c.Unsent,
		"counts.unanswered": c.Unanswered, "counts.in_window": c.InWindow, "counts.bytes_sent": c.BytesSent,
		"counts.bytes_received": c.BytesReceived, "counts.body_bytes": c.BodyBytes, "errors.connect": e.Connect,
		"errors.timeout": e.Timeout, "errors.reset": e.Reset, "errors.protocol": e.Protocol, "errors.status": e.Status,
		"connections.opened": r.Connections.Opened, "connections.failed": r.Connections.Failed,
		"connections.closed_by_server": r.Connections.ClosedByServer, "connections.unsolicited": r.Connections.Unsolicited,
		"cost.max_backlog": r.Cost.MaxBacklog,
	} {
		if v < 0 {
			return fmt.Errorf("%s is negative (%d)", name, v)
		}
	}
	if sum := c.Completed + e.Failed() + c.Unsent + c.Unanswered; sum != c.Requests {
		return fmt.Errorf("counts.requests is %d, but completed, failed, unsent and unanswered requests make %d", c.Requests, sum)
	}
	if sent := c.Requests - c.Unsent - e.Connect - e.TLS; sent != c.Sent {
		return fmt.Errorf("counts.sent is %d, but requests without the unsent ones and those without a connection make %d", c.Sent, sent)
	}
	if e.Status > c.Completed {
		return fmt.Errorf("errors.status is %d of only %d completed requests", e.Status, c.Completed)
	}
	if c.BodyBytes > c.BytesReceived {
		return fmt.Errorf("counts.body_bytes is %d of only %d bytes received", c.BodyBytes, c.BytesReceived)
	}
	classes := map[string]int64{}
	var sum int64
	for code, n := range c.ByCode {
		v, err := strconv.Atoi(code)
		if err != nil || v < 100 || v > 999 || n < 0 {
			return fmt.Errorf("counts.by_code has %q: %d", code, n)
		}
		classes[Class(v)] += n
		sum += n
	}
	if want := c.Completed; r.Params.Handshakes && sum != 0 || !r.Params.Handshakes && sum != want {
		return fmt.Errorf("counts.by_code sums to %d, completed are %d", sum, c.Completed)
	}
	if len(classes) != len(c.ByClass) {
		return fmt.Errorf("counts.by_class %v does not follow from by_code %v", c.ByClass, c.ByCode)
	}
	for k, n := range classes {
		if c.ByClass[k] != n {
			return fmt.Errorf("counts.by_class says %d for %s, by_code says %d", c.ByClass[k], k, n)
		}
	}
	return nil
}

// Class returns the class of a status, "2xx" for 204.
func Class(status int) string { return strconv.Itoa(status/100) + "xx" }

func (r *Record) checkLatency() error {
	for _, s := range []struct {
		name  string
		s     Series
		count int64
	}{
		{"latency.response", r.Latency.Response, r.Counts.Completed},
		{"latency.service", r.Latency.Service, r.Counts.Completed},
		{"cost.lateness", r.Cost.Lateness, -1},
	} {
		h, err := s.s.Decode()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if err := same(h.Summary(), s.s.Summary); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		if s.count >= 0 && h.Count() != s.count {
			return fmt.Errorf("%s has %d values for %d completed requests", s.name, h.Count(), s.count)
		}
	}
	if n := r.Cost.Lateness.Count; n > r.Counts.Requests {
		return fmt.Errorf("cost.lateness has %d values for %d requests", n, r.Counts.Requests)
	}
	return nil
}

// same compares a summary with the one recomputed from its histogram.
func same(want, got hdr.Summary) error {
	for _, f := range []struct {
		name      string
		want, got float64
	}{
		{"count", float64(want.Count), float64(got.Count)}, {"min_ns", float64(want.Min), float64(got.Min)},
		{"mean_ns", want.Mean, got.Mean}, {"stdev_ns", want.Stdev, got.Stdev},
		{"p50_ns", float64(want.P50), float64(got.P50)}, {"p75_ns", float64(want.P75), float64(got.P75)},
		{"p90_ns", float64(want.P90), float64(got.P90)}, {"p99_ns", float64(want.P99), float64(got.P99)},
		{"p99_9_ns", float64(want.P999), float64(got.P999)}, {"p99_99_ns", float64(want.P9999), float64(got.P9999)},
		{"max_ns", float64(want.Max), float64(got.Max)},
	} {
		if !near(f.want, f.got) {
			return fmt.Errorf("%s is %v, its histogram says %v", f.name, f.got, f.want)
		}
	}
	return nil
}

// near allows what the sum of many floats may differ by on another machine (fused multiply-add), and no edit.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }

func (r *Record) checkRates() error {
	if want := float64(r.Counts.InWindow) / r.MeasuredSeconds; !near(want, r.AchievedRate) {
		return fmt.Errorf("achieved_rate is %v, but %d responses in %v s make %v", r.AchievedRate, r.Counts.InWindow, r.MeasuredSeconds, want)
	}
	k := r.Cost
	if k.CPUUserSeconds < 0 || k.CPUSystemSeconds < 0 || k.CPUWaitSeconds < 0 {
		return fmt.Errorf("cost has negative CPU time")
	}
	want := 0.0
	if r.Counts.InWindow > 0 {
		want = (k.CPUUserSeconds + k.CPUSystemSeconds) * 1e6 / float64(r.Counts.InWindow)
	}
	if !near(want, k.CPUMicrosPerRequest) {
		return fmt.Errorf("cost.cpu_us_per_request is %v, but CPU seconds over %d responses make %v", k.CPUMicrosPerRequest, r.Counts.InWindow, want)
	}
	return nil
}

func (r *Record) checkValidity() error {
	if v := r.Validity; v.Valid != (len(v.Reasons) == 0) {
		return fmt.Errorf("validity.valid is %v with %d reasons", v.Valid, len(v.Reasons))
	}
	if r.Interrupted && r.Validity.Valid {
		return fmt.Errorf("the run was interrupted and calls itself valid")
	}
	return nil
}
