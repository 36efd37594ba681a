package runfmt

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Schema names this version of the record. It changes whenever a field is added, removed or changes its meaning.
const Schema = "blitz.run/2"

// Modes of generating load.
const (
	// Open: requests start when the schedule says, whatever the server does.
	Open = "open"
	// Closed: each connection starts its next request when the last response has ended.
	Closed = "closed"
)

// Record is one load run.
type Record struct {
	Schema    string    `json:"schema"`
	Generator Generator `json:"generator"`
	// Command is the command line, program name first. It is empty when the run was started from Go.
	Command []string `json:"command,omitempty"`
	Params  Params   `json:"params"`
	// Start is the beginning of the measured window, on the wall clock.
	Start time.Time `json:"start"`
	// MeasuredSeconds is the length of the measured window as it came to be: shorter than asked for after an interrupt.
	MeasuredSeconds float64 `json:"measured_seconds"`
	// Interrupted: a signal ended the run early.
	Interrupted bool   `json:"interrupted,omitempty"`
	Counts      Counts `json:"counts"`
	// AchievedRate is responses per second in the window; see the package comment.
	AchievedRate float64     `json:"achieved_rate"`
	Errors       Errors      `json:"errors"`
	Connections  Connections `json:"connections"`
	// TLS is what was negotiated; nil without TLS.
	TLS      *TLS     `json:"tls,omitempty"`
	Latency  Latency  `json:"latency"`
	Cost     Cost     `json:"cost"`
	Validity Validity `json:"validity"`
}

// Generator says what made the load.
type Generator struct {
	Name      string `json:"name"`
	Version   string `json:"version"`
	GoVersion string `json:"go_version"`
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	// Engine that ran ("uring" or "epoll") and why it was chosen.
	Engine       string `json:"engine"`
	EngineReason string `json:"engine_reason,omitempty"`
}

// Params are what was asked for.
type Params struct {
	URL      string `json:"url"`
	Targets  int    `json:"targets"` // number of different requests sent in turn, usually 1
	Method   string `json:"method"`  // of the first target
	Protocol string `json:"protocol"`
	Mode     string `json:"mode"`
	// OfferedRate is requests per second at the start of the run, RateSlope its change in requests per second per
	// second. Both are 0 in closed mode.
	OfferedRate     float64 `json:"offered_rate,omitempty"`
	RateSlope       float64 `json:"rate_slope,omitempty"`
	Connections     int     `json:"connections"`
	Threads         int     `json:"threads"`
	Engine          string  `json:"engine"` // auto, uring or epoll
	CPUs            string  `json:"cpus,omitempty"`
	DurationSeconds float64 `json:"duration_seconds"`
	WarmupSeconds   float64 `json:"warmup_seconds"`
	TimeoutSeconds  float64 `json:"timeout_seconds"`
	// RequestBytes is the size of the first request, head and body.
	RequestBytes int `json:"request_bytes"`
	// NewConnectionPerRequest: every request opens its own connection.
	NewConnectionPerRequest bool `json:"new_connection_per_request,omitempty"`
	// Streams is how many requests a connection has at once at most; HTTP/2 only.
	Streams int `json:"streams,omitempty"`
	// GRPC: every request is a unary call, and its answer was checked to be one message with grpc-status 0. Sizes of bodies are
	// those of messages.
	GRPC bool `json:"grpc,omitempty"`
	// Handshakes: a request is a TLS handshake on a connection of its own and nothing more. There are no statuses.
	Handshakes bool `json:"handshakes,omitempty"`
	// ExpectStatus is the status each response must have; 0: any below 400.
	ExpectStatus int `json:"expect_status,omitempty"`
	// ExpectBodySize is the size each response body must have; negative: any.
	ExpectBodySize int64 `json:"expect_body_size"`
}

// Counts of the measured requests.
type Counts struct {
	// Requests is how many were due in the window: scheduled (open) or started (closed).
	Requests int64 `json:"requests"`
	// Sent is how many were handed to a connection that stood.
	Sent      int64 `json:"sent"`
	Completed int64 `json:"completed"`
	// Unsent is how many were still waiting for a connection when the run ended, Unanswered how many had been sent and
	// were given up then.
	Unsent     int64 `json:"unsent"`
	Unanswered int64 `json:"unanswered"`
	// InWindow is how many responses ended inside the window, warm-up requests included.
	InWindow int64 `json:"in_window"`
	// ByCode and ByClass ("2xx") count completed requests by status.
	ByCode  map[string]int64 `json:"by_code"`
	ByClass map[string]int64 `json:"by_class"`
	// BytesSent and BytesReceived are payload bytes of the sockets for measured requests: heads and bodies. BodyBytes is
	// the part of BytesReceived that was body, without chunk framing. In HTTP/2, where requests share frames and tables, the
	// first two are all bytes of the connections from the beginning of the window on, frames included. TLS's own bytes are not
	// counted.
	BytesSent     int64 `json:"bytes_sent"`
	BytesReceived int64 `json:"bytes_received"`
	BodyBytes     int64 `json:"body_bytes"`
}

// Errors of the measured requests, by kind. A request has at most one kind, and with any but the last it is not completed.
type Errors struct {
	Connect  int64 `json:"connect"`  // no connection could be made
	Timeout  int64 `json:"timeout"`  // no whole response in time
	Reset    int64 `json:"reset"`    // the connection ended or broke before the response was whole
	Protocol int64 `json:"protocol"` // the response was not well-formed HTTP
	TLS      int64 `json:"tls"`      // the TLS handshake failed
	Stream   int64 `json:"stream"`   // HTTP/2: the server ended the request with RST_STREAM
	Refused  int64 `json:"refused"`  // HTTP/2: the server says that it has not looked at it (REFUSED_STREAM, GOAWAY)
	GoAway   int64 `json:"goaway"`   // HTTP/2: the server ended the connection with GOAWAY and an error
	Status   int64 `json:"status"`   // completed, but with a status or body size that was not expected
	// Samples holds the first few messages, for people.
	Samples []string `json:"samples,omitempty"`
}

// Failed is the number of requests that did not complete because of an error.
func (e Errors) Failed() int64 {
	return e.Connect + e.Timeout + e.Reset + e.Protocol + e.TLS + e.Stream + e.Refused + e.GoAway
}

// Total is the number of requests with an error of any kind.
func (e Errors) Total() int64 { return e.Failed() + e.Status }

// Connections over the whole run, warm-up included.
type Connections struct {
	Opened         int64 `json:"opened"`
	Failed         int64 `json:"failed"`
	ClosedByServer int64 `json:"closed_by_server"` // in order, between two requests
	// Unsolicited is how many were closed because bytes came that no request had asked for.
	Unsolicited int64 `json:"unsolicited"`
}

// TLS is what the handshakes settled, and how many there were over the whole run, warm-up included.
type TLS struct {
	// Version ("TLSv1.3"), Suite and Group by their IANA names, and ALPN as one connection had them.
	Version string `json:"version"`
	Suite   string `json:"suite"`
	Group   string `json:"group"`
	ALPN    string `json:"alpn,omitempty"`
	// Resume: handshakes had to resume a session.
	Resume     bool  `json:"resume,omitempty"`
	Handshakes int64 `json:"handshakes"`
	Resumed    int64 `json:"resumed"`
	// Unverified: the server's certificate was not checked.
	Unverified bool `json:"unverified,omitempty"`
}

// Latency of the completed requests, twice.
type Latency struct {
	// Response time: intended start → last byte. It includes the time a request waited because all connections were busy,
	// so a stall of the server shows in every request that should have started during it. In closed mode there is no
	// intended start, and Response equals Service.
	Response Series `json:"response"`
	// Service time: send → last byte. A new connection that the request had to open counts. This is what a generator
	// reports that waits for the server before it starts its clock.
	Service Series `json:"service"`
}

// Series is a summary with the histogram it was made from.
type Series struct {
	hdr.Summary
	// Histogram is HdrHistogram's V2 format, deflated, base64.
	Histogram string `json:"histogram"`
}

// NewSeries digests a histogram.
func NewSeries(h *hdr.Histogram) (Series, error) {
	s, err := h.Encode()
	return Series{Summary: h.Summary(), Histogram: s}, err
}

// Decode returns the histogram.
func (s Series) Decode() (*hdr.Histogram, error) { return hdr.Decode(s.Histogram) }

// Cost is what the generator itself used, over the window.
type Cost struct {
	CPUUserSeconds   float64 `json:"cpu_user_seconds"`
	CPUSystemSeconds float64 `json:"cpu_system_seconds"`
	// CPUWaitSeconds is how long the loop threads were ready to run and waited for a CPU, summed over the threads: responses
	// that arrived meanwhile look late, and no other number shows it. 0 where the kernel does not tell.
	CPUWaitSeconds float64 `json:"cpu_wait_seconds"`
	// CPUMicrosPerRequest is user and system time together per response that ended in the window.
	CPUMicrosPerRequest float64 `json:"cpu_us_per_request"`
	// Lateness is how much later than it could have a request was sent: the clock after the turn that sent it, minus the
	// later of its intended start and the moment its connection became free. It is the generator's own fault, never
	// the server's. Empty in closed mode.
	Lateness Series `json:"lateness"`
	// MaxBacklog is the largest number of due requests that waited for a free connection.
	MaxBacklog int64 `json:"max_backlog"`
}

// Validity is the generator's judgement of its own run.
type Validity struct {
	Valid bool `json:"valid"`
	// Reasons why not; empty exactly when Valid.
	Reasons []string `json:"reasons"`
	// Warnings do not make a run invalid.
	Warnings []string `json:"warnings,omitempty"`
}
