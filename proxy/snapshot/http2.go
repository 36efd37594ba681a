package snapshot

import (
	"slices"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/config"
)

// protocols sets which versions of HTTP a listener speaks, and the limits of HTTP/2.
func (l *Listener) protocols(c *config.Listener) {
	l.HTTP1 = slices.Contains(c.Protocols, "h1")
	l.HTTP2 = slices.Contains(c.Protocols, "h2")
	l.H2Limits = h2Limits(&c.HTTP2, l.Limits)
	// A client that keeps its windows closed is found out by the time limits of its streams; what the codec sees is all of them at a crawl.
	l.H2Limits.StallTicks = max(1, int(l.BodyIdleTimeout.Seconds()))
	l.H2Limits.StallBytes = max(1, int(l.MinRate))
}

func h2Limits(c *config.HTTP2, message wire.Limits) h2.Limits {
	l := h2.DefaultLimits
	l.Message = message
	l.Streams = c.MaxConcurrentStreams
	l.StreamWindow, l.MaxStreamWindow, l.ConnWindow = int(c.StreamWindow), int(c.MaxStreamWindow), int(c.ConnectionWindow)
	l.BlockBytes, l.Continuations = int(c.HeaderBlock), c.Continuations
	l.DecoderTable, l.EncoderTable = int(c.HeaderTable), int(c.HeaderTable)
	budget := func(b config.Budget) h2.Budget { return h2.Budget{Max: b.Burst, PerTick: b.PerSecond} }
	l.Resets, l.Control, l.Empty = budget(c.Floods.Resets), budget(c.Floods.Control), budget(c.Floods.Empty)
	l.SmallData, l.WindowUpdates = budget(c.Floods.SmallData), budget(c.Floods.WindowUpdates)
	return l
}
