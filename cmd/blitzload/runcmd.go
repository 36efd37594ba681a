package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/cpuset"
	"github.com/blitz-gateway/blitz/loadgen/run"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// runCmd is `blitzload run`.
type runCmd struct {
	URL string `arg:"" optional:"" help:"What to request: http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH."`

	Protocol   string  `enum:"h1,h2,h3" default:"h1" help:"Protocol: h1, or h2 (with prior knowledge for http, by ALPN for https). h3 is not built yet."`
	Rate       rate    `placeholder:"N" help:"Open loop (the default way of working): N requests per second start when they are due, whatever the server does, and latency counts from then. Also 90/m."`
	RateSlope  float64 `placeholder:"N" help:"Change of the rate, in requests per second every second."`
	ClosedLoop bool    `help:"Each connection sends its next request as soon as the last one is answered: for saturation, not for latency."`

	Connections int           `short:"c" required:"" placeholder:"N" help:"Number of connections."`
	Duration    time.Duration `short:"d" required:"" placeholder:"D" help:"Length of the measured window."`
	Warmup      time.Duration `default:"0s" help:"Load of the same kind before it, which is not counted."`
	StartAt     startAt       `placeholder:"UNIXTIME" help:"Begin (with the warm-up, if there is one) at this time by this machine's clock, in seconds since 1970 with up to nine decimals, so that several generators begin at one agreed instant. Connections are opened before; if they do not stand by then, the run fails."`
	Streams     int           `placeholder:"N" help:"HTTP/2: requests at once on each connection (default 1)."`
	Threads     int           `short:"t" default:"1" help:"Number of threads, one loop each."`
	Timeout     time.Duration `default:"10s" help:"Time limit of a request and of a connect."`

	Method               string   `short:"X" help:"Method (default: GET, POST with a body)."`
	Header               []string `short:"H" sep:"none" placeholder:"K:V" help:"Header field, repeatable."`
	Body                 string   `type:"existingfile" placeholder:"FILE" xor:"body" help:"File to send as the body."`
	BodySize             int64    `placeholder:"N" xor:"body" help:"Send a body of N bytes."`
	Targets              string   `type:"existingfile" placeholder:"FILE" help:"Requests to send in turn, in vegeta's HTTP format, instead of URL."`
	GRPC                 bool     `name:"grpc" help:"Unary gRPC calls: the body is one message, the answer must be one with grpc-status 0. Implies --protocol h2; sizes are of messages."`
	ConnectionPerRequest bool     `help:"Open a new connection for each request."`
	ExpectStatus         int      `placeholder:"N" help:"The status each response must have (default: any below 400)."`
	ExpectBodySize       int64    `default:"-1" placeholder:"N" help:"The size each response body must have (default: any)."`

	tlsFlags `embed:""`

	Engine      string        `enum:"auto,uring,epoll" default:"auto" help:"I/O engine: auto, uring or epoll."`
	BusyPoll    time.Duration `default:"0s" help:"Spin so long before sleeping: more exact starts, more CPU."`
	CPUs        string        `name:"cpus" placeholder:"LIST" help:"Pin thread i to the i-th of these CPUs, such as 2-3."`
	MaxLateness time.Duration `default:"1ms" help:"The run is invalid when the generator itself was later than this at the 99th percentile."`

	JSON     string        `name:"json" placeholder:"FILE" help:"Write the run record (schema ${schema})."`
	Hlog     string        `placeholder:"FILE" help:"Write an HdrHistogram interval log: response and service time for each interval."`
	Interval time.Duration `default:"1s" help:"Length of the intervals of --hlog and of the progress line, 10ms or more."`
	Hgrm     string        `placeholder:"FILE" help:"Write the percentiles of the response time; those of the service time go beside it, to NAME.service.EXT."`
	Quiet    bool          `short:"q" help:"No progress and no table."`
}

// maxBody bounds --body-size: the body is held in memory, once.
const maxBody = 1 << 30

// Run implements the command.
func (c *runCmd) Run() error {
	// Little is allocated during a run; let what there is pile up rather than collect it beside the loop.
	debug.SetGCPercent(400)
	_ = loop.CalmMonitor() // only a saving
	o, closeLog, err := c.options()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once

	p := newProgress(os.Stderr, c.Quiet)
	o.Progress = p.show
	res, err := run.Run(ctx, o)
	p.clear()
	if err = errors.Join(err, closeLog()); err != nil {
		return err
	}
	if err := c.write(res); err != nil {
		return err
	}
	if !c.Quiet {
		if err := run.WriteTable(os.Stdout, res.Record); err != nil {
			return err
		}
	}
	switch r := res.Record; {
	case r.Interrupted:
		return exitStatus(exitInterrupted)
	case !r.Validity.Valid:
		if c.Quiet {
			fmt.Fprintf(os.Stderr, "blitzload: the run is invalid: %s\n", strings.Join(r.Validity.Reasons, "; "))
		}
		return exitStatus(exitInvalid)
	}
	return nil
}

// options turns the flags into options. closeLog closes the interval log and must be called.
func (c *runCmd) options() (o run.Options, closeLog func() error, err error) {
	closeLog = func() error { return nil }
	switch {
	case c.Protocol == "h3":
		return o, closeLog, usageError{errors.New("--protocol h3 is not built yet, only h1 and h2")}
	case c.Rate == 0 && !c.ClosedLoop:
		return o, closeLog, usageError{errors.New("say --rate N for an open loop, where requests start when they are due, or --closed-loop to saturate the server")}
	case c.Rate != 0 && c.ClosedLoop:
		return o, closeLog, usageError{errors.New("--rate and --closed-loop exclude each other: in a closed loop the server sets the pace")}
	case (c.URL == "") == (c.Targets == ""):
		return o, closeLog, usageError{errors.New("give either a URL or --targets FILE")}
	case c.BodySize < 0 || c.BodySize > maxBody:
		return o, closeLog, usageError{fmt.Errorf("--body-size %d: expected 0 to %d", c.BodySize, maxBody)}
	}
	cpus, err := cpuset.Parse(c.CPUs)
	if err != nil {
		return o, closeLog, usageError{err}
	}
	w, err := c.workload()
	if err != nil {
		return o, closeLog, usageError{err}
	}
	cfg, alpn, err := c.config(w, c.Protocol)
	if err != nil {
		return o, closeLog, usageError{err}
	}
	o = run.Options{
		H2: c.Protocol == "h2" && !c.Handshakes, Streams: c.Streams, GRPC: c.GRPC, TLS: cfg, ALPN: alpn, Resume: c.Resume, Handshakes: c.Handshakes,
		Workload: w, Rate: float64(c.Rate), Slope: c.RateSlope, Closed: c.ClosedLoop, Connections: c.Connections, Threads: c.Threads,
		Duration: c.Duration, Warmup: c.Warmup, StartAt: c.StartAt.Time, Timeout: c.Timeout, PerRequest: c.ConnectionPerRequest, Engine: c.Engine,
		CPUs: cpus, CPUList: c.CPUs, BusyPoll: c.BusyPoll, ExpectStatus: c.ExpectStatus, ExpectBody: c.ExpectBodySize,
		MaxLateness: c.MaxLateness, Interval: c.Interval, Command: append([]string{"blitzload"}, os.Args[1:]...), Version: version(),
	}
	if c.Hlog != "" {
		f, err := os.Create(c.Hlog)
		if err != nil {
			return o, closeLog, err
		}
		o.IntervalLog, closeLog = f, f.Close
	}
	return o, closeLog, nil
}

func (c *runCmd) workload() (*workload.Workload, error) {
	if c.GRPC {
		c.Protocol = "h2"
	}
	s := workload.Spec{URL: c.URL, Method: c.Method, Headers: c.Header, Close: c.ConnectionPerRequest, H2: c.Protocol == "h2", GRPC: c.GRPC}
	if c.BodySize > 0 {
		s.Body = bytes.Repeat([]byte{'x'}, int(c.BodySize))
	}
	if c.Body != "" {
		b, err := os.ReadFile(c.Body)
		if err != nil {
			return nil, err
		}
		s.Body = b
	}
	if c.Targets != "" {
		f, err := os.Open(c.Targets)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		s.Targets = f
	}
	return workload.New(s)
}

// write writes the record and the percentile tables.
func (c *runCmd) write(res *run.Result) error {
	if c.JSON != "" {
		if err := runfmt.WriteFile(c.JSON, res.Record); err != nil {
			return err
		}
	}
	if c.Hgrm == "" {
		return nil
	}
	ext := filepath.Ext(c.Hgrm)
	return errors.Join(
		writePercentiles(c.Hgrm, res.Response),
		writePercentiles(strings.TrimSuffix(c.Hgrm, ext)+".service"+ext, res.Service))
}

func writePercentiles(path string, h *hdr.Histogram) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(h.WritePercentiles(io.Writer(f)), f.Close())
}
