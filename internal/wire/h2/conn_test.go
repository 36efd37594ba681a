package h2

import (
	"bytes"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func TestServerExchange(t *testing.T) {
	s := newScript(t, &Config{})
	s.wantFrames("SETTINGS", "WINDOW_UPDATE 0 983041")
	s.feed([]byte(Preface), AppendSettings(nil), AppendSettingsAck(nil))
	s.wantFrames("SETTINGS ack")
	s.feed(s.get(1))
	s.wantEvents("request 1 GET a.example / end")
	st := s.r.streams[1]
	s.c.WriteResponse(st, 103, []wire.Field{{Name: []byte("Link"), Value: []byte("x")}}, false)
	s.c.BeginResponse(st, 200)
	s.c.AddField(wire.FieldServer, []byte("Server"), []byte("blitz"))
	s.c.AddFields([]wire.Field{{Name: []byte("X-A"), Value: []byte("b")}, {Name: []byte("no"), Hop: true}})
	s.c.EndHead(st, false)
	if n := s.c.WriteData(st, []byte("hello"), false); n != 5 {
		t.Errorf("%d bytes written", n)
	}
	s.c.WriteTrailers(st, []wire.Field{{Name: []byte("Sum"), Value: []byte("5")}})
	s.wantFrames("HEADERS 1 :status=103 link=x", "HEADERS 1 :status=200 server=blitz x-a=b", `DATA 1 "hello"`, "HEADERS 1 sum=5 end")
	s.wantEvents("closed 1 NO_ERROR by end")
	s.feed(s.post(3, "content-length", "10"), AppendFrame(nil, FrameData, 0, 3, []byte("01234")), AppendFrame(nil, FrameData, FlagPadded, 3, []byte("\x0356789\x00\x00\x00")),
		AppendFrame(nil, FrameData, FlagEndStream, 3, nil))
	s.wantEvents("request 3 POST a.example / content-length=10", `data 3 "01234"`, `data 3 "56789"`, `data 3 "" end`)
	s.c.WriteResponse(s.r.streams[3], 204, nil, true)
	s.wantFrames("HEADERS 3 :status=204 end")
	s.wantEvents("closed 3 NO_ERROR by end")
	s.feed(s.post(5), s.headers(5, FlagEndStream, "sum", "1", "content-length", "3", "x-y", "z"))
	s.wantEvents("request 5 POST a.example /", "trailers 5 sum=1 !content-length=3 x-y=z")
	if s.c.Open() != 1 {
		t.Errorf("%d streams open", s.c.Open())
	}
}

func TestClientExchange(t *testing.T) {
	s := client(t, nil)
	st := s.c.BeginRequest(&RequestHead{Method: wire.MethodGet, Scheme: []byte("https"), Authority: []byte("a.example"), Path: []byte("/x")})
	s.c.EndHead(st, true)
	s.wantFrames("HEADERS 1 :method=GET :scheme=https :authority=a.example :path=/x end")
	s.feed(s.headers(1, 0, ":status", "103", "link", "x"), s.headers(1, 0, ":status", "200", "server", "s"),
		AppendFrame(nil, FrameData, 0, 1, []byte("hello")), s.headers(1, FlagEndStream, "sum", "5"))
	s.wantEvents("response 1 103 link=x", "response 1 200 server=s", `data 1 "hello"`, "trailers 1 sum=5", "closed 1 NO_ERROR by end")
	head := s.c.BeginRequest(&RequestHead{Method: wire.MethodHead, MethodName: []byte("HEAD"), Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/")})
	s.c.EndHead(head, true)
	s.feed(s.headers(3, FlagEndStream, ":status", "200", "content-length", "5"))
	s.wantEvents("response 3 200 content-length=5 end", "closed 3 NO_ERROR by end")
	up := s.c.BeginRequest(&RequestHead{Method: wire.MethodPost, Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/")})
	s.c.EndHead(up, false)
	s.feed(s.headers(5, FlagEndStream, ":status", "413"), AppendRSTStream(nil, 5, NoError))
	s.wantEvents("response 5 413 end", "closed 5 NO_ERROR by peer")
	s.frames()
	s.feed(AppendGoAway(nil, 5, NoError, ""))
	if s.c.CanOpen() {
		t.Error("a stream could be opened after GOAWAY")
	}
}

func TestGoAwayRefusesLaterStreams(t *testing.T) {
	s := client(t, nil)
	for range 3 {
		st := s.c.BeginRequest(&RequestHead{Method: wire.MethodGet, Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/")})
		s.c.EndHead(st, true)
	}
	s.feed(AppendGoAway(nil, 3, NoError, ""))
	s.wantEvents("goaway 3 NO_ERROR", "closed 5 REFUSED_STREAM by goaway")
	s.feed(s.headers(1, FlagEndStream, ":status", "200"), s.headers(3, FlagEndStream, ":status", "200"))
	if s.c.Open() != 0 || !s.c.Closing() {
		t.Error("streams are left")
	}
}

func TestGracefulDrain(t *testing.T) {
	s := server(t, nil)
	s.feed(s.get(1))
	s.c.Drain()
	s.c.Drain()
	s.wantFrames("GOAWAY 2147483647 NO_ERROR ", "PING 626c69747a647261")
	s.feed(s.get(3)) // sent before the client saw GOAWAY
	s.feed(AppendPing(nil, FlagAck, drainPing))
	s.wantFrames("GOAWAY 3 NO_ERROR ")
	s.feed(s.post(5), AppendFrame(nil, FrameData, FlagEndStream, 5, []byte("x")))
	s.wantFrames()
	s.wantEvents("request 1 GET a.example / end", "request 3 GET a.example / end")
	for _, id := range []uint32{1, 3} {
		s.c.WriteResponse(s.r.streams[id], 200, nil, true)
	}
	if s.c.Open() != 0 || !s.c.Closing() || s.c.Err() != nil {
		t.Error("not drained")
	}
}

func TestSendWindows(t *testing.T) {
	s := server(t, nil)
	s.feed(AppendSettings(nil, Setting{SettingInitialWindowSize, 10}), s.get(1), s.get(3))
	s.frames()
	a, b := s.r.streams[1], s.r.streams[3]
	s.c.WriteResponse(a, 200, nil, false)
	s.c.WriteResponse(b, 200, nil, false)
	s.frames()
	body := bytes.Repeat([]byte("x"), 15)
	if n := s.c.WriteData(a, body, true); n != 10 {
		t.Errorf("%d bytes", n)
	}
	s.wantFrames(`DATA 1 "xxxxxxxxxx"`)
	s.c.Schedule(a)
	s.c.Schedule(b)
	if got := s.c.Next(); got != b {
		t.Errorf("next is %v", got)
	}
	if s.c.Next() != nil {
		t.Error("a stream without a window is next")
	}
	s.feed(AppendWindowUpdate(nil, 1, 3))
	if got := s.c.Next(); got != a {
		t.Errorf("next is %v", got)
	}
	if n := s.c.WriteData(a, body[10:], true); n != 3 {
		t.Errorf("%d bytes", n)
	}
	s.c.Schedule(a)
	// A smaller initial window makes windows negative, a larger one opens them.
	s.feed(AppendSettings(nil, Setting{SettingInitialWindowSize, 0}))
	if a.Window() != -10 || b.Window() != 0 {
		t.Errorf("windows %d and %d", a.Window(), b.Window())
	}
	s.feed(AppendSettings(nil, Setting{SettingInitialWindowSize, 12}))
	if got := s.c.Next(); got != a || a.Window() != 2 {
		t.Errorf("next is %v", got)
	}
	s.frames()
	if n := s.c.WriteData(a, body[13:], true); n != 2 {
		t.Errorf("%d bytes", n)
	}
	s.wantFrames(`DATA 1 "xx" end`)
}

func TestConnectionWindow(t *testing.T) {
	s := server(t, nil)
	s.feed(AppendSettings(nil, Setting{SettingInitialWindowSize, MaxWindow}, Setting{SettingMaxFrameSize, 1 << 20}), s.get(1))
	s.frames()
	st := s.r.streams[1]
	s.c.WriteResponse(st, 200, nil, false)
	body := make([]byte, 100000)
	if n := s.c.WriteData(st, body, true); n != DefaultWindow {
		t.Errorf("%d bytes", n)
	}
	s.c.Schedule(st)
	if s.c.Next() != nil {
		t.Error("the connection window is closed")
	}
	if s.c.WriteData(st, nil, false) != 0 {
		t.Error("wrote something")
	}
	s.feed(AppendWindowUpdate(nil, 0, 100000))
	if s.c.Next() != st {
		t.Error("the connection window is open")
	}
	s.frames()
	s.c.WriteData(st, body[DefaultWindow:], true)
	s.wantFrames(`DATA 1 "34465 bytes" end`)
}

func TestReceiveWindows(t *testing.T) {
	s := server(t, func(c *Config) {
		c.Limits.StreamWindow, c.Limits.ConnWindow, c.Limits.MaxStreamWindow = 1000, 70000, 4000
	})
	s.feed(s.post(1))
	st := s.r.streams[1]
	data := AppendFrame(nil, FrameData, 0, 1, make([]byte, 400))
	s.feed(data, data)
	s.wantFrames()
	s.c.Consume(st, 400)
	s.wantFrames() // less than half
	s.c.Consume(st, 400)
	s.wantFrames("WINDOW_UPDATE 1 800")
	s.c.Consume(st, 400) // nothing is left to consume
	s.wantFrames()
	s.r.consume = true
	for range 4 {
		s.feed(data)
	}
	// 2,400 bytes came: twice the window and more, so it doubles.
	s.wantFrames("WINDOW_UPDATE 1 800", "WINDOW_UPDATE 1 1800")
	s.r.consume = false
	s.feed(AppendFrame(nil, FrameData, 0, 1, make([]byte, 1999)))
	if s.feed(AppendFrame(nil, FrameData, 0, 1, make([]byte, 2))) != nil {
		t.Fatal("the connection failed")
	}
	s.wantFrames("RST_STREAM 1 FLOW_CONTROL_ERROR")
}

// With little memory left windows do not grow, and one that has grown shrinks to the size that it began with, and no further.
func TestReceiveWindowsUnderPressure(t *testing.T) {
	s := server(t, func(c *Config) {
		c.Limits.StreamWindow, c.Limits.ConnWindow, c.Limits.MaxStreamWindow = 1000, 70000, 4000
	})
	s.r.consume = true
	data := func(id uint32, n int) []byte { return AppendFrame(nil, FrameData, 0, id, make([]byte, n)) }
	s.c.Tight = true
	s.feed(s.post(1))
	for range 4 {
		s.feed(data(1, 800))
	}
	s.wantFrames("WINDOW_UPDATE 1 800", "WINDOW_UPDATE 1 800", "WINDOW_UPDATE 1 800", "WINDOW_UPDATE 1 800")
	s.c.Tight = false
	s.feed(data(1, 800))
	s.wantFrames("WINDOW_UPDATE 1 1800")
	s.c.Tight = true
	s.feed(data(1, 700)) // 700 of the 1,000 that it has grown by
	s.wantFrames()
	s.feed(data(1, 1300)) // all of what the client had left
	s.wantFrames("WINDOW_UPDATE 1 1000")
	s.feed(data(1, 1000))
	s.wantFrames("WINDOW_UPDATE 1 1000")
	s.feed(data(1, 1001))
	s.wantFrames("RST_STREAM 1 FLOW_CONTROL_ERROR")
}

// Data of closed streams, and padding, is given back to the connection; otherwise it would stall in the end.
func TestDroppedDataIsGivenBack(t *testing.T) {
	s := server(t, func(c *Config) { c.Limits.ConnWindow = DefaultWindow })
	s.feed(s.post(1))
	s.c.Reset(s.r.streams[1], Cancel)
	s.wantFrames("RST_STREAM 1 CANCEL")
	var got int
	for range 40 {
		if err := s.feed(AppendFrame(nil, FrameData, 0, 1, make([]byte, 10000))); err != nil {
			t.Fatal(err)
		}
		for _, f := range s.frames() {
			if strings.HasPrefix(f, "WINDOW_UPDATE 0") {
				got++
			}
		}
	}
	if got != 10 {
		t.Errorf("%d updates for ten windows of data, each at the fourth frame", got)
	}
	// Delivered, not consumed, then reset.
	s.feed(s.post(3), AppendFrame(nil, FrameData, 0, 3, make([]byte, 16000)), AppendFrame(nil, FrameData, 0, 3, make([]byte, 16000)), AppendFrame(nil, FrameData, 0, 3, make([]byte, 16000)), AppendRSTStream(nil, 3, Cancel))
	s.wantFrames("WINDOW_UPDATE 0 48000")
}

func TestDataInPieces(t *testing.T) {
	s := server(t, nil)
	in := s.post(1)
	in = append(in, AppendFrame(nil, FrameData, FlagPadded, 1, []byte("\x02abcdef\x00\x00"))...)
	in = append(in, AppendFrame(nil, FrameData, FlagPadded|FlagEndStream, 1, []byte("\x02\x00\x00"))...)
	in = append(in, AppendPing(nil, 0, 1)...)
	var rest []byte
	for _, b := range in { // one byte at a time
		rest = append(rest, b)
		n, err := s.c.Feed(rest)
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	s.wantEvents("request 1 POST a.example /", `data 1 "a"`, `data 1 "b"`, `data 1 "c"`, `data 1 "d"`, `data 1 "e"`, `data 1 "f"`, `data 1 "" end`)
	s.wantFrames("PING ack 0000000000000001")
}

func TestContinuation(t *testing.T) {
	s := server(t, nil)
	b := s.block(append(getFields, "x-a", strings.Repeat("y", 100))...)
	s.feed(AppendFrame(nil, FrameHeaders, FlagEndStream, 1, b[:3]), AppendFrame(nil, FrameContinuation, 0, 1, b[3:10]), AppendFrame(nil, FrameContinuation, FlagEndHeaders, 1, b[10:]))
	s.wantEvents("request 1 GET a.example / x-a=" + strings.Repeat("y", 100) + " end")
	// And ours, when the head is larger than a frame.
	value := strings.Repeat("\x01", MinFrameBytes) // of which Huffman coding makes nothing smaller
	s.c.WriteResponse(s.r.streams[1], 200, []wire.Field{{Name: []byte("x"), Value: []byte(value)}}, true)
	s.wantFrames("HEADERS 1 16384 bytes end", "CONTINUATION 1 7 bytes end")
}

func TestLargeHeadIsAnswered(t *testing.T) {
	s := server(t, func(c *Config) { c.Limits.Message.HeadBytes = 1000 })
	big := append(getFields[:len(getFields):len(getFields)], "x", strings.Repeat("y", 1000))
	s.feed(s.headers(1, FlagEndStream, big...), s.headers(3, 0, big...), AppendFrame(nil, FrameData, FlagEndStream, 3, []byte("x")), s.get(5))
	s.wantFrames("HEADERS 1 :status=431 content-length=0 end", "HEADERS 3 :status=431 content-length=0 end", "RST_STREAM 3 NO_ERROR")
	s.wantEvents("request 5 GET a.example / end")
}

func TestPriorities(t *testing.T) {
	s := server(t, nil)
	s.feed(AppendPriorityUpdate(nil, 3, "u=1, i"))
	s.feed(s.headers(1, FlagEndStream, append(getFields, "priority", "u=5")...), s.headers(3, FlagEndStream, append(getFields, "priority", "u=7")...), s.get(5), s.get(7))
	for id, want := range map[uint32]Priority{1: {5, false}, 3: {1, true}, 5: {3, false}} {
		if got := s.r.streams[id].Priority(); got != want {
			t.Errorf("stream %d: %+v, want %+v", id, got, want)
		}
	}
	for _, id := range []uint32{7, 5, 3, 1} {
		s.c.Schedule(s.r.streams[id])
	}
	s.feed(AppendPriorityUpdate(nil, 7, "u=0"))
	var got []uint32
	for st := s.c.Next(); st != nil; st = s.c.Next() {
		got = append(got, st.ID())
	}
	if len(got) != 4 || got[0] != 7 || got[1] != 3 || got[2] != 5 || got[3] != 1 {
		t.Errorf("order %v", got)
	}
}

func TestExtendedConnect(t *testing.T) {
	s := server(t, func(c *Config) { c.ExtendedConnect = true })
	var q wire.Request
	s.r.on = func(string, *Stream) { q = s.c.scratch.request }
	s.feed(s.headers(1, 0, ":method", "CONNECT", ":protocol", "websocket", ":scheme", "https", ":path", "/chat?a", ":authority", "a.example", "sec-websocket-version", "13"))
	s.wantEvents("request 1 CONNECT a.example /chat?a sec-websocket-version=13")
	if string(q.Upgrade) != "websocket" || q.Form != wire.FormOrigin || string(q.Path) != "/chat" || string(q.Query) != "a" || q.Body != wire.BodyNone {
		t.Errorf("%+v", q)
	}
	s.feed(s.headers(3, 0, ":method", "CONNECT", ":authority", "a.example:443"))
	s.wantEvents("request 3 CONNECT a.example:443 a.example:443")
	c := client(t, nil)
	if c.c.PeerConnect() {
		t.Error("not announced")
	}
	c.feed(AppendSettings(nil, Setting{SettingEnableConnect, 1}))
	c.frames()
	if !c.c.PeerConnect() {
		t.Error("announced")
	}
	c.c.BeginRequest(&RequestHead{Method: wire.MethodConnect, MethodName: []byte("CONNECT"), Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/"), Protocol: []byte("websocket")})
	c.c.EndHead(c.c.streams.get(1), false)
	c.wantFrames("HEADERS 1 :method=CONNECT :scheme=https :authority=a :path=/ :protocol=websocket")
	c.feed(c.headers(1, 0, ":status", "200"), AppendFrame(nil, FrameData, 0, 1, []byte("hi")))
	c.wantEvents("response 1 200", `data 1 "hi"`)
}

func TestCookieCrumbs(t *testing.T) {
	s := server(t, nil)
	s.feed(s.headers(1, FlagEndStream, append(getFields, "cookie", "a=b", "x", "y", "cookie", "c=d", "cookie", "e=f", "z", "1")...))
	s.wantEvents("request 1 GET a.example / cookie=a=b; c=d; e=f x=y z=1 end")
}

// The handler may end things while it is being called.
func TestHandlerActsInCallbacks(t *testing.T) {
	s := server(t, nil)
	s.r.on = func(e string, st *Stream) {
		switch {
		case strings.HasPrefix(e, "request 1 "), strings.HasPrefix(e, "request 7 "):
			s.c.WriteResponse(st, 200, nil, true)
		case strings.HasPrefix(e, "request 3 "), strings.HasPrefix(e, "data 5 "):
			s.c.Reset(st, Cancel)
		case strings.HasPrefix(e, "closed"):
			s.c.Reset(st, Cancel) // does nothing
			s.c.WriteData(st, []byte("x"), true)
			s.c.Consume(st, 1)
			s.c.Schedule(st)
		case strings.HasPrefix(e, "request 9 "):
			s.c.Abort()
		}
	}
	s.feed(s.get(1), s.post(3), s.post(5), AppendFrame(nil, FrameData, FlagEndStream, 5, []byte("x")), s.post(7), AppendFrame(nil, FrameData, FlagEndStream, 7, []byte("x")))
	s.wantFrames("HEADERS 1 :status=200 end", "RST_STREAM 3 CANCEL", "RST_STREAM 5 CANCEL", "HEADERS 7 :status=200 end")
	if s.c.Open() != 0 {
		t.Errorf("%d streams open", s.c.Open())
	}
	s.r.log = nil
	if err := s.feed(s.post(9)); err != ErrAborted {
		t.Errorf("error %v", err)
	}
	s.wantEvents("request 9 POST a.example /", "closed 9 NO_ERROR by connection")
	s.wantFrames()
}
