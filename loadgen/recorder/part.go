package recorder

import (
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Kind is the kind of an error that keeps a request from completing.
type Kind uint8

// Kinds of errors; the record explains them.
const (
	Connect Kind = iota
	Timeout
	Reset
	Protocol
	TLS       // the TLS handshake failed
	StreamEnd // HTTP/2: RST_STREAM ended the request
	Refused   // HTTP/2: the server says that it has not looked at the request
	GoAway    // HTTP/2: the connection ended after GOAWAY
	kinds
)

// String is the name used in reports.
func (k Kind) String() string {
	return [...]string{"connect", "timeout", "reset", "protocol", "tls", "stream", "refused", "goaway"}[k]
}

// maxSamples bounds the error messages that a part keeps for people.
const maxSamples = 5

// codes is the number of possible statuses: three digits.
const codes = 1000

// Part is what one thread counts during one interval. Counters speak of measured requests unless they say otherwise.
type Part struct {
	// From and To are when the interval began and ended, on the loop's monotonic clock.
	From, To int64
	// Response, Service and Lateness are the histograms of the record.
	Response, Service, Lateness *hdr.Histogram

	Requests, Sent, Completed, Unsent, Unanswered int64
	// InWindow counts responses that ended in the window, of any request.
	InWindow                            int64
	Codes                               [codes]int64
	BytesSent, BytesReceived, BodyBytes int64
	Errors                              [kinds]int64
	StatusErrors                        int64
	Samples                             []string
	MaxBacklog                          int64
	// The connection counters cover the whole run.
	Opened, ConnectFailures, ClosedByServer, Unsolicited int64
	// Handshakes of TLS that ended well, and how many of them resumed a session.
	Handshakes, Resumed int64
}

func newPart() *Part {
	return &Part{Response: hdr.New(), Service: hdr.New(), Lateness: hdr.New()}
}

func (p *Part) reset() {
	r, s, l := p.Response, p.Service, p.Lateness
	r.Reset()
	s.Reset()
	l.Reset()
	*p = Part{Response: r, Service: s, Lateness: l, Samples: p.Samples[:0]}
}

// Add merges another part: counts are added, of the backlog the larger one is kept.
func (p *Part) Add(o *Part) {
	if p.From == 0 || (o.From != 0 && o.From < p.From) {
		p.From = o.From
	}
	p.To = max(p.To, o.To)
	p.Response.Merge(o.Response)
	p.Service.Merge(o.Service)
	p.Lateness.Merge(o.Lateness)
	p.Requests += o.Requests
	p.Sent += o.Sent
	p.Completed += o.Completed
	p.Unsent += o.Unsent
	p.Unanswered += o.Unanswered
	p.InWindow += o.InWindow
	for i, n := range o.Codes {
		p.Codes[i] += n
	}
	p.BytesSent += o.BytesSent
	p.BytesReceived += o.BytesReceived
	p.BodyBytes += o.BodyBytes
	for i, n := range o.Errors {
		p.Errors[i] += n
	}
	p.StatusErrors += o.StatusErrors
	for _, s := range o.Samples {
		p.sample(s)
	}
	p.MaxBacklog = max(p.MaxBacklog, o.MaxBacklog)
	p.Opened += o.Opened
	p.ConnectFailures += o.ConnectFailures
	p.ClosedByServer += o.ClosedByServer
	p.Unsolicited += o.Unsolicited
	p.Handshakes += o.Handshakes
	p.Resumed += o.Resumed
}

// sample keeps the first few different messages.
func (p *Part) sample(s string) {
	if len(p.Samples) >= maxSamples {
		return
	}
	for _, have := range p.Samples {
		if have == s {
			return
		}
	}
	p.Samples = append(p.Samples, s)
}

// Complete counts a response: its times in nanoseconds, its status, the bytes received and how many of them were body.
func (p *Part) Complete(response, service int64, status int, received, body int64) {
	p.Completed++
	p.Response.Record(response)
	p.Service.Record(service)
	if status > 0 && status < codes {
		p.Codes[status]++
	}
	p.BytesReceived += received
	p.BodyBytes += body
}

// Fail counts a request that did not complete. The text of err is kept when it is among the first.
func (p *Part) Fail(k Kind, err error) {
	p.Errors[k]++
	if len(p.Samples) < maxSamples {
		p.sample(k.String() + ": " + err.Error())
	}
}

// Unexpected counts a completed request with a wrong status or size, described by text, which is called only if it is kept.
func (p *Part) Unexpected(text func() string) {
	p.StatusErrors++
	if len(p.Samples) < maxSamples {
		p.sample("status: " + text())
	}
}
