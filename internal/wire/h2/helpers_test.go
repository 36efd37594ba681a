package h2

import (
	"fmt"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// recorder is a Handler that writes down what it is told, and can act on it.
type recorder struct {
	c       *Conn
	log     []string
	streams map[uint32]*Stream
	consume bool
	on      func(event string, s *Stream)
}

func (r *recorder) note(s *Stream, format string, args ...any) {
	e := fmt.Sprintf(format, args...)
	r.log = append(r.log, e)
	if s != nil {
		if r.streams == nil {
			r.streams = map[uint32]*Stream{}
		}
		r.streams[s.ID()] = s
	}
	if r.on != nil {
		r.on(e, s)
	}
}

func fieldText(fields []wire.Field) string {
	var b strings.Builder
	for _, f := range fields {
		hop := ""
		if f.Hop {
			hop = "!"
		}
		fmt.Fprintf(&b, " %s%s=%s", hop, f.Name, f.Value)
	}
	return b.String()
}

func endText(end bool) string {
	if end {
		return " end"
	}
	return ""
}

func (r *recorder) Request(s *Stream, q *wire.Request, end bool) {
	r.note(s, "request %d %s %s %s%s%s", s.ID(), q.MethodName, q.Authority, q.Target, fieldText(q.Fields), endText(end))
}

func (r *recorder) Response(s *Stream, q *wire.Response, end bool) {
	r.note(s, "response %d %d%s%s", s.ID(), q.Status, fieldText(q.Fields), endText(end))
}

func (r *recorder) Data(s *Stream, p []byte, end bool) {
	text := string(p)
	if len(p) > 20 {
		text = fmt.Sprintf("%d bytes", len(p))
	}
	if r.consume {
		r.c.Consume(s, len(p))
	}
	r.note(s, "data %d %q%s", s.ID(), text, endText(end))
}

func (r *recorder) Trailers(s *Stream, fields []wire.Field) {
	r.note(s, "trailers %d%s", s.ID(), fieldText(fields))
}

func (r *recorder) Closed(s *Stream, code ErrCode, cause Cause) {
	r.note(s, "closed %d %v by %s", s.ID(), code, [...]string{"end", "peer", "fault", "owner", "goaway", "connection"}[cause])
	delete(r.streams, s.ID())
}

func (r *recorder) GoAway(last uint32, code ErrCode) { r.note(nil, "goaway %d %v", last, code) }
func (r *recorder) Pong(data uint64)                 { r.note(nil, "pong %d", data) }

// script drives one Conn as its peer would.
type script struct {
	t    testing.TB
	c    *Conn
	r    *recorder
	enc  hpack.Encoder
	dec  hpack.Decoder
	list hpack.List
}

func newScript(t testing.TB, cfg *Config) *script {
	t.Helper()
	if cfg.Limits.Streams == 0 {
		cfg.Limits = DefaultLimits
	}
	s := &script{t: t, c: new(Conn), r: new(recorder)}
	s.r.c = s.c
	s.enc.Init(4096)
	s.dec.Init(1<<20, 1000)
	s.c.Init(cfg, s.r, new(Scratch))
	s.c.Start()
	return s
}

// server and client are scripts past the exchange of SETTINGS.
func server(t testing.TB, change func(*Config)) *script {
	cfg := &Config{Limits: DefaultLimits}
	if change != nil {
		change(cfg)
	}
	s := newScript(t, cfg)
	s.feed([]byte(Preface), AppendSettings(nil), AppendSettingsAck(nil))
	s.frames()
	return s
}

func client(t testing.TB, change func(*Config)) *script {
	cfg := &Config{Client: true, Limits: DefaultLimits}
	if change != nil {
		change(cfg)
	}
	s := newScript(t, cfg)
	s.feed(AppendSettings(nil), AppendSettingsAck(nil))
	s.c.SetOut(s.c.Out()[len(Preface):])
	s.frames()
	return s
}

func (s *script) feed(parts ...[]byte) *Error {
	s.t.Helper()
	var in []byte
	for _, p := range parts {
		in = append(in, p...)
	}
	n, err := s.c.Feed(in)
	if err == nil && n != len(in) {
		s.t.Fatalf("%d of %d bytes used", n, len(in))
	}
	return err
}

// block encodes fields, given as alternating names and values.
func (s *script) block(fields ...string) []byte {
	b := s.enc.Begin(nil)
	for i := 0; i < len(fields); i += 2 {
		n := []byte(fields[i])
		b = hpack.AppendStateless(b, n, []byte(fields[i+1]))
	}
	return b
}

func (s *script) headers(id uint32, flags Flags, fields ...string) []byte {
	return AppendFrame(nil, FrameHeaders, flags|FlagEndHeaders, id, s.block(fields...))
}

var getFields = []string{":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"}

func (s *script) get(id uint32) []byte { return s.headers(id, FlagEndStream, getFields...) }

// post is a request without its body.
func (s *script) post(id uint32, more ...string) []byte {
	return s.headers(id, 0, append([]string{":method", "POST", ":scheme", "https", ":authority", "a.example", ":path", "/"}, more...)...)
}

// frames takes what was written and describes it.
func (s *script) frames() []string {
	s.t.Helper()
	var list []string
	b := s.c.Out()
	for len(b) > 0 {
		var f Frame
		h := ParseHeader(b)
		if err := ParseFrame(h, b[HeaderBytes:HeaderBytes+int(h.Length)], &f); err != nil {
			s.t.Fatalf("wrote a bad frame: %v", err)
		}
		list = append(list, s.describe(&f))
		b = b[HeaderBytes+int(h.Length):]
	}
	s.c.SetOut(s.c.Out()[:0])
	return list
}

func (s *script) describe(f *Frame) string {
	end := ""
	switch f.Type {
	case FrameData:
		text := string(f.Payload)
		if len(text) > 20 {
			text = fmt.Sprintf("%d bytes", len(text))
		}
		return fmt.Sprintf("DATA %d %q%s", f.Stream, text, endText(f.Has(FlagEndStream)))
	case FrameHeaders:
		if !f.Has(FlagEndHeaders) {
			return fmt.Sprintf("HEADERS %d %d bytes%s", f.Stream, len(f.Payload), endText(f.Has(FlagEndStream)))
		}
		if err := s.dec.Decode(f.Payload, &s.list); err != nil {
			s.t.Fatal(err)
		}
		return fmt.Sprintf("HEADERS %d%s%s", f.Stream, fieldText(s.list.Fields), endText(f.Has(FlagEndStream)))
	case FrameContinuation:
		if f.Has(FlagEndHeaders) {
			end = " end"
		}
		return fmt.Sprintf("CONTINUATION %d %d bytes%s", f.Stream, len(f.Payload), end)
	case FrameRSTStream:
		return fmt.Sprintf("RST_STREAM %d %v", f.Stream, f.Code)
	case FrameSettings:
		if f.Has(FlagAck) {
			return "SETTINGS ack"
		}
		return "SETTINGS"
	case FramePing:
		if f.Has(FlagAck) {
			return fmt.Sprintf("PING ack %x", f.Payload)
		}
		return fmt.Sprintf("PING %x", f.Payload)
	case FrameGoAway:
		return fmt.Sprintf("GOAWAY %d %v %s", f.Ref, f.Code, f.Payload)
	case FrameWindowUpdate:
		return fmt.Sprintf("WINDOW_UPDATE %d %d", f.Stream, f.Increment)
	}
	return fmt.Sprintf("frame %d", f.Type)
}

func (s *script) wantFrames(want ...string) {
	s.t.Helper()
	if got := s.frames(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("wrote\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func (s *script) wantEvents(want ...string) {
	s.t.Helper()
	if got := s.r.log; strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("events\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	s.r.log = nil
}
