package h2

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

func TestWritersAgainstXNet(t *testing.T) {
	var want bytes.Buffer
	fr := http2.NewFramer(&want, nil)
	_ = fr.WriteData(1, true, []byte("abc"))
	_ = fr.WriteRSTStream(3, http2.ErrCodeCancel)
	_ = fr.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: 1 << 20}, http2.Setting{ID: http2.SettingEnablePush})
	_ = fr.WriteSettingsAck()
	_ = fr.WritePing(true, [8]byte{0, 0, 0, 0, 0, 0, 1, 2})
	_ = fr.WriteGoAway(7, http2.ErrCodeEnhanceYourCalm, []byte("why"))
	_ = fr.WriteWindowUpdate(maxStreamID, MaxWindow)
	_ = fr.WritePriorityUpdate(5, "u=1")
	var got []byte
	got = AppendFrame(got, FrameData, FlagEndStream, 1, []byte("abc"))
	got = AppendRSTStream(got, 3, Cancel)
	got = AppendSettings(got, Setting{SettingMaxFrameSize, 1 << 20}, Setting{SettingEnablePush, 0})
	got = AppendSettingsAck(got)
	got = AppendPing(got, FlagAck, 0x102)
	got = AppendGoAway(got, 7, EnhanceYourCalm, "why")
	got = AppendWindowUpdate(got, maxStreamID, MaxWindow)
	got = AppendPriorityUpdate(got, 5, "u=1")
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%x, want %x", got, want.Bytes())
	}
}

// FuzzFrames compares our parser with x/net's on one frame.
func FuzzFrames(f *testing.F) {
	for _, b := range [][]byte{
		frame(FrameData, FlagPadded, 1, "\x02abc"), frame(FrameHeaders, FlagPadded|FlagPriority|FlagEndHeaders, 1, "\x01\x00\x00\x00\x03\x10\x82\x00"),
		frame(FramePriority, 0, 3, "\x80\x00\x00\x01\xff"), AppendRSTStream(nil, 1, Cancel), AppendSettings(nil, Setting{1, 2}), AppendSettingsAck(nil),
		frame(FramePushPromise, FlagPadded, 1, "\x01\x00\x00\x00\x02\x82\x00"), AppendPing(nil, 0, 1), AppendGoAway(nil, 1, NoError, "x"),
		AppendWindowUpdate(nil, 0, 1), AppendWindowUpdate(nil, 1, 0), frame(FrameContinuation, 0, 1, "x"), AppendPriorityUpdate(nil, 1, "i"), frame(0x55, 0xff, 9, "x"),
	} {
		f.Add(b)
		f.Add(b[:len(b)-1])
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < HeaderBytes || len(in) > 1<<16 {
			return
		}
		h := ParseHeader(in)
		h.Length = uint32(len(in) - HeaderBytes)
		putHeader(in, h)
		fr := http2.NewFramer(io.Discard, bytes.NewReader(in))
		fr.AllowIllegalReads = true // the order of frames is the connection's business
		x, xerr := fr.ReadFrame()
		var got Frame
		err := ParseFrame(h, in[HeaderBytes:], &got)
		if err == ErrSelfDependency { // a rule of RFC 7540 that x/net leaves to its server
			return
		}
		if (err == nil) != (xerr == nil) {
			// x/net does not look at these.
			if p, ok := x.(*http2.PriorityUpdateFrame); ok && p.PrioritizedStreamID == 0 || h.Type == FrameSettings && xerr != nil && err == nil {
				return
			}
			t.Fatalf("%x: %v, x/net %v", in, err, xerr)
		}
		if err != nil {
			compareError(t, in, h, err, xerr)
			return
		}
		compareFrame(t, in, &got, x)
	})
}

func compareError(t *testing.T, in []byte, h FrameHeader, err *Error, xerr error) {
	t.Helper()
	var se http2.StreamError
	var ce http2.ConnectionError
	switch {
	case errors.As(xerr, &se):
		// RFC 9113 sections 4.2 and 6.2 make these the connection's errors, as a header block is lost.
		if h.Type == FrameHeaders && (err == ErrPadding || err == ErrFrameSize) {
			return
		}
		if err.Conn || uint32(err.Code) != uint32(se.Code) || se.StreamID != h.Stream {
			t.Fatalf("%x: %v, x/net %v", in, err, xerr)
		}
	case errors.As(xerr, &ce):
		// x/net calls the wrong size of PRIORITY and some others a connection error, or another code.
		if err == ErrPrioritySize || err == ErrFrameSize && uint32(ce) == uint32(ProtocolError) || err == ErrStreamZero || err == ErrStreamNotZero || err == ErrPadding {
			return
		}
		if !err.Conn || uint32(err.Code) != uint32(ce) {
			t.Fatalf("%x: %v, x/net %v", in, err, xerr)
		}
	}
}

func compareFrame(t *testing.T, in []byte, got *Frame, x http2.Frame) {
	t.Helper()
	xh := x.Header()
	if uint8(xh.Type) != uint8(got.Type) || uint8(xh.Flags) != uint8(got.Flags) || xh.StreamID != got.Stream || xh.Length != got.Length {
		t.Fatalf("%x: %+v, x/net %v", in, got.FrameHeader, xh)
	}
	ok := true
	same := func(b []byte) bool { return bytes.Equal(b, got.Payload) }
	switch x := x.(type) {
	case *http2.DataFrame:
		ok = same(x.Data())
	case *http2.HeadersFrame:
		ok = same(x.HeaderBlockFragment()) && (!x.HasPriority() || x.Priority.StreamDep == got.Ref)
	case *http2.PriorityFrame:
		ok = x.StreamDep == got.Ref
	case *http2.RSTStreamFrame:
		ok = uint32(x.ErrCode) == uint32(got.Code)
	case *http2.PushPromiseFrame:
		ok = same(x.HeaderBlockFragment()) && x.PromiseID == got.Ref
	case *http2.PingFrame:
		ok = same(x.Data[:])
	case *http2.GoAwayFrame:
		ok = same(x.DebugData()) && x.LastStreamID == got.Ref && uint32(x.ErrCode) == uint32(got.Code)
	case *http2.WindowUpdateFrame:
		ok = x.Increment == got.Increment
	case *http2.ContinuationFrame:
		ok = same(x.HeaderBlockFragment())
	case *http2.PriorityUpdateFrame:
		ok = x.PrioritizedStreamID == got.Ref && x.Priority == string(got.Payload)
	}
	if !ok {
		t.Fatalf("%x: %+v, x/net %+v", in, got, x)
	}
}

func TestErrCodeNames(t *testing.T) {
	for c := NoError; c <= HTTP11Required; c++ {
		if got, want := c.String(), http2.ErrCode(c).String(); got != want {
			t.Errorf("%d is %s, want %s", uint32(c), got, want)
		}
	}
	if got := ErrCode(0xff).String(); got != "0xff" {
		t.Errorf("got %s", got)
	}
}

func TestParsePriority(t *testing.T) {
	for in, want := range map[string]Priority{
		"": {3, false}, "u=0": {0, false}, "u=7, i": {7, true}, "i": {3, true}, "i=?0": {3, false}, "i=?1,u=2": {2, true}, "u=8": {3, false}, "u=-1": {3, false},
		"u=1;x=2, i;y": {1, true}, "x=\"a,b\", u=5": {5, false}, "u=1,u=4": {4, false}, "i=1": {3, false}, "U=1": {3, false}, "u=1,": {3, false}, "\x00": {3, false},
		"  u=2 ,\ti ": {2, true}, "u": {3, false}, "u=10": {3, false}, "x=\"\\\"": {3, false}, "u=": {3, false},
	} {
		if got := ParsePriority([]byte(in)); got != want {
			t.Errorf("%q is %+v, want %+v", in, got, want)
		}
	}
}

func TestScheduler(t *testing.T) {
	var q scheduler
	st := func(id uint32, u uint8, i bool) *Stream { return &Stream{id: id, prio: Priority{u, i}} }
	one, three, five, seven, nine := st(1, 3, false), st(3, 3, false), st(5, 3, true), st(7, 3, true), st(9, 0, true)
	for _, s := range []*Stream{seven, three, nine, one, five, five} {
		q.push(s)
	}
	var got []uint32
	left := map[uint32]int{1: 2, 3: 1, 5: 3, 7: 2, 9: 1}
	for s := q.pop(); s != nil; s = q.pop() {
		got = append(got, s.id)
		if left[s.id]--; left[s.id] > 0 {
			q.push(s)
		}
	}
	// The most urgent first; 1 before 3, 7 and 5 in turns, both kinds alternately.
	want := []uint32{9, 1, 7, 1, 5, 3, 7, 5, 5}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%v, want %v", got, want)
		}
	}
}
