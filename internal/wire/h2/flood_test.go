package h2

import (
	"bytes"
	"testing"
)

// Each flood ends the connection with ENHANCE_YOUR_CALM, after as many frames as its budget allows and not sooner; and
// goes on for ever at the rate that ticks allow.
func TestFloods(t *testing.T) {
	d := DefaultLimits
	next := uint32(1)
	for _, c := range []struct {
		name   string
		frames func(s *script) []byte
		budget Budget
		want   *Error
	}{
		{"ping", func(*script) []byte { return AppendPing(nil, 0, 1) }, d.Control, ErrControl},
		{"ping answers", func(*script) []byte { return AppendPing(nil, FlagAck, 1) }, d.Control, ErrControl},
		{"settings", func(*script) []byte { return AppendSettings(nil) }, d.Control, ErrControl},
		{"priority", func(*script) []byte { return frame(FramePriority, 0, 1, "\x00\x00\x00\x00\x10") }, d.Control, ErrControl},
		{"priority update", func(*script) []byte { return AppendPriorityUpdate(nil, 1, "u=1") }, d.Control, ErrControl},
		{"unknown frames", func(*script) []byte { return frame(0x99, 0, 0, "") }, d.Control, ErrControl},
		{"rapid reset", func(s *script) []byte {
			next += 2
			return append(s.get(next), AppendRSTStream(nil, next, Cancel)...)
		}, d.Resets, ErrResets},
		{"made you reset", func(s *script) []byte {
			next += 2
			return append(s.get(next), AppendWindowUpdate(nil, next, 0)...)
		}, d.Resets, ErrResets},
		{"malformed requests", func(s *script) []byte {
			next += 2
			return s.headers(next, FlagEndStream, ":method", "GET")
		}, d.Resets, ErrResets},
		{"empty data", func(*script) []byte { return frame(FrameData, 0, 1, "") }, d.Empty, ErrEmpty},
		{"padded empty data", func(*script) []byte { return frame(FrameData, FlagPadded, 1, "\x05xxxxx") }, d.Empty, ErrEmpty},
		{"one byte of data", func(*script) []byte { return frame(FrameData, 0, 1, "x") }, d.SmallData, ErrSmallData},
		{"window updates", func(*script) []byte { return AppendWindowUpdate(nil, 1, 1) }, d.WindowUpdates, ErrWindows},
	} {
		t.Run(c.name, func(t *testing.T) {
			next = 1
			s := server(t, nil)
			s.r.consume = true
			s.feed(s.post(1))
			for i := range c.budget.Max {
				if err := s.feed(c.frames(s)); err != nil {
					t.Fatalf("after %d: %v", i, err)
				}
				s.c.SetOut(s.c.Out()[:0])
				s.r.log = nil
			}
			for range 3 {
				if err := s.c.Tick(); err != nil {
					t.Fatal(err)
				}
				for i := range c.budget.PerTick {
					if err := s.feed(c.frames(s)); err != nil && s.c.budget[floodReset] >= 0 {
						t.Fatalf("after a tick and %d: %v", i, err)
					}
					s.c.SetOut(s.c.Out()[:0])
				}
			}
			if err := s.feed(c.frames(s)); err != c.want {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if s.c.Open() != 0 {
				t.Errorf("%d streams are left", s.c.Open())
			}
		})
	}
}

// A client that ends its streams well may go on without ticks.
func TestGoodStreamsAreNoFlood(t *testing.T) {
	s := server(t, nil)
	for i := range uint32(2000) {
		id := 2*i + 1
		if i%2 == 1 {
			s.feed(s.get(id), AppendRSTStream(nil, id, Cancel))
		} else {
			s.feed(s.get(id))
			s.c.WriteResponse(s.r.streams[id], 200, nil, true)
		}
		s.c.SetOut(s.c.Out()[:0])
	}
	if s.c.Err() != nil {
		t.Error(s.c.Err())
	}
}

func TestContinuationFlood(t *testing.T) {
	s := server(t, nil)
	if err := s.feed(frame(FrameHeaders, 0, 1, "\x82")); err != nil {
		t.Fatal(err)
	}
	for i := range DefaultLimits.Continuations {
		if err := s.feed(frame(FrameContinuation, 0, 1, "\x82")); err != nil {
			t.Fatalf("after %d: %v", i, err)
		}
	}
	if err := s.feed(frame(FrameContinuation, 0, 1, "\x82")); err != ErrBlockLarge {
		t.Errorf("many: %v", err)
	}
	s = server(t, nil)
	s.feed(AppendFrame(nil, FrameHeaders, 0, 1, make([]byte, 16000)), AppendFrame(nil, FrameContinuation, 0, 1, make([]byte, 16000)))
	if err := s.feed(AppendFrame(nil, FrameContinuation, 0, 1, make([]byte, 1000))); err != ErrBlockLarge {
		t.Errorf("large: %v", err)
	}
}

func TestStreamLimit(t *testing.T) {
	s := server(t, func(c *Config) { c.Limits.Streams = 2 })
	s.feed(s.get(1), s.get(3), s.get(5))
	s.wantFrames("RST_STREAM 5 REFUSED_STREAM")
	s.c.WriteResponse(s.r.streams[1], 200, nil, true)
	s.feed(s.get(7))
	s.wantFrames("HEADERS 1 :status=200 end")
	c := client(t, nil)
	c.feed(AppendSettings(nil, Setting{SettingMaxConcurrentStreams, 1}))
	if c.c.OpenBlock(0, c.block(getFields...), true) == nil || c.c.OpenBlock(0, c.block(getFields...), true) != nil || c.c.CanOpen() {
		t.Error("one stream should be allowed")
	}
}

// Zero and tiny windows, of a stream and of the connection.
func TestStalls(t *testing.T) {
	body := make([]byte, 200000)
	for _, c := range []struct {
		name  string
		begin []byte
		each  []byte
		want  *Error
	}{
		{"zero stream window", AppendSettings(nil, Setting{SettingInitialWindowSize, 0}), nil, ErrStalled},
		{"tiny stream window", AppendSettings(nil, Setting{SettingInitialWindowSize, 1}), AppendWindowUpdate(nil, 1, 1), ErrStalled},
		{"connection window", AppendSettings(nil, Setting{SettingInitialWindowSize, 1 << 20}), nil, ErrStalled},
		{"slow but steady", AppendSettings(nil, Setting{SettingInitialWindowSize, 0}), AppendWindowUpdate(nil, 1, 2000), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t, nil)
			s.feed(c.begin, s.get(1))
			st := s.r.streams[1]
			s.c.WriteResponse(st, 200, nil, false)
			s.c.Schedule(st)
			rest := body
			var err *Error
			for range DefaultLimits.StallTicks + 2 {
				for s.c.Next() != nil {
					n := s.c.WriteData(st, rest, true)
					rest = rest[n:]
					s.c.Schedule(st)
				}
				if err = s.c.Tick(); err != nil {
					break
				}
				s.feed(c.each)
				s.c.SetOut(s.c.Out()[:0])
			}
			if err != c.want {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	s := server(t, nil)
	for range 1000 { // idle: nothing waits
		if err := s.c.Tick(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitRelations(t *testing.T) {
	d := DefaultLimits
	for what, ok := range map[string]bool{
		"frames are within what the RFC allows":    d.FrameBytes >= MinFrameBytes && d.FrameBytes <= MaxFrameBytes,
		"a head that is allowed fits into a block": d.BlockBytes >= d.Message.HeadBytes,
		"a block that is allowed fits into frames": (d.Continuations+1)*d.FrameBytes > d.BlockBytes,
		"a path that is allowed fits into a head":  d.Message.LineBytes < d.Message.HeadBytes,
		"windows grow": d.StreamWindow <= d.MaxStreamWindow && d.MaxStreamWindow <= d.ConnWindow,
		"the connection window holds several streams":                   d.ConnWindow >= 4*d.StreamWindow,
		"windows are not smaller than before SETTINGS":                  d.ConnWindow >= DefaultWindow && d.StreamWindow >= DefaultWindow,
		"all streams may be cancelled at once":                          d.Resets.Max >= d.Streams,
		"a window in the smallest chunks that are not small is allowed": d.SmallBytes*d.SmallData.Max >= d.ConnWindow,
	} {
		if !ok {
			t.Errorf("it does not hold that %s: %+v", what, d)
		}
	}
	if bytes.Count([]byte(Preface), nil) != 25 {
		t.Error("the preface has 24 bytes")
	}
}
