package runfmt

import (
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Sum makes one record of several that asked the same of one server, at once from several generators or one after the other: counts are added, histograms merged,
// and percentiles come from the merged ones. The zero value is empty.
type Sum struct {
	rec                         Record
	response, service, lateness *hdr.Histogram
}

// Add adds a record, which is not changed. The first one gives the parameters, the start and the length of the window.
func (s *Sum) Add(r *Record) error {
	if s.response == nil {
		s.response, s.service, s.lateness = hdr.New(), hdr.New(), hdr.New()
		s.rec = *r
		s.rec.Counts, s.rec.Errors, s.rec.Connections, s.rec.Cost = Counts{ByCode: map[string]int64{}, ByClass: map[string]int64{}}, Errors{}, Connections{}, Cost{}
		s.rec.Validity = Validity{Valid: true, Reasons: []string{}}
	} else if t := r.TLS; t != nil && s.rec.TLS != nil {
		sum := *s.rec.TLS
		sum.Handshakes += t.Handshakes
		sum.Resumed += t.Resumed
		s.rec.TLS = &sum
	}
	for _, h := range []struct {
		to   *hdr.Histogram
		from Series
	}{{s.response, r.Latency.Response}, {s.service, r.Latency.Service}, {s.lateness, r.Cost.Lateness}} {
		if h.from.Histogram == "" {
			continue // in a closed loop nothing can be late
		}
		part, err := h.from.Decode()
		if err != nil {
			return err
		}
		h.to.Merge(part)
	}
	s.rec.Interrupted = s.rec.Interrupted || r.Interrupted
	s.rec.Counts.add(r.Counts)
	s.rec.Errors.Add(r.Errors)
	s.rec.Connections.add(r.Connections)
	c := &s.rec.Cost
	c.CPUUserSeconds += r.Cost.CPUUserSeconds
	c.CPUSystemSeconds += r.Cost.CPUSystemSeconds
	c.CPUWaitSeconds += r.Cost.CPUWaitSeconds
	c.MaxBacklog = max(c.MaxBacklog, r.Cost.MaxBacklog)
	return nil
}

// Record of all, over a window of so many seconds in all. Its Validity is empty: whether it may be believed is for the caller to judge.
func (s *Sum) Record(seconds float64) (*Record, error) {
	out := s.rec
	out.MeasuredSeconds = seconds
	out.AchievedRate = float64(out.Counts.InWindow) / seconds
	if n := out.Counts.InWindow; n > 0 {
		out.Cost.CPUMicrosPerRequest = (out.Cost.CPUUserSeconds + out.Cost.CPUSystemSeconds) * 1e6 / float64(n)
	}
	for _, h := range []struct {
		to   *Series
		from *hdr.Histogram
	}{{&out.Latency.Response, s.response}, {&out.Latency.Service, s.service}, {&out.Cost.Lateness, s.lateness}} {
		var err error
		if *h.to, err = NewSeries(h.from); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

func (c *Counts) add(o Counts) {
	c.Requests += o.Requests
	c.Sent += o.Sent
	c.Completed += o.Completed
	c.Unsent += o.Unsent
	c.Unanswered += o.Unanswered
	c.InWindow += o.InWindow
	c.BytesSent += o.BytesSent
	c.BytesReceived += o.BytesReceived
	c.BodyBytes += o.BodyBytes
	for _, m := range []struct{ to, from map[string]int64 }{{c.ByCode, o.ByCode}, {c.ByClass, o.ByClass}} {
		for k, n := range m.from {
			m.to[k] += n
		}
	}
}

// samplesKept of each record's messages.
const samplesKept = 3

// Add adds the errors of other requests, and the first few of their messages.
func (e *Errors) Add(o Errors) {
	e.Connect += o.Connect
	e.Timeout += o.Timeout
	e.Reset += o.Reset
	e.Protocol += o.Protocol
	e.TLS += o.TLS
	e.Stream += o.Stream
	e.Refused += o.Refused
	e.GoAway += o.GoAway
	e.Status += o.Status
	e.Samples = append(e.Samples[:len(e.Samples):len(e.Samples)], o.Samples[:min(len(o.Samples), samplesKept)]...)
}

func (c *Connections) add(o Connections) {
	c.Opened += o.Opened
	c.Failed += o.Failed
	c.ClosedByServer += o.ClosedByServer
	c.Unsolicited += o.Unsolicited
}
