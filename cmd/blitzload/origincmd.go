package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/loadgen/cpuset"
	"github.com/blitz-gateway/blitz/loadgen/origin"
)

// originCmd is `blitzload origin`.
type originCmd struct {
	Address  string        `required:"" placeholder:"HOST:PORT" help:"Where to listen; port 0 takes a free one. The address is printed once it answers."`
	BodySize int64         `default:"100" placeholder:"N" help:"Size of the default answer's body."`
	Delay    time.Duration `default:"0s" help:"Delay before each default answer."`
	TLS      bool          `name:"tls" help:"Speak TLS, with a certificate made for this run and signed by itself, or with --cert and --key."`
	Cert     string        `type:"existingfile" placeholder:"FILE" help:"Certificate for --tls, PEM."`
	Key      string        `type:"existingfile" placeholder:"FILE" help:"Its key, PEM."`
	Threads  int           `short:"t" default:"1" help:"Number of threads, one loop each."`
	Engine   string        `enum:"auto,uring,epoll" default:"auto" help:"I/O engine: auto, uring or epoll."`
	CPUs     string        `name:"cpus" placeholder:"LIST" help:"Pin thread i to the i-th of these CPUs."`
}

// Help describes the paths.
func (*originCmd) Help() string {
	return strings.Join([]string{
		"The path decides the answer: /bytes/N, /chunked/N (N bytes, in chunks), /delay/50ms, /status/503, /echo (the request's body),",
		"/headers (its head), /close, /stall (half an answer), /never (none); any other path gets the default answer.",
		"SIGUSR1 makes it slow (400 ms), SIGUSR2 makes it reset connections in place of answers, until the same signal comes again; HTTP/1.1 only.",
		"HTTP/2 is spoken to clients that begin with its preface, or agree to it by ALPN. A unary gRPC call gets one message of --body-size bytes,",
		"or, if its method is called Echo, its own message back.",
	}, "\n")
}

// Run implements the command.
func (c *originCmd) Run() error {
	debug.SetGCPercent(400)
	_ = loop.CalmMonitor() // only a saving
	addr, err := resolve(c.Address)
	if err != nil {
		return usageError{err}
	}
	cpus, err := cpuset.Parse(c.CPUs)
	if err != nil {
		return usageError{err}
	}
	cfg, err := c.config(addr)
	if err != nil {
		return usageError{err}
	}
	s, err := origin.New(origin.Options{TLS: cfg, Address: addr, BodySize: c.BodySize, Delay: c.Delay, Threads: c.Threads, Engine: c.Engine, CPUs: cpus})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, s.Stop)
	defer disturb(s)()
	info := s.Info()
	fmt.Fprintf(os.Stderr, "blitzload: origin on %s: %s\n", info.Engine, info.Reason)
	fmt.Println(s.Addr()) // the kernel accepts from here on
	return s.Run()
}

// config returns the configuration of TLS, nil without.
func (c *originCmd) config(addr netip.AddrPort) (*tls.Config, error) {
	files := c.Cert != "" || c.Key != ""
	switch {
	case !c.TLS && files:
		return nil, errors.New("--cert and --key need --tls")
	case !c.TLS:
		return nil, nil
	case files && (c.Cert == "" || c.Key == ""):
		return nil, errors.New("--cert and --key go together")
	}
	s := tlsconf.Server{Policy: tlsconf.Policy{ALPN: []string{"h2", "http/1.1"}}, Tickets: tlsconf.NewTickets()}
	if files {
		s.Certificates = []tlsconf.Certificate{{CertFile: c.Cert, KeyFile: c.Key}}
	} else {
		pair, err := tlsconf.SelfSigned("localhost", "127.0.0.1", "::1", addr.Addr().WithZone("").String())
		if err != nil {
			return nil, err
		}
		s.Pairs = []*tls.Certificate{pair}
	}
	cfg, _, err := s.Build()
	return cfg, err
}

// resolve reads HOST:PORT; an empty host is every address of the machine.
func resolve(s string) (netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if host == "" {
		host = "::"
	}
	a, err := net.ResolveTCPAddr("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return netip.AddrPort{}, err
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}
