package h1

import (
	"math"
	"strconv"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func TestAppendStatusLine(t *testing.T) {
	for _, c := range []struct {
		status int
		reason []byte
		want   string
	}{
		{200, nil, "HTTP/1.1 200 OK\r\n"},
		{200, []byte{}, "HTTP/1.1 200 \r\n"},
		{200, []byte("Fine"), "HTTP/1.1 200 Fine\r\n"},
		{100, nil, "HTTP/1.1 100 Continue\r\n"},
		{511, nil, "HTTP/1.1 511 Network Authentication Required\r\n"},
		{299, nil, "HTTP/1.1 299 \r\n"},
		{999, nil, "HTTP/1.1 999 \r\n"},
		{99, []byte("x"), "HTTP/1.1 500 Internal Server Error\r\n"},
		{1000, nil, "HTTP/1.1 500 Internal Server Error\r\n"},
		{-1, nil, "HTTP/1.1 500 Internal Server Error\r\n"},
	} {
		if got := string(AppendStatusLine([]byte("x"), c.status, c.reason)); got != "x"+c.want {
			t.Errorf("status %d, reason %q: %q, want %q", c.status, c.reason, got, "x"+c.want)
		}
	}
	for status := 100; status < 600; status++ {
		want := "HTTP/1.1 " + strconv.Itoa(status) + " " + wire.StatusText(status) + "\r\n"
		if got := string(AppendStatusLine(nil, status, nil)); got != want {
			t.Errorf("status %d: %q, want %q", status, got, want)
		}
	}
}

func TestAppendLines(t *testing.T) {
	got := AppendRequestLine(nil, []byte("GET"), []byte("/a?b"))
	got = AppendField(got, []byte("Host"), []byte("a"))
	got = AppendField(got, []byte("X"), nil)
	got = append(got, CRLF...)
	if want := "GET /a?b HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n"; string(got) != want {
		t.Errorf("%q, want %q", got, want)
	}
	var r wire.Request
	if n, err := ParseRequest(got, &r, nil); n != len(got) || err != nil {
		t.Errorf("n %d, error %v", n, err)
	}
}

func TestAppendNumbers(t *testing.T) {
	values := []uint64{0, 1, 9, 10, 15, 16, 99, 100, 255, 256, 4095, 4096, math.MaxInt64, math.MaxUint64}
	for shift := range 64 {
		values = append(values, 1<<shift, 1<<shift-1)
	}
	for _, v := range values {
		if got, want := string(AppendUint(nil, v)), strconv.FormatUint(v, 10); got != want {
			t.Errorf("AppendUint(%d) = %q", v, got)
		}
		if got, want := string(AppendHex(nil, v)), strconv.FormatUint(v, 16); got != want {
			t.Errorf("AppendHex(%#x) = %q", v, got)
		}
	}
	if got := string(AppendChunkHeader(nil, 1024)); got != "400\r\n" {
		t.Errorf("chunk header %q", got)
	}
}
