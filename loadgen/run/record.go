package run

import (
	"errors"
	"runtime"
	"strconv"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
)

// result turns the sum of all counters into the record.
func (s *session) result(p *recorder.Part) (*Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to := s.plan.To
	if s.interrupts != 0 {
		to = min(to, s.interrupts)
	}
	if to <= s.plan.From {
		return nil, ErrInterruptedEarly
	}
	r := &runfmt.Record{
		Schema:          runfmt.Schema,
		Command:         s.o.Command,
		Params:          s.params(),
		Start:           s.wall.Round(0).UTC(),
		MeasuredSeconds: float64(to-s.plan.From) / 1e9,
		Interrupted:     to < s.plan.To,
		Counts:          counts(p),
		Errors: runfmt.Errors{
			Connect: p.Errors[recorder.Connect], Timeout: p.Errors[recorder.Timeout], Reset: p.Errors[recorder.Reset],
			Protocol: p.Errors[recorder.Protocol], Status: p.StatusErrors, Samples: p.Samples,
			TLS: p.Errors[recorder.TLS], Stream: p.Errors[recorder.StreamEnd], Refused: p.Errors[recorder.Refused], GoAway: p.Errors[recorder.GoAway],
		},
		Connections: runfmt.Connections{
			Opened: p.Opened, Failed: p.ConnectFailures, ClosedByServer: p.ClosedByServer, Unsolicited: p.Unsolicited,
		},
	}
	r.TLS = s.tls(p)
	info := s.clients[0].Info()
	r.Generator = runfmt.Generator{
		Name: "blitzload", Version: s.o.Version, GoVersion: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Engine: info.Engine, EngineReason: info.Reason,
	}
	r.AchievedRate = float64(r.Counts.InWindow) / r.MeasuredSeconds
	r.Cost = runfmt.Cost{CPUUserSeconds: s.user, CPUSystemSeconds: s.sys, CPUWaitSeconds: float64(s.cpuWait) / 1e9, MaxBacklog: p.MaxBacklog}
	if n := r.Counts.InWindow; n > 0 {
		r.Cost.CPUMicrosPerRequest = (s.user + s.sys) * 1e6 / float64(n)
	}
	err := errors.Join(series(&r.Latency.Response, p.Response), series(&r.Latency.Service, p.Service), series(&r.Cost.Lateness, p.Lateness))
	if err != nil {
		return nil, err
	}
	r.Validity = runfmt.Judge(r, s.o.MaxLateness)
	return &Result{Record: r, Response: p.Response, Service: p.Service}, nil
}

func series(dst *runfmt.Series, h *hdr.Histogram) (err error) {
	*dst, err = runfmt.NewSeries(h)
	return err
}

// tls tells what the handshakes came to. It is of the first thread that made one, for all talk to the same server.
func (s *session) tls(p *recorder.Part) *runfmt.TLS {
	if s.o.TLS == nil {
		return nil
	}
	t := &runfmt.TLS{Resume: s.o.Resume, Handshakes: p.Handshakes, Resumed: p.Resumed, Unverified: s.o.TLS.InsecureSkipVerify}
	for _, c := range s.clients {
		if st := c.TLS(); st != nil {
			t.Version, t.Suite, t.Group, t.ALPN = st.VersionName(), st.SuiteName(), st.Group.String(), st.ALPN
			break
		}
	}
	return t
}

func (s *session) params() runfmt.Params {
	o := &s.o
	mode := runfmt.Open
	if o.Closed {
		mode = runfmt.Closed
	}
	protocol := "h1"
	if o.H2 || o.Handshakes && o.ALPN == "h2" {
		protocol = "h2"
	}
	return runfmt.Params{
		URL: o.Workload.URL, Targets: len(o.Workload.Requests), Method: o.Workload.Method, Protocol: protocol, Mode: mode,
		Streams: o.Streams, GRPC: o.GRPC, Handshakes: o.Handshakes,
		OfferedRate: o.Rate, RateSlope: o.Slope, Connections: o.Connections, Threads: o.Threads, Engine: o.Engine, CPUs: o.CPUList,
		DurationSeconds: o.Duration.Seconds(), WarmupSeconds: o.Warmup.Seconds(), TimeoutSeconds: o.Timeout.Seconds(),
		RequestBytes: o.Workload.Requests[0].Size(), NewConnectionPerRequest: o.PerRequest,
		ExpectStatus: o.ExpectStatus, ExpectBodySize: o.ExpectBody,
	}
}

func counts(p *recorder.Part) runfmt.Counts {
	c := runfmt.Counts{
		Requests: p.Requests, Sent: p.Sent, Completed: p.Completed, Unsent: p.Unsent, Unanswered: p.Unanswered, InWindow: p.InWindow,
		ByCode: map[string]int64{}, ByClass: map[string]int64{},
		BytesSent: p.BytesSent, BytesReceived: p.BytesReceived, BodyBytes: p.BodyBytes,
	}
	for code, n := range p.Codes {
		if n > 0 {
			c.ByCode[strconv.Itoa(code)] = n
			c.ByClass[runfmt.Class(code)] += n
		}
	}
	return c
}
