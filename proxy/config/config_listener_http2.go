package config

import "fmt"

// HTTP2 shapes the HTTP/2 connections of clients, and bounds what one of them may cost.
type HTTP2 struct {
	// Requests that a client may have open at once on one connection. A further one is refused with REFUSED_STREAM, which clients repeat.
	MaxConcurrentStreams int `yaml:"max_concurrent_streams" min:"1" max:"1000000"`
	// How much of one request body a client may send before any of it has been passed on. It doubles for a request that uses it up.
	StreamWindow Size `yaml:"stream_window" min:"1KiB" max:"64MiB"`
	// How far it may grow. When the buffers of a worker run short it stops growing, and shrinks again.
	MaxStreamWindow Size `yaml:"max_stream_window" min:"1KiB" max:"64MiB"`
	// The same for all requests of a connection together: it bounds the memory for request bodies of one connection.
	ConnectionWindow Size `yaml:"connection_window" min:"64KiB" max:"1GiB"`
	// A header block as it is sent, before it is decompressed. The decompressed one is bounded by limits.head_size, which also is what clients are
	// told (431); its path by limits.request_line, its fields by limits.header_count.
	HeaderBlock Size `yaml:"header_block" min:"1KiB" max:"1MiB"`
	// Frames that may continue a header block.
	Continuations int `yaml:"continuations" min:"0" max:"1000"`
	// Table for the compression of header fields, in each direction, per connection.
	HeaderTable Size `yaml:"header_table" min:"0B" max:"16KiB"`
	// What a client may do that costs it less than us. Whoever does more gets GOAWAY with ENHANCE_YOUR_CALM.
	Floods Floods `yaml:"floods"`
}

// Floods are budgets for frames that cost their sender next to nothing.
type Floods struct {
	// Requests that end early, because the client resets them or because it makes the gateway reset them. One that ends well gives one back.
	Resets Budget `yaml:"resets"`
	// PING, SETTINGS, PRIORITY, PRIORITY_UPDATE and frames of unknown types.
	Control Budget `yaml:"control"`
	// DATA and header frames with nothing in them that end nothing.
	Empty Budget `yaml:"empty"`
	// DATA of less than 64 bytes that does not end a request. A larger one gives one back.
	SmallData Budget `yaml:"small_data"`
	// WINDOW_UPDATE; each DATA frame sent gives two back.
	WindowUpdates Budget `yaml:"window_updates"`
}

// Budget is how much of something a connection may do.
type Budget struct {
	// At once.
	Burst int `yaml:"burst" min:"1" max:"1000000000"`
	// Then, on average.
	PerSecond int `yaml:"per_second" min:"0" max:"1000000000"`
}

// defaultHTTP2 is wire/h2's own, by a test of snapshot.
var defaultHTTP2 = HTTP2{
	MaxConcurrentStreams: 128,
	StreamWindow:         64 << 10,
	MaxStreamWindow:      1 << 20,
	ConnectionWindow:     1 << 20,
	HeaderBlock:          32 << 10,
	Continuations:        8,
	HeaderTable:          4 << 10,
	Floods: Floods{
		Resets:        Budget{256, 64},
		Control:       Budget{256, 64},
		Empty:         Budget{64, 16},
		SmallData:     Budget{16 << 10, 8 << 10},
		WindowUpdates: Budget{8 << 10, 2 << 10},
	},
}

func (d *decoder) checkHTTP2(h *HTTP2, path ...any) {
	if h.MaxStreamWindow < h.StreamWindow {
		d.report(fmt.Sprintf("max_stream_window %v is smaller than stream_window %v", h.MaxStreamWindow, h.StreamWindow),
			"expected at least as much", append(path, "max_stream_window")...)
	}
}
