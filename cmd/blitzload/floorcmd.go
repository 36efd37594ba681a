package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/loadgen/floor"
)

// floorCmd is `blitzload floor`.
type floorCmd struct {
	Address  string `required:"" placeholder:"HOST:PORT" help:"Where to listen."`
	Upstream string `placeholder:"HOST:PORT" help:"Pass bytes on to this server instead of answering."`
	Body     string `default:"Hello, World!" help:"Body of the fixed answer."`
	Engine   string `enum:"auto,uring,epoll" default:"auto" help:"I/O engine: auto, uring or epoll."`
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
	runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), 2))
	_ = loop.CalmMonitor() // only a saving
	s, err := floor.New(floor.Options{Address: addr, Upstream: up, Body: c.Body, Engine: c.Engine})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, s.Stop)
	fmt.Println(addr)
	return s.Run()
}
