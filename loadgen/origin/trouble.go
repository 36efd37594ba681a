package origin

import "time"

// Trouble is what an origin can be told to do wrong while it runs, for tests of what stands before it. HTTP/2 connections are left in peace.
type Trouble uint32

// Troubles; they add up.
const (
	// Slow: each answer is begun SlowBy later than otherwise.
	Slow Trouble = 1 << iota
	// Resetting: each request is met with a reset of its connection.
	Resetting
)

// SlowBy is the delay of a slow origin.
const SlowBy = 400 * time.Millisecond

// Toggle switches a trouble on, or off again. It is called from one goroutine at a time; requests that are read from then on meet it.
func (s *Server) Toggle(t Trouble) { s.trouble.Store(s.trouble.Load() ^ uint32(t)) }

// disturb makes a request meet the trouble. It tells whether the connection is gone.
func (k *conn) disturb(t Trouble, p *plan) (gone bool) {
	if t&Resetting != 0 {
		k.closing = true
		k.w.loop.Reset(k.link.ID)
		return true
	}
	p.standard = false
	p.delay += SlowBy
	return false
}
