package secure

import (
	"crypto/tls"
	"sync"
	"sync/atomic"

	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
)

// Config is one side's configuration. It does not change, and serves any number of connections of all workers.
type Config struct {
	// Sizer is the policy for record sizes.
	Sizer tlsrec.Sizer
	// MaxHandshakes is how many handshakes of servers one worker has under way; more wait for their turn. 0: no limit.
	MaxHandshakes int
	// MaxWaiting is how many may wait; more are refused. 0: no limit.
	MaxWaiting int

	tls  atomic.Pointer[tls.Config]
	make func() (*tls.Config, error)
	once sync.Once
	err  error
}

// NewConfig makes a Config of what crypto/tls needs; see tlsconf.
func NewConfig(c *tls.Config) *Config {
	cfg := &Config{Sizer: tlsrec.DefaultSizer}
	cfg.tls.Store(c)
	return cfg
}

// LaterConfig makes a Config whose content is made when the first connection asks for it, or Prepare is called, whichever is first.
// Connections wait for it without holding up the loop.
func LaterConfig(f func() (*tls.Config, error)) *Config {
	return &Config{Sizer: tlsrec.DefaultSizer, make: f}
}

// Prepare makes what was left for later, on the calling goroutine.
func (c *Config) Prepare() error {
	if c.tls.Load() != nil {
		return nil
	}
	c.once.Do(func() {
		t, err := c.make()
		if err != nil {
			c.err = err
			return
		}
		c.tls.Store(t)
	})
	return c.err
}

// With is c with other limits. What is made later is made once for both.
func (c *Config) With(maxHandshakes, maxWaiting int) *Config {
	next := &Config{Sizer: c.Sizer, MaxHandshakes: maxHandshakes, MaxWaiting: maxWaiting}
	next.make = func() (*tls.Config, error) {
		err := c.Prepare()
		return c.tls.Load(), err
	}
	next.tls.Store(c.tls.Load())
	return next
}
