package run

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// WriteTable writes a record for people.
func WriteTable(w io.Writer, r *runfmt.Record) error {
	var b strings.Builder
	p, c, e := r.Params, r.Counts, r.Errors
	fmt.Fprintf(&b, "%s %s\n", p.Method, p.URL)
	pace := "closed loop"
	if p.Mode == runfmt.Open {
		pace = fmt.Sprintf("open loop, %s/s offered", number(p.OfferedRate))
		if p.RateSlope != 0 {
			pace += fmt.Sprintf(", %+g/s every second", p.RateSlope)
		}
	}
	fmt.Fprintf(&b, "%s, %s", pace, protocol(r))
	fmt.Fprintf(&b, ", %d connection(s), %d thread(s), %s engine, %.4g s measured", p.Connections, p.Threads, r.Generator.Engine, r.MeasuredSeconds)
	if p.WarmupSeconds > 0 {
		fmt.Fprintf(&b, " after %.4g s", p.WarmupSeconds)
	}
	if p.NewConnectionPerRequest {
		b.WriteString(", a new connection for each request")
	}
	b.WriteString("\n\n")

	fmt.Fprintf(&b, "achieved  %s requests/s, %s/s received\n", number(r.AchievedRate), size(float64(c.BytesReceived)/r.MeasuredSeconds))
	fmt.Fprintf(&b, "requests  %d due, %d sent, %d completed%s\n", c.Requests, c.Sent, c.Completed, codes(c.ByCode))
	fmt.Fprintf(&b, "errors    connect %d, timeout %d, reset %d, protocol %d, status %d", e.Connect, e.Timeout, e.Reset, e.Protocol, e.Status)
	if r.TLS != nil {
		fmt.Fprintf(&b, ", tls %d", e.TLS)
	}
	if p.Protocol == "h2" {
		fmt.Fprintf(&b, ", stream %d, refused %d, goaway %d", e.Stream, e.Refused, e.GoAway)
	}
	b.WriteString("\n")
	for _, s := range e.Samples {
		fmt.Fprintf(&b, "          %s\n", s)
	}
	if t := r.TLS; t != nil {
		fmt.Fprintf(&b, "tls       %d handshakes, %d resumed%s\n", t.Handshakes, t.Resumed, map[bool]string{true: ", certificate not checked"}[t.Unverified])
	}
	fmt.Fprintf(&b, "cost      %.2f µs CPU per request (%.2f s user, %.2f s system, %.2f s waiting for a CPU)\n\n",
		r.Cost.CPUMicrosPerRequest, r.Cost.CPUUserSeconds, r.Cost.CPUSystemSeconds, r.Cost.CPUWaitSeconds)

	tw := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "latency\tmin\tmean\tp50\tp75\tp90\tp99\tp99.9\tp99.99\tmax\t")
	if p.Mode == runfmt.Open {
		row(tw, "response time", r.Latency.Response.Summary)
	}
	row(tw, "service time", r.Latency.Service.Summary)
	if p.Mode == runfmt.Open {
		row(tw, "own lateness", r.Cost.Lateness.Summary)
	}
	_ = tw.Flush()
	if p.Mode == runfmt.Open {
		b.WriteString("(response time: intended start to last byte; service time: send to last byte)\n")
	}

	b.WriteString("\n")
	for _, s := range r.Validity.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", s)
	}
	if r.Validity.Valid {
		b.WriteString("valid\n")
	}
	for _, s := range r.Validity.Reasons {
		fmt.Fprintf(&b, "INVALID: %s\n", s)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// protocol is what was spoken.
func protocol(r *runfmt.Record) string {
	p := r.Params
	text := map[string]string{"h1": "HTTP/1.1", "h2": "HTTP/2"}[p.Protocol]
	switch {
	case p.Handshakes:
		text = "handshakes only"
	case p.GRPC:
		text = "gRPC"
	}
	if p.Streams > 0 {
		text += fmt.Sprintf(" × %d streams", p.Streams)
	}
	if t := r.TLS; t != nil {
		text += fmt.Sprintf(" over %s (%s, %s)", t.Version, t.Suite, t.Group)
	}
	return text
}

func row(w io.Writer, name string, s hdr.Summary) {
	fmt.Fprintf(w, "%s\t", name)
	for _, ns := range []int64{s.Min, int64(s.Mean), s.P50, s.P75, s.P90, s.P99, s.P999, s.P9999, s.Max} {
		fmt.Fprintf(w, "%s\t", short(time.Duration(ns)))
	}
	fmt.Fprintln(w)
}

// short writes a duration with three significant digits, which is what the histogram holds.
func short(d time.Duration) string {
	v, unit := float64(d), "ns"
	switch {
	case d >= time.Second:
		v, unit = d.Seconds(), "s"
	case d >= time.Millisecond:
		v, unit = v/1e6, "ms"
	case d >= time.Microsecond:
		v, unit = v/1e3, "µs"
	}
	digits := 2
	if v >= 100 || unit == "ns" {
		digits = 0
	} else if v >= 10 {
		digits = 1
	}
	return fmt.Sprintf("%.*f %s", digits, v, unit)
}

// number writes a rate without digits that mean nothing.
func number(v float64) string {
	if v >= 1000 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func size(v float64) string {
	for _, u := range []string{"B", "KiB", "MiB"} {
		if v < 1024 {
			return fmt.Sprintf("%.4g %s", v, u)
		}
		v /= 1024
	}
	return fmt.Sprintf("%.4g GiB", v)
}

func codes(by map[string]int64) string {
	var parts []string
	for code, n := range by {
		parts = append(parts, fmt.Sprintf("%s: %d", code, n))
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return " (" + strings.Join(parts, ", ") + ")"
}
