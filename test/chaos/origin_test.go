//go:build linux

package chaos

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// The test program is its own origin when this variable holds an address to listen on.
const originEnv = "BLITZ_CHAOS_ORIGIN"

// Modes that signals switch on; the same signal switches back.
const (
	slow  = syscall.SIGUSR1
	reset = syscall.SIGUSR2
)

// origin serves until it is killed. Each POST is written down, once for each time it arrives.
func origin(addr string) int {
	posts, err := os.OpenFile(os.Getenv("BLITZ_CHAOS_POSTS"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var isSlow, resets atomic.Bool
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, slow, reset)
	go func() {
		for s := range signals {
			if s == slow {
				isSlow.Store(!isSlow.Load())
			} else {
				resets.Store(!resets.Load())
			}
		}
	}()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	err = http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			fmt.Fprintln(posts, r.URL.Query().Get("id"))
		}
		if resets.Load() {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.(*net.TCPConn).SetLinger(0)
				_ = c.Close()
			}
			return
		}
		if isSlow.Load() {
			time.Sleep(400 * time.Millisecond)
		}
		fmt.Fprintln(w, "ok")
	}))
	fmt.Fprintln(os.Stderr, err)
	return 1
}
