package h2

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// Limits are our own; those of RFC 9113 stand in frame.go. Sizes are in bytes.
type Limits struct {
	// Message limits one message as in the other versions: HeadBytes is the size of a header list as RFC 9113 section
	// 6.5.2 counts it, LineBytes the size of :path, Fields the number of fields.
	Message wire.Limits
	// BlockBytes limits a header block as it is sent, Continuations the frames that continue one.
	BlockBytes, Continuations int
	// Streams is how many streams a client may have open at once, or a client of ours will open, whatever the server
	// allows.
	Streams int
	// FrameBytes is the largest frame that we accept. The caller's buffer must hold one.
	FrameBytes int
	// StreamWindow is what a peer may send on a stream before anything of it is consumed. It doubles for streams that use
	// it up, to at most MaxStreamWindow. ConnWindow is the same for all streams together and is what bounds the memory
	// for bodies.
	StreamWindow, MaxStreamWindow, ConnWindow int
	// DecoderTable and EncoderTable are the sizes of the dynamic tables.
	DecoderTable, EncoderTable int

	// Resets: streams that end early, by either side's RST_STREAM. It is what rapid reset and MadeYouReset spend; a
	// stream that ends well gives one back.
	Resets Budget
	// Control: PING, SETTINGS, PRIORITY, PRIORITY_UPDATE and unknown frames.
	Control Budget
	// Empty: DATA without data that does not end the stream, and empty fragments of header blocks.
	Empty Budget
	// SmallData: DATA of fewer than SmallBytes that does not end the stream; a larger one gives one back.
	SmallData  Budget
	SmallBytes int
	// WindowUpdates; each DATA frame that we send gives two back.
	WindowUpdates Budget
	// StallTicks is for how many ticks data may wait for windows while fewer than StallBytes go out in a tick.
	StallTicks, StallBytes int
}

// Budget is how much of something costly a peer may do: Max at once, PerTick more for each call of Conn.Tick.
type Budget struct{ Max, PerTick int }

// DefaultLimits are meant for one tick per second.
var DefaultLimits = Limits{
	Message:    wire.DefaultLimits,
	BlockBytes: 32 << 10, Continuations: 8,
	Streams:      128,
	FrameBytes:   MinFrameBytes,
	StreamWindow: 64 << 10, MaxStreamWindow: 1 << 20, ConnWindow: 1 << 20,
	DecoderTable: hpack.DefaultTableBytes, EncoderTable: hpack.DefaultTableBytes,
	Resets:        Budget{256, 64},
	Control:       Budget{256, 64},
	Empty:         Budget{64, 16},
	SmallData:     Budget{16 << 10, 8 << 10},
	SmallBytes:    64,
	WindowUpdates: Budget{8 << 10, 2 << 10},
	StallTicks:    30, StallBytes: 1 << 10,
}

// flood names a budget.
type flood uint8

const (
	floodReset flood = iota
	floodControl
	floodEmpty
	floodSmall
	floodWindow
	floodKinds
)

func (l *Limits) budgets() [floodKinds]Budget {
	return [floodKinds]Budget{l.Resets, l.Control, l.Empty, l.SmallData, l.WindowUpdates}
}

// fill puts all budgets to their maximum.
func (c *Conn) fill() {
	for k, b := range c.cfg.Limits.budgets() {
		c.budget[k] = int32(b.Max)
	}
}

// spend takes one from a budget; false: it is exhausted.
func (c *Conn) spend(k flood) bool {
	c.budget[k]--
	return c.budget[k] >= 0
}

// earn gives n back to a budget. It may exceed its maximum by what was earned until the next tick, but not without end.
func (c *Conn) earn(k flood, n int32) {
	if c.budget[k] < 1<<20 {
		c.budget[k] += n
	}
}

// Tick is to be called at a steady interval, usually every second: budgets are refilled, and a peer that keeps its
// windows closed is found out. An error is as that of Feed.
func (c *Conn) Tick() *Error {
	if c.err != nil {
		return c.err
	}
	for k, b := range c.cfg.Limits.budgets() {
		c.budget[k] = min(c.budget[k]+int32(b.PerTick), int32(b.Max))
	}
	l := &c.cfg.Limits
	if c.blocked() && c.sentThisTick < l.StallBytes {
		c.stalled++
	} else {
		c.stalled = 0
	}
	c.sentThisTick = 0
	if c.stalled > l.StallTicks {
		return c.fail(ErrStalled)
	}
	return nil
}
