package h2

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// The table against a map, with identifiers that collide.
func TestStreamTable(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	var tab streamTable
	want := map[uint32]*Stream{}
	var ids []uint32
	for range 20000 {
		if len(ids) < 100 && rng.IntN(2) == 0 {
			id := rng.Uint32N(4000)<<5 | rng.Uint32N(8) | 1
			if want[id] != nil {
				continue
			}
			want[id] = tab.add(id)
			ids = append(ids, id)
		} else if len(ids) > 0 {
			i := rng.IntN(len(ids))
			s := want[ids[i]]
			tab.remove(s)
			tab.release(s)
			delete(want, ids[i])
			ids[i] = ids[len(ids)-1]
			ids = ids[:len(ids)-1]
		}
		if tab.count != len(want) {
			t.Fatalf("%d streams, want %d", tab.count, len(want))
		}
		for id, s := range want {
			if tab.get(id) != s || s.id != id {
				t.Fatalf("stream %d is lost", id)
			}
		}
		if id := rng.Uint32N(4000)<<5 | 1; tab.get(id) != want[id] {
			t.Fatalf("stream %d is found", id)
		}
	}
}

func TestPingAndReady(t *testing.T) {
	s := newScript(t, &Config{})
	if s.c.Ready() {
		t.Error("ready before SETTINGS")
	}
	s.frames()
	s.feed([]byte(Preface), AppendSettings(nil, Setting{SettingMaxHeaderListSize, 5000}))
	if !s.c.Ready() || s.c.PeerHeadBytes() != 5000 {
		t.Error("not ready")
	}
	s.c.Ping(9)
	s.wantFrames("SETTINGS ack", "PING 0000000000000009")
	s.feed(AppendPing(nil, FlagAck, 9))
	s.wantEvents("pong 9")
	s.feed(AppendPing(nil, FlagAck, drainPing)) // nobody drains
	if s.c.Closing() || s.c.Err() != nil {
		t.Error("a PING answer must not begin a drain")
	}
}

// A head that was encoded once serves all connections, also one that still has a table size update to send.
func TestWriteBlock(t *testing.T) {
	block := hpack.AppendStateless(hpack.AppendStatelessStatus(nil, 200), []byte("Server"), []byte("blitz"))
	s := server(t, nil)
	s.feed(s.get(1), AppendSettings(nil, Setting{SettingHeaderTableSize, 0}), s.get(3))
	s.frames()
	for _, id := range []uint32{1, 3} {
		s.c.WriteBlock(s.r.streams[id], block, true)
	}
	if out := s.c.Out(); out[HeaderBytes] != 0x20 {
		t.Errorf("no size update: %x", out)
	}
	s.wantFrames("HEADERS 1 :status=200 server=blitz end", "HEADERS 3 :status=200 server=blitz end")
}

func TestEmptyFragmentFlood(t *testing.T) {
	s := server(t, func(c *Config) { c.Limits.Empty = Budget{2, 0} })
	s.feed(frame(FrameHeaders, 0, 1, ""), frame(FrameContinuation, 0, 1, ""))
	if err := s.feed(frame(FrameContinuation, 0, 1, "")); err != ErrEmpty {
		t.Errorf("error %v", err)
	}
	s = server(t, func(c *Config) { c.Limits.Empty = Budget{0, 0} })
	if err := s.feed(frame(FrameHeaders, 0, 1, "")); err != ErrEmpty {
		t.Errorf("error %v", err)
	}
}

// Responses whose Content-Length means nothing do not hand it on.
func TestLengthsThatMeanNothing(t *testing.T) {
	s := client(t, nil)
	for _, m := range []wire.Method{wire.MethodGet, wire.MethodConnect, wire.MethodGet} {
		st := s.c.BeginRequest(&RequestHead{Method: m, MethodName: []byte(m.String()), Authority: []byte("a:1")})
		s.c.EndHead(st, false)
	}
	s.feed(s.headers(1, FlagEndStream, ":status", "204", "content-length", "0"), s.headers(3, 0, ":status", "200", "content-length", "7"),
		frame(FrameData, 0, 3, "tunnelled bytes"), s.headers(5, FlagEndStream, ":status", "304", "content-length", "9"))
	s.wantEvents("response 1 204 !content-length=0 end", "response 3 200 !content-length=7", `data 3 "tunnelled bytes"`, "response 5 304 content-length=9 end")
}

func TestHopFields(t *testing.T) {
	fields := append(getFields[:len(getFields):len(getFields)], "x_y", "1", "proxy", "2", "te", "trailers", "proxy-authorization", "3", "x-z", "4")
	s := server(t, nil)
	s.feed(s.headers(1, FlagEndStream, fields...))
	s.wantEvents("request 1 GET a.example / !x_y=1 !proxy=2 !te=trailers !proxy-authorization=3 x-z=4 end")
	s = server(t, func(c *Config) { c.Limits.Message.AllowUnderscore = true })
	s.feed(s.headers(1, FlagEndStream, fields...))
	s.wantEvents("request 1 GET a.example / x_y=1 !proxy=2 !te=trailers !proxy-authorization=3 x-z=4 end")
}

// What the peer's settings close while a stream waits for its turn is not written.
func TestWindowClosedWhileQueued(t *testing.T) {
	s := server(t, nil)
	s.feed(s.get(1))
	st := s.r.streams[1]
	s.c.WriteResponse(st, 200, nil, false)
	s.c.Schedule(st)
	s.feed(AppendSettings(nil, Setting{SettingInitialWindowSize, 0}))
	if s.c.Next() != nil {
		t.Error("a stream without window is next")
	}
	s.feed(AppendWindowUpdate(nil, 1, 1))
	if s.c.Next() != st {
		t.Error("the stream is lost")
	}
}

func TestErrorText(t *testing.T) {
	if got := ErrTE.Error(); !strings.HasPrefix(got, "h2_te (PROTOCOL_ERROR): ") {
		t.Error(got)
	}
}

// A priority that came early is replaced by a later one, and forgotten when too many come.
func TestEarlyPriorities(t *testing.T) {
	var e earlyPriorities
	e.put(1, Priority{1, false})
	e.put(1, Priority{2, true})
	if p, ok := e.take(1); !ok || p != (Priority{2, true}) {
		t.Errorf("%+v %v", p, ok)
	}
	for id := uint32(3); id < 13; id += 2 {
		e.put(id, Priority{})
	}
	if _, ok := e.take(3); ok {
		t.Error("the oldest should be forgotten")
	}
	if _, ok := e.take(11); !ok {
		t.Error("the newest should be known")
	}
}
