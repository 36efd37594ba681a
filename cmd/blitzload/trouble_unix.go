//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/blitz-gateway/blitz/loadgen/origin"
)

// disturb has signals switch the troubles of an origin on and off. The returned function ends that.
func disturb(s *origin.Server) (stop func()) {
	c := make(chan os.Signal, 16)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for sig := range c {
			if sig == syscall.SIGUSR1 {
				s.Toggle(origin.Slow)
			} else {
				s.Toggle(origin.Resetting)
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
		<-done
	}
}
