package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/loadgen/slo"
)

// findCmd is `blitzload find`.
type findCmd struct {
	URL string `arg:"" help:"What to request: http://HOST[:PORT]/PATH or https://HOST[:PORT]/PATH."`
	SLO string `name:"slo" required:"" placeholder:"'p99<1ms,…'" help:"Objective: percentiles of the response time (p99<1ms) and the share of failed requests (errors<0.1%), comma-separated; all must hold."`

	From       rate          `default:"100" placeholder:"N" help:"Rate to begin with."`
	Factor     float64       `default:"2" placeholder:"F" help:"First step up or down from there, as a factor, at most 4; each further one is the square of the last. Small where the answer is nearly known."`
	To         rate          `default:"10000000" placeholder:"N" help:"Highest rate to try."`
	Resolution float64       `default:"0.05" help:"How close the rate that holds and the one that does not must come: 0.05 is 5 %."`
	Confirm    int           `default:"3" help:"Loads in a row that must hold."`
	Step       time.Duration `default:"2s" help:"Measured window of each load."`
	Budget     time.Duration `default:"2m" help:"Time after which no further load begins."`

	Protocol             string        `enum:"h1,h2" default:"h1" help:"Protocol: h1 or h2."`
	Connections          int           `short:"c" default:"64" help:"Number of connections."`
	Streams              int           `placeholder:"N" help:"HTTP/2: requests at once on each connection (default 1)."`
	Threads              int           `short:"t" default:"1" help:"Number of threads, one loop each."`
	Warmup               time.Duration `default:"200ms" help:"Load before each window that is not counted."`
	Timeout              time.Duration `default:"10s" help:"Time limit of a request and of a connect."`
	Method               string        `short:"X" help:"Method (default: GET, POST with a body)."`
	Header               []string      `short:"H" sep:"none" placeholder:"K:V" help:"Header field, repeatable."`
	BodySize             int64         `placeholder:"N" help:"Send a body of N bytes."`
	GRPC                 bool          `name:"grpc" help:"Unary gRPC calls."`
	ConnectionPerRequest bool          `help:"Open a new connection for each request."`
	ExpectStatus         int           `placeholder:"N" help:"The status each response must have (default: any below 400)."`
	ExpectBodySize       int64         `default:"-1" placeholder:"N" help:"The size each response body must have (default: any)."`

	tlsFlags `embed:""`

	Engine      string        `enum:"auto,uring,epoll" default:"auto" help:"I/O engine: auto, uring or epoll."`
	CPUs        string        `name:"cpus" placeholder:"LIST" help:"Pin thread i to the i-th of these CPUs, such as 2-3."`
	MaxLateness time.Duration `default:"1ms" help:"A load does not count as held when the generator itself was later than this at the 99th percentile."`
	JSON        string        `name:"json" placeholder:"FILE" help:"Write the record of the search (schema ${searchSchema})."`
	Quiet       bool          `short:"q" help:"Only the rate that was found, or nothing."`
}

// Help says how it is sought.
func (*findCmd) Help() string {
	return "Open loops at rates that rise, or fall, in growing steps until one holds the objective and one does not, then bisection, then repeated confirmation of the highest rate that held. " +
		"Exit status: 0 found; 3 no rate holds, the time was used up, or the generator was the limit (what is known is printed and in the record)."
}

// Run implements the command.
func (c *findCmd) Run() error {
	debug.SetGCPercent(400)
	_ = loop.CalmMonitor() // only a saving
	want, err := slo.ParseObjective(c.SLO)
	if err != nil {
		return usageError{err}
	}
	if c.Step <= 0 {
		return usageError{errors.New("--step must be more than 0")}
	}
	each := runCmd{
		URL: c.URL, Protocol: c.Protocol, Rate: c.From, Connections: c.Connections, Duration: c.Step, Warmup: c.Warmup, Streams: c.Streams, Threads: c.Threads,
		Timeout: c.Timeout, Method: c.Method, Header: c.Header, BodySize: c.BodySize, GRPC: c.GRPC, ConnectionPerRequest: c.ConnectionPerRequest,
		ExpectStatus: c.ExpectStatus, ExpectBodySize: c.ExpectBodySize, tlsFlags: c.tlsFlags, Engine: c.Engine, CPUs: c.CPUs, MaxLateness: c.MaxLateness,
	}
	o, _, err := each.options()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	began := time.Now().UTC().Round(time.Millisecond)
	var last runfmt.Record
	var log io.Writer = os.Stderr
	if c.Quiet {
		log = io.Discard
	}
	s, err := slo.Find(ctx, slo.Loads(o, want, &last), slo.Options{
		From: float64(c.From), Factor: c.Factor, To: float64(c.To), Resolution: c.Resolution, Confirm: c.Confirm, Budget: c.Budget,
		Progress: func(p runfmt.Probe) { fmt.Fprintln(log, probeLine(p)) },
	})
	if err != nil {
		return err
	}
	s.Schema, s.Generator, s.Command, s.Params, s.Start, s.Objective = runfmt.SearchSchema, last.Generator, o.Command, last.Params, began, want.String()
	s.Params.OfferedRate = 0
	if c.JSON != "" {
		if err := runfmt.WriteSearch(c.JSON, s); err != nil {
			return err
		}
	}
	return c.tell(s, ctx.Err() != nil)
}

func (c *findCmd) tell(s *runfmt.Search, interrupted bool) error {
	if c.Quiet && s.Rate > 0 {
		fmt.Printf("%g\n", s.Rate)
	} else if !c.Quiet {
		fmt.Printf("%s: %.0f requests/s", s.Objective, s.Rate)
		if s.Rate > 0 {
			fmt.Printf(" held in %d loads of %v in a row", s.Confirmed, c.Step)
		}
		if s.FailedAt > 0 {
			fmt.Printf("; %.0f/s did not", s.FailedAt)
		}
		fmt.Println()
		if s.Reason != "" {
			fmt.Println(s.Reason)
		}
		if s.GeneratorLimited {
			fmt.Println("the generator was the limit: the server may do more")
		}
	}
	switch {
	case interrupted:
		return exitStatus(exitInterrupted)
	case !s.Complete || s.GeneratorLimited:
		return exitStatus(exitInvalid)
	}
	return nil
}

func probeLine(p runfmt.Probe) string {
	word := "holds"
	if !p.Held {
		word = "does not hold: " + fmt.Sprint(p.Why)
	}
	return fmt.Sprintf("%10.0f/s  p50 %v  p99 %v  p99.9 %v  %s", p.Rate, time.Duration(p.P50).Round(time.Microsecond), time.Duration(p.P99).Round(time.Microsecond),
		time.Duration(p.P999).Round(time.Microsecond), word)
}
