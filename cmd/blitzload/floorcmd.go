package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/loadgen/floor"
)

// floorCmd is `blitzload floor`.
type floorCmd struct {
	Address  string `required:"" placeholder:"HOST:PORT" help:"Where to listen."`
	Upstream string `placeholder:"HOST:PORT" help:"Pass bytes on to this server instead of answering."`
	Body     string `default:"Hello, World!" help:"Body of the fixed answer."`
	Close    bool   `help:"End each connection with its first answer, and say so."`
	Cert     string `type:"existingfile" placeholder:"FILE" help:"Speak TLS with this certificate, PEM."`
	Key      string `type:"existingfile" placeholder:"FILE" help:"Its key, PEM."`
	Engine   string `enum:"auto,uring,epoll" default:"auto" help:"I/O engine: auto, uring or epoll."`
}

// Help says what it is good for.
func (*floorCmd) Help() string {
	return "HTTP/2 is spoken to clients that begin with its preface, and offered by ALPN; with --upstream, bytes are passed on as they are."
}

// Run implements the command.
func (c *floorCmd) Run() error {
	addr, err := resolve(c.Address)
	if err != nil {
		return usageError{err}
	}
	var up netip.AddrPort
	if c.Upstream != "" {
		if up, err = resolve(c.Upstream); err != nil {
			return usageError{err}
		}
	}
	var cfg *tls.Config
	if c.Cert != "" || c.Key != "" {
		if c.Cert == "" || c.Key == "" {
			return usageError{errors.New("--cert and --key go together")}
		}
		b := tlsconf.Server{Policy: tlsconf.Policy{ALPN: []string{"h2", "http/1.1"}}, Tickets: tlsconf.NewTickets(), Certificates: []tlsconf.Certificate{{CertFile: c.Cert, KeyFile: c.Key}}}
		if cfg, _, err = b.Build(); err != nil {
			return usageError{err}
		}
	}
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 2))
	_ = loop.CalmMonitor() // only a saving
	s, err := floor.New(floor.Options{Address: addr, Upstream: up, Body: c.Body, TLS: cfg, Close: c.Close, Engine: c.Engine})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, s.Stop)
	fmt.Println(addr)
	return s.Run()
}
