package h2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// frame is AppendFrame for tables.
func frame(t FrameType, flags Flags, stream uint32, payload string) []byte {
	return AppendFrame(nil, t, flags, stream, []byte(payload))
}

// Each violation, on a server with these streams: 1 closed by both ends, 3 half-closed by the client, 5 open, 7 reset by
// the client, 9 reset by us. What follows a stream error must still be understood.
func TestServerViolations(t *testing.T) {
	big := strings.Repeat("x", MinFrameBytes+1)
	for _, c := range []struct {
		name string
		in   []byte
		want *Error // nil: ignored
	}{
		// RFC 9113 section 4
		{"frame too large", frame(FrameData, 0, 5, big), ErrFrameLarge},
		{"unknown type", frame(0x42, 0xff, 5, "x"), nil},
		{"undefined flags", frame(FramePing, 0xfe, 0, "12345678"), nil},
		{"bad block", frame(FrameHeaders, FlagEndHeaders, 11, "\x80"), ErrBlock},
		{"bad block on a closed stream", frame(FrameHeaders, FlagEndHeaders, 9, "\x80"), ErrBlock},
		{"interrupted block", append(frame(FrameHeaders, 0, 11, ""), AppendPing(nil, 0, 1)...), ErrContinuation},
		{"block interrupted by an unknown frame", append(frame(FrameHeaders, 0, 11, ""), frame(0x42, 0, 0, "")...), ErrContinuation},
		{"block continued on another stream", append(frame(FrameHeaders, 0, 11, ""), frame(FrameContinuation, 0, 13, "")...), ErrContinuation},
		{"block followed by another", append(frame(FrameHeaders, 0, 11, ""), frame(FrameHeaders, 0, 13, "")...), ErrContinuation},
		// Section 5
		{"even stream", frame(FrameHeaders, FlagEndHeaders, 12, ""), ErrStreamID},
		{"DATA on an idle stream", frame(FrameData, 0, 11, "x"), ErrIdle},
		{"RST_STREAM on an idle stream", AppendRSTStream(nil, 11, Cancel), ErrIdle},
		{"WINDOW_UPDATE on an idle stream", AppendWindowUpdate(nil, 11, 1), ErrIdle},
		{"DATA on a server's idle stream", frame(FrameData, 0, 2, "x"), ErrIdle},
		{"PRIORITY on an idle stream", frame(FramePriority, 0, 11, "\x00\x00\x00\x00\x10"), nil},
		{"CONTINUATION alone", frame(FrameContinuation, FlagEndHeaders, 5, ""), ErrContinuation},
		{"DATA on a half-closed stream", frame(FrameData, 0, 3, "x"), ErrClosed},
		{"HEADERS on a half-closed stream", frame(FrameHeaders, FlagEndHeaders|FlagEndStream, 3, ""), ErrClosed},
		{"DATA on a closed stream", frame(FrameData, 0, 1, "x"), ErrClosed},
		{"HEADERS on a closed stream", frame(FrameHeaders, FlagEndHeaders, 1, ""), ErrClosedHeaders},
		{"DATA behind RST_STREAM", frame(FrameData, 0, 7, "x"), ErrClosed},
		{"DATA on a stream that we reset", frame(FrameData, 0, 9, "x"), nil},
		{"HEADERS on a stream that we reset", frame(FrameHeaders, FlagEndHeaders, 9, "\x82"), nil},
		{"RST_STREAM on a closed stream", AppendRSTStream(nil, 1, Cancel), nil},
		{"WINDOW_UPDATE on a closed stream", AppendWindowUpdate(nil, 1, 1), nil},
		{"WINDOW_UPDATE on a half-closed stream", AppendWindowUpdate(nil, 3, 1), nil},
		// Section 6.1
		{"DATA on stream 0", frame(FrameData, 0, 0, "x"), ErrStreamZero},
		{"DATA with too much padding", frame(FrameData, FlagPadded, 5, "\x02x"), ErrPadding},
		{"DATA without its padding length", frame(FrameData, FlagPadded, 5, ""), ErrFrameSize},
		{"DATA that is padding only", frame(FrameData, FlagPadded, 5, "\x02xx"), nil},
		// Section 6.2
		{"HEADERS on stream 0", frame(FrameHeaders, FlagEndHeaders, 0, ""), ErrStreamZero},
		{"HEADERS with too much padding", frame(FrameHeaders, FlagEndHeaders|FlagPadded, 11, "\x02x"), ErrPadding},
		{"HEADERS without its padding length", frame(FrameHeaders, FlagEndHeaders|FlagPadded, 11, ""), ErrFrameSize},
		{"HEADERS without its priority", frame(FrameHeaders, FlagEndHeaders|FlagPriority, 11, "1234"), ErrFrameSize},
		{"HEADERS that depend on themselves", frame(FrameHeaders, FlagEndHeaders|FlagPriority, 11, "\x00\x00\x00\x0b\x10\x82"), ErrSelfDependency},
		// Section 6.3
		{"PRIORITY on stream 0", frame(FramePriority, 0, 0, "12345"), ErrStreamZero},
		{"PRIORITY of four bytes", frame(FramePriority, 0, 5, "1234"), ErrPrioritySize},
		{"PRIORITY of four bytes on an idle stream", frame(FramePriority, 0, 11, "1234"), ErrFrameSize},
		{"PRIORITY on itself", frame(FramePriority, 0, 5, "\x00\x00\x00\x05\x10"), ErrSelfDependency},
		// Section 6.4
		{"RST_STREAM on stream 0", AppendRSTStream(nil, 0, Cancel), ErrStreamZero},
		{"RST_STREAM of three bytes", frame(FrameRSTStream, 0, 5, "123"), ErrFrameSize},
		// Section 6.5
		{"SETTINGS on a stream", frame(FrameSettings, 0, 5, ""), ErrStreamNotZero},
		{"SETTINGS of seven bytes", frame(FrameSettings, 0, 0, "1234567"), ErrFrameSize},
		{"SETTINGS ack with settings", frame(FrameSettings, FlagAck, 0, "123456"), ErrFrameSize},
		{"SETTINGS ack of nothing", AppendSettingsAck(nil), ErrSettingsAck},
		{"ENABLE_PUSH 2", AppendSettings(nil, Setting{SettingEnablePush, 2}), ErrSettingsValue},
		{"INITIAL_WINDOW_SIZE 2^31", AppendSettings(nil, Setting{SettingInitialWindowSize, 1 << 31}), ErrSettingsWindow},
		{"MAX_FRAME_SIZE too small", AppendSettings(nil, Setting{SettingMaxFrameSize, MinFrameBytes - 1}), ErrSettingsValue},
		{"MAX_FRAME_SIZE too large", AppendSettings(nil, Setting{SettingMaxFrameSize, MaxFrameBytes + 1}), ErrSettingsValue},
		{"ENABLE_CONNECT_PROTOCOL 2", AppendSettings(nil, Setting{SettingEnableConnect, 2}), ErrSettingsValue},
		{"ENABLE_CONNECT_PROTOCOL back to 0", AppendSettings(nil, Setting{SettingEnableConnect, 1}, Setting{SettingEnableConnect, 0}), ErrSettingsValue},
		{"NO_RFC7540_PRIORITIES 2", AppendSettings(nil, Setting{SettingNoPriorities, 2}), ErrSettingsValue},
		{"NO_RFC7540_PRIORITIES changed", AppendSettings(nil, Setting{SettingNoPriorities, 1}, Setting{SettingNoPriorities, 0}), ErrSettingsValue},
		{"unknown setting", AppendSettings(nil, Setting{0x99, 1}), nil},
		// Section 6.6
		{"PUSH_PROMISE", frame(FramePushPromise, FlagEndHeaders, 5, "\x00\x00\x00\x02"), ErrPush},
		{"PUSH_PROMISE on stream 0", frame(FramePushPromise, FlagEndHeaders, 0, "\x00\x00\x00\x02"), ErrStreamZero},
		{"PUSH_PROMISE of three bytes", frame(FramePushPromise, FlagEndHeaders, 5, "123"), ErrFrameSize},
		// Section 6.7
		{"PING on a stream", frame(FramePing, 0, 5, "12345678"), ErrStreamNotZero},
		{"PING of seven bytes", frame(FramePing, 0, 0, "1234567"), ErrFrameSize},
		// Section 6.8
		{"GOAWAY on a stream", frame(FrameGoAway, 0, 5, "12345678"), ErrStreamNotZero},
		{"GOAWAY of seven bytes", frame(FrameGoAway, 0, 0, "1234567"), ErrFrameSize},
		// Section 6.9
		{"WINDOW_UPDATE of three bytes", frame(FrameWindowUpdate, 0, 0, "123"), ErrFrameSize},
		{"WINDOW_UPDATE of the connection by 0", AppendWindowUpdate(nil, 0, 0), ErrConnIncrement},
		{"WINDOW_UPDATE of a stream by 0", AppendWindowUpdate(nil, 5, 0), ErrIncrement},
		{"connection window overflow", AppendWindowUpdate(nil, 0, MaxWindow), ErrConnWindowLarge},
		{"stream window overflow", AppendWindowUpdate(nil, 5, MaxWindow), ErrWindowLarge},
		{"stream window overflow by settings", append(AppendWindowUpdate(nil, 5, 100), AppendSettings(nil, Setting{SettingInitialWindowSize, MaxWindow})...), ErrSettingsWindow},
		// RFC 9218
		{"PRIORITY_UPDATE on a stream", frame(FramePriorityUpdate, 0, 5, "\x00\x00\x00\x05u=1"), ErrStreamNotZero},
		{"PRIORITY_UPDATE of three bytes", frame(FramePriorityUpdate, 0, 0, "123"), ErrFrameSize},
		{"PRIORITY_UPDATE for stream 0", AppendPriorityUpdate(nil, 0, "u=1"), ErrPriorityUpdate},
		{"PRIORITY_UPDATE for a push", AppendPriorityUpdate(nil, 2, "u=1"), ErrStreamID},
		{"PRIORITY_UPDATE of rubbish", AppendPriorityUpdate(nil, 5, "\xff"), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t, nil)
			s.feed(s.get(1), s.get(3), s.post(5), s.get(7), AppendRSTStream(nil, 7, Cancel), s.get(9))
			s.c.WriteResponse(s.r.streams[1], 200, nil, true)
			s.c.Reset(s.r.streams[9], Cancel)
			s.frames()
			s.r.log = nil
			checkVerdict(t, s, c.in, c.want)
		})
	}
}

// checkVerdict feeds in, whole and cut at every byte, and expects the error in the right scope.
func checkVerdict(t *testing.T, s *script, in []byte, want *Error) {
	t.Helper()
	h := ParseHeader(in)
	var err *Error
	if int(h.Length) > s.c.cfg.Limits.FrameBytes {
		_, err = s.c.Feed(in)
	} else {
		var rest []byte
		for _, b := range in {
			rest = append(rest, b)
			var n int
			if n, err = s.c.Feed(rest); err != nil {
				break
			}
			rest = rest[n:]
		}
	}
	frames := strings.Join(s.frames(), "\n")
	switch {
	case want == nil:
		if err != nil || strings.Contains(frames, "RST_STREAM") {
			t.Errorf("error %v, wrote %s", err, frames)
		}
	case want.Conn:
		goaway := fmt.Sprintf("GOAWAY %d %v %s", s.c.lastPeer, want.Code, want.Label)
		if err != want || !strings.HasSuffix(frames, goaway) || s.c.Open() != 0 {
			t.Errorf("error %v, want %v; wrote %s, want %s", err, want, frames, goaway)
		}
		if n, again := s.c.Feed(in); n != 0 || again != want {
			t.Errorf("the connection goes on: %d, %v", n, again)
		}
		return
	default:
		rst := fmt.Sprintf("RST_STREAM %d %v", h.Stream, want.Code)
		if err != nil || frames != rst || s.c.Fault() != want {
			t.Errorf("error %v, fault %v, wrote %s, want %s", err, s.c.Fault(), frames, rst)
		}
	}
	if err := s.feed(AppendPing(nil, 0, 7)); err != nil {
		t.Errorf("the connection is broken: %v", err)
	}
	s.wantFrames("PING ack 0000000000000007")
}

func TestBeginningOfConnections(t *testing.T) {
	for _, c := range []struct {
		name string
		in   string
		want *Error
	}{
		{"HTTP/1.1", "GET / HTTP/1.1\r\n\r\n", ErrPreface},
		{"end of the preface", Preface[:23] + "\r", ErrPreface},
		{"PING first", Preface + string(AppendPing(nil, 0, 1)), ErrFirstFrame},
		{"ack first", Preface + string(AppendSettingsAck(nil)), ErrFirstFrame},
		{"good", Preface + string(AppendSettings(nil)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t, &Config{})
			s.frames()
			var rest []byte
			var err *Error
			for i := 0; i < len(c.in) && err == nil; i++ {
				rest = append(rest, c.in[i])
				var n int
				n, err = s.c.Feed(rest)
				rest = rest[n:]
			}
			if err != c.want {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestMalformedRequests(t *testing.T) {
	with := func(more ...string) []string { return append(getFields[:len(getFields):len(getFields)], more...) }
	for _, c := range []struct {
		name   string
		fields []string
		want   *Error
	}{
		{"no method", []string{":scheme", "https", ":path", "/", ":authority", "a"}, ErrPseudoMissing},
		{"no scheme", []string{":method", "GET", ":path", "/", ":authority", "a"}, ErrPseudoMissing},
		{"no path", []string{":method", "GET", ":scheme", "https", ":authority", "a"}, ErrPseudoMissing},
		{"no authority", []string{":method", "GET", ":scheme", "https", ":path", "/"}, ErrAuthorityMissing},
		{"host instead of authority", []string{":method", "GET", ":scheme", "https", ":path", "/", "host", "a"}, nil},
		{"host and authority", with("host", "A.example"), nil},
		{"host differs", with("host", "b"), ErrHostConflict},
		{"two hosts", with("host", "a.example", "host", "a.example"), ErrHostConflict},
		{"bad authority", []string{":method", "GET", ":scheme", "https", ":path", "/", ":authority", "u@a"}, ErrAuthority},
		{"method twice", append([]string{":method", "GET"}, getFields...), ErrPseudoTwice},
		{"empty method", []string{":method", "", ":scheme", "https", ":path", "/", ":authority", "a"}, ErrMethod},
		{"bad method", []string{":method", "G T", ":scheme", "https", ":path", "/", ":authority", "a"}, ErrMethod},
		{"long method", []string{":method", strings.Repeat("M", 33), ":scheme", "https", ":path", "/", ":authority", "a"}, ErrMethod},
		{"bad scheme", []string{":method", "GET", ":scheme", "ftp", ":path", "/", ":authority", "a"}, ErrScheme},
		{"empty path", []string{":method", "GET", ":scheme", "https", ":path", "", ":authority", "a"}, ErrPath},
		{"path without slash", []string{":method", "GET", ":scheme", "https", ":path", "x", ":authority", "a"}, ErrPath},
		{"path with a space", []string{":method", "GET", ":scheme", "https", ":path", "/a b", ":authority", "a"}, ErrPath},
		{"path with a fragment", []string{":method", "GET", ":scheme", "https", ":path", "/#a", ":authority", "a"}, ErrPath},
		{"asterisk of GET", []string{":method", "GET", ":scheme", "https", ":path", "*", ":authority", "a"}, ErrPath},
		{"asterisk of OPTIONS", []string{":method", "OPTIONS", ":scheme", "https", ":path", "*", ":authority", "a"}, nil},
		{"long path", []string{":method", "GET", ":scheme", "https", ":path", "/" + strings.Repeat("x", 8<<10), ":authority", "a"}, ErrPathLong},
		{"unknown pseudo-header", append([]string{":x", "y"}, getFields...), ErrPseudoUnknown},
		{"status in a request", append([]string{":status", "200"}, getFields...), ErrPseudoUnknown},
		{"pseudo-header behind a field", with("x", "y", ":authority", "a"), ErrPseudoOrder},
		{"connection", with("connection", "close"), ErrConnectionField},
		{"keep-alive", with("keep-alive", "1"), ErrConnectionField},
		{"proxy-connection", with("proxy-connection", "close"), ErrConnectionField},
		{"transfer-encoding", with("transfer-encoding", "chunked"), ErrConnectionField},
		{"upgrade", with("upgrade", "x"), ErrConnectionField},
		{"te gzip", with("te", "gzip"), ErrTE},
		{"te trailers", with("te", "trailers"), nil},
		{"upper case", []string{":method", "GET", ":scheme", "https", ":authority", "a", ":path", "/", "X", "y"}, nil}, // lowered by the encoder
		{"two lengths", with("content-length", "0", "content-length", "0"), ErrLength},
		{"bad length", with("content-length", "+1"), ErrLength},
		{"length without body", with("content-length", "1"), ErrContentLength},
		{"length 0 without body", with("content-length", "0"), nil},
		{"expectation", with("expect", "tea"), ErrExpect},
		{"expect 100", with("expect", "100-Continue"), nil},
		{"value with a newline", with("x", "a\nb"), ErrField},
		{"value with a space in front", with("x", " a"), ErrField},
		{"name with a space", with("x y", "a"), ErrField},
		{"empty name", with("", "a"), ErrField},
		{"CONNECT with path", []string{":method", "CONNECT", ":authority", "a:1", ":path", "/"}, ErrPseudoUnknown},
		{"CONNECT without authority", []string{":method", "CONNECT"}, ErrPseudoMissing},
		{"CONNECT without port", []string{":method", "CONNECT", ":authority", "a"}, ErrAuthority},
		{"CONNECT with a length", []string{":method", "CONNECT", ":authority", "a:1", "content-length", "3"}, ErrLength},
		{"CONNECT", []string{":method", "CONNECT", ":authority", "a:1"}, nil},
		{"extended CONNECT where it is off", append([]string{":protocol", "websocket"}, getFields...), ErrProtocol},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t, nil)
			checkVerdict(t, s, s.headers(1, FlagEndStream, c.fields...), c.want)
			if got := len(s.r.log) > 0; got != (c.want == nil) {
				t.Errorf("events %q", s.r.log)
			}
		})
	}
	t.Run("upper case", func(t *testing.T) {
		s := server(t, nil)
		checkVerdict(t, s, AppendFrame(nil, FrameHeaders, FlagEndHeaders|FlagEndStream, 1, append(s.block(getFields...), "\x00\x01X\x01y"...)), ErrField)
	})
	t.Run("extended CONNECT needs CONNECT", func(t *testing.T) {
		s := server(t, func(c *Config) { c.ExtendedConnect = true })
		checkVerdict(t, s, s.headers(1, FlagEndStream, append([]string{":protocol", "websocket"}, getFields...)...), ErrProtocol)
	})
}

func TestMalformedBodies(t *testing.T) {
	for _, c := range []struct {
		name   string
		length string
		in     func(s *script) []byte
		want   *Error
	}{
		{"more than announced", "2", func(*script) []byte { return frame(FrameData, 0, 1, "abc") }, ErrContentLength},
		{"less than announced", "4", func(*script) []byte { return frame(FrameData, FlagEndStream, 1, "abc") }, ErrContentLength},
		{"trailers too early", "4", func(s *script) []byte { return s.headers(1, FlagEndStream, "x", "y") }, ErrContentLength},
		{"trailers that do not end", "0", func(s *script) []byte { return s.headers(1, 0, "x", "y") }, ErrTrailersEnd},
		{"pseudo-header in trailers", "0", func(s *script) []byte { return s.headers(1, FlagEndStream, ":path", "/") }, ErrTrailerPseudo},
		{"forbidden field in trailers", "0", func(s *script) []byte { return s.headers(1, FlagEndStream, "connection", "close") }, ErrConnectionField},
		{"bad value in trailers", "0", func(s *script) []byte { return s.headers(1, FlagEndStream, "x", "\x00") }, ErrField},
		{"trailers over the limit", "0", func(s *script) []byte { return s.headers(1, FlagEndStream, "x", strings.Repeat("0", 40<<10)) }, ErrHeadLarge},
		{"as announced", "3", func(*script) []byte { return frame(FrameData, FlagEndStream, 1, "abc") }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := server(t, func(c *Config) { c.Limits.FrameBytes = 1 << 16 })
			s.feed(s.post(1, "content-length", c.length))
			checkVerdict(t, s, c.in(s), c.want)
		})
	}
}

func TestClientViolations(t *testing.T) {
	for _, c := range []struct {
		name string
		in   func(s *script) []byte
		want *Error
	}{
		{"no status", func(s *script) []byte { return s.headers(1, FlagEndStream, "x", "y") }, ErrPseudoMissing},
		{"bad status", func(s *script) []byte { return s.headers(1, FlagEndStream, ":status", "2000") }, ErrStatus},
		{"status 600", func(s *script) []byte { return s.headers(1, FlagEndStream, ":status", "600") }, ErrStatus},
		{"status 101", func(s *script) []byte { return s.headers(1, 0, ":status", "101") }, ErrStatus},
		{"status twice", func(s *script) []byte { return s.headers(1, 0, ":status", "200", ":status", "200") }, ErrPseudoTwice},
		{"path in a response", func(s *script) []byte { return s.headers(1, 0, ":status", "200", ":path", "/") }, ErrPseudoUnknown},
		{"interim that ends", func(s *script) []byte { return s.headers(1, FlagEndStream, ":status", "103") }, ErrInterimEnd},
		{"204 with a length", func(s *script) []byte { return s.headers(1, FlagEndStream, ":status", "204", "content-length", "1") }, ErrLength},
		{"length without body", func(s *script) []byte { return s.headers(1, FlagEndStream, ":status", "200", "content-length", "1") }, ErrContentLength},
		{"DATA first", func(*script) []byte { return frame(FrameData, 0, 1, "x") }, ErrDataFirst},
		{"body of HEAD", func(s *script) []byte {
			s.feed(s.headers(3, 0, ":status", "200", "content-length", "1"))
			return frame(FrameData, 0, 3, "x")
		}, ErrContentLength},
		{"push", func(*script) []byte { return frame(FramePushPromise, FlagEndHeaders, 1, "\x00\x00\x00\x02") }, ErrPush},
		{"HEADERS on an even stream", func(*script) []byte { return frame(FrameHeaders, FlagEndHeaders, 2, "") }, ErrStreamID},
		{"HEADERS on an idle stream", func(*script) []byte { return frame(FrameHeaders, FlagEndHeaders, 9, "") }, ErrIdle},
		{"ENABLE_PUSH 1", func(*script) []byte { return AppendSettings(nil, Setting{SettingEnablePush, 1}) }, ErrSettingsValue},
		{"PRIORITY_UPDATE", func(*script) []byte { return AppendPriorityUpdate(nil, 1, "u=1") }, ErrPriorityUpdate},
		{"late frames of a reset stream", func(s *script) []byte {
			s.c.Reset(s.c.streams.get(1), Cancel)
			s.frames()
			return append(s.headers(1, 0, ":status", "200"), frame(FrameData, FlagEndStream, 1, "x")...)
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := client(t, nil)
			for _, m := range []wire.Method{wire.MethodGet, wire.MethodHead} {
				st := s.c.BeginRequest(&RequestHead{Method: m, MethodName: []byte(m.String()), Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/")})
				s.c.EndHead(st, true)
			}
			s.frames()
			checkVerdict(t, s, c.in(s), c.want)
		})
	}
}
