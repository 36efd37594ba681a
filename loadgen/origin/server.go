package origin

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/loadgen/cpuset"
)

// MaxBody bounds the size of a body in /bytes, /chunked and the options.
const MaxBody = int64(64) << 30

// Options of an origin.
type Options struct {
	// Address to listen on; port 0 takes a free one.
	Address netip.AddrPort
	// BodySize is the size of the default answer's body.
	BodySize int64
	// Delay before every default answer (granularity 1 ms).
	Delay time.Duration
	// Threads is the number of loops, each with a listening socket of its own (default 1).
	Threads int
	// TLS, when set, is spoken on all connections, with the protocols that it offers; it is not changed.
	TLS    *tls.Config
	Engine string // auto (default), uring or epoll
	CPUs   []int  // CPUs to pin thread i to (CPUs[i modulo len])
}

// Server is a listening origin.
type Server struct {
	o       Options
	addr    netip.AddrPort
	workers []*worker
	trouble atomic.Uint32
}

// New binds the address and makes the loops. From here on connections are accepted by the kernel; Run serves them.
func New(o Options) (*Server, error) {
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Threads < 1 || o.BodySize < 0 || o.BodySize > MaxBody || o.Delay < 0 {
		return nil, errors.New("origin: threads, body size and delay must be within their limits")
	}
	if n := o.Threads + 1; runtime.GOMAXPROCS(0) < n {
		runtime.GOMAXPROCS(n)
	}
	s := &Server{o: o, addr: o.Address}
	// The first socket is bound alone: an old process that shares the port (SO_REUSEPORT) would take part of the traffic
	// without a word.
	first, err := loop.Listen(loop.Addr{TCP: s.addr}, loop.ListenOptions{})
	if err != nil {
		return nil, err
	}
	if s.addr, err = loop.LocalAddr(first); err != nil {
		closeFD(first)
		return nil, err
	}
	fds := []int{first}
	if o.Threads > 1 {
		closeFD(first)
		fds = fds[:0]
		for range o.Threads {
			fd, err := loop.Listen(loop.Addr{TCP: s.addr}, loop.ListenOptions{ReusePort: true})
			if err != nil {
				closeFD(fds...)
				return nil, err
			}
			fds = append(fds, fd)
		}
	}
	for i, fd := range fds {
		w, err := newWorker(&s.o)
		if err != nil {
			closeFD(fds[i:]...)
			return nil, err
		}
		w.trouble = &s.trouble
		w.lid = w.loop.Listen(fd, w)
		s.workers = append(s.workers, w)
	}
	return s, nil
}

// Addr is the address it listens on.
func (s *Server) Addr() netip.AddrPort { return s.addr }

// Info says which engine runs.
func (s *Server) Info() loop.Info { return s.workers[0].loop.Info() }

// Run serves until Stop, or until a loop fails.
func (s *Server) Run() error {
	errs := make(chan error, len(s.workers))
	for i, w := range s.workers {
		go func() {
			runtime.LockOSThread() // and never unlocked: a pinned thread ends with its goroutine
			if n := len(s.o.CPUs); n > 0 {
				if err := cpuset.Pin(s.o.CPUs[i%n]); err != nil {
					errs <- err
					return
				}
			}
			errs <- w.loop.Run()
		}()
	}
	var err error
	for range s.workers {
		if e := <-errs; e != nil {
			err = errors.Join(err, fmt.Errorf("origin: %w", e))
			s.Stop()
		}
	}
	return err
}

// Stop ends Run: open connections are closed. From any goroutine.
func (s *Server) Stop() {
	for _, w := range s.workers {
		w.loop.Stop()
	}
}
