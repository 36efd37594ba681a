package h1

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// readBody feeds in to d in pieces of the given size, keeping what Next leaves, and returns the payload and the bytes behind the body.
func readBody(d *Body, in []byte, piece int) (payload, rest []byte, err *wire.Error) {
	var pending []byte
	for len(in) > 0 && !d.Done() {
		k := min(piece, len(in))
		pending = append(pending, in[:k]...)
		in = in[k:]
		for !d.Done() {
			data, n, err := d.Next(pending)
			if err != nil {
				return payload, nil, err
			}
			payload = append(payload, data...)
			if n == 0 {
				break
			}
			pending = append([]byte(nil), pending[n:]...)
		}
	}
	return payload, append(pending, in...), nil
}

var chunkedBodies = []struct {
	name, in, payload, want string
	trailers                []string
}{
	{"empty", "0\n\n", "", "", nil},
	{"one chunk", "5\nhello\n0\n\n", "hello", "", nil},
	{"two chunks", "5\nhello\n6\n world\n0\n\n", "hello world", "", nil},
	{"hexadecimal in both cases", "a\n0123456789\nA\n0123456789\n0\n\n", "01234567890123456789", "", nil},
	{"leading zeros", "0000000000000005\nhello\n000\n\n", "hello", "", nil},
	{"data that looks like framing", "8\n0\n\n0\n\n0\n\n", "0\n\n0\n", "", nil},
	{"extension", "5;a\nhello\n0;last\n\n", "hello", "", nil},
	{"extension with value", "5;a=b;c=\"d\"\nhello\n0\n\n", "hello", "", nil},
	{"extension with quoted pair", "5;a=\"\\\";\\\\ \"\nhello\n0\n\n", "hello", "", nil},
	{"extension with obs-text", "5;a=\"\xe9\"\nhello\n0\n\n", "hello", "", nil},
	{"trailers", "5\nhello\n0\nX-Sum: 1\nETag: \"x\"\n\n", "hello", "", []string{"X-Sum=1", "ETag=\"x\""}},
	{"forbidden trailers", "0\nHost: evil\nContent-Length: 5\nTransfer-Encoding: gzip\nCookie: a\nX-Forwarded-For: b\nConnection: close\nContent-Type: t\nGrpc-Status: 0\n\n", "", "",
		[]string{"-Host=evil", "-Content-Length=5", "-Transfer-Encoding=gzip", "-Cookie=a", "-X-Forwarded-For=b", "-Connection=close", "-Content-Type=t", "Grpc-Status=0"}},
	{"trailer with underscore", "0\nx_y: 1\n\n", "", "", []string{"-x_y=1"}},

	{"no size", "\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"plus", "+5\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"minus", "-5\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"0x", "0x5\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"underscore in size", "0_5\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"space before size", " 5\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"space after size", "5 \nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"tab before extension", "5\t;a\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"not a digit", "g\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"NUL", "5\x00\nhello\n0\n\n", "", "400 bad_chunk_size", nil},
	{"overflow", "4000000000000001\nhello", "", "400 chunk_size_overflow", nil},
	{"overflow of 64 bits", "ffffffffffffffff\nhello", "", "400 chunk_size_overflow", nil},
	{"17 digits", "00000000000000005\nhello", "", "400 chunk_size_overflow", nil},
	{"LF after size", "5␊hello\n0\n\n", "", "400 bare_lf", nil},
	{"LF after extension", "5;a␊hello\n0\n\n", "", "400 bare_lf", nil},
	{"LF in quoted string", "5;a=\"␊\"\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"CR after size", "5␍hello\n0\n\n", "", "400 bare_cr", nil},
	{"CR CR LF after size", "5␍\nhello\n0\n\n", "", "400 bare_cr", nil},
	{"extension without name", "5;\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension with space", "5; a\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension without value", "5;a=\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension with a broken value", "5;a=b c\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension after a string", "5;a=\"b\"c\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension with an open string", "5;a=\"\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"CR behind a backslash", "5;a=\"\\\nhello\n0\n\n", "", "400 bad_chunk_extension", nil},
	{"extension too long", "5;" + strings.Repeat("a", 255) + "\nhello", "", "400 chunk_line_too_long", nil},
	{"data too long", "4\nhello\n0\n\n", "hell", "400 bad_chunk_end", nil},
	{"data too short", "6\nhello\n0\n\n", "hello\r", "400 bad_chunk_end", nil},
	{"LF after data", "5\nhello␊0\n\n", "hello", "400 bad_chunk_end", nil},
	{"CR after data", "5\nhello␍0\n\n", "hello", "400 bad_chunk_end", nil},
	{"trailers folded", "0\nX: a\n b\n\n", "", "400 folded_field", nil},
	{"trailer with space before colon", "0\nX : a\n\n", "", "400 space_before_colon", nil},
	{"trailer without colon", "0\nGET / HTTP/1.1\n\n", "", "400 space_before_colon", nil},
	{"trailer with LF", "0\nX: a␊\n", "", "400 bare_lf", nil},
	{"LF for the end", "0\n␊", "", "400 bare_lf", nil},
	{"too many trailers", "0\n" + strings.Repeat("X: a\n", 101), "", "431 too_many_fields", nil},
	{"trailers too large", "0\nX: " + strings.Repeat("a", 8<<10), "", "431 trailers_too_large", nil},
}

func TestBodyChunked(t *testing.T) {
	var d Body // reused on purpose
	for _, c := range chunkedBodies {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(crlf(c.in))
			pieces := []int{len(in) + 4, 1, 2, 3, 7}
			if len(in) > 1024 {
				pieces = pieces[:1]
			}
			for _, piece := range pieces {
				for _, response := range []bool{false, true} {
					input, want := in, c.want
					d.Init(wire.BodyChunked, 0, nil)
					if response {
						d.InitResponse(wire.BodyChunked, 0, nil)
						if want != "" {
							want = "502" + want[3:]
						}
					}
					if want == "" {
						input = append(in[:len(in):len(in)], "next"...)
					}
					payload, rest, err := readBody(&d, input, piece)
					wantCode(t, err, want)
					if string(payload) != crlf(c.payload) {
						t.Errorf("pieces of %d: payload %q, want %q", piece, payload, c.payload)
					}
					if d.Done() != (want == "") {
						t.Errorf("pieces of %d: done is %v", piece, d.Done())
					}
					if want == "" && string(rest) != "next" {
						t.Errorf("pieces of %d: left %q, want %q", piece, rest, "next")
					}
				}
			}
		})
	}
}

func TestBodyTrailers(t *testing.T) {
	var d Body
	for _, c := range chunkedBodies {
		if c.want != "" {
			continue
		}
		d.Init(wire.BodyChunked, 0, nil)
		b := []byte(crlf(c.in))
		for !d.Done() {
			_, n, err := d.Next(b)
			if err != nil || n == 0 {
				t.Fatalf("%s: n %d, error %v", c.name, n, err)
			}
			b = b[n:]
		}
		if got := fieldLines(d.Trailers()); !slices.Equal(got, c.trailers) {
			t.Errorf("%s: trailers\n %q, want\n %q", c.name, got, c.trailers)
		}
	}
	d.InitResponse(wire.BodyChunked, 0, nil)
	if _, _, err := readBody(&d, []byte("0\r\nx_y: 1\r\n\r\n"), 1); err != nil || d.Trailers()[0].Hop {
		t.Errorf("trailer of a response with an underscore: error %v, fields %q", err, fieldLines(d.Trailers()))
	}
}

// A body cut off anywhere is never done, and says so at the end of the connection.
func TestBodyTruncated(t *testing.T) {
	for _, c := range chunkedBodies {
		in := []byte(crlf(c.in))
		if c.want != "" {
			continue
		}
		for i := range in {
			var d Body
			d.Init(wire.BodyChunked, 0, nil)
			if _, _, err := readBody(&d, in[:i], len(in)); err != nil || d.Done() {
				t.Fatalf("%q: error %v, done %v", in[:i], err, d.Done())
			}
			wantCode(t, d.AtEOF(), "400 body_too_short")
			if d.Remaining() != -1 {
				t.Errorf("%d bytes remain of an unknown number", d.Remaining())
			}
		}
	}
}

func TestBodyLength(t *testing.T) {
	var d Body
	d.InitResponse(wire.BodyLength, 5, nil)
	data, n, err := d.Next([]byte("hel"))
	if string(data) != "hel" || n != 3 || err != nil || d.Done() || d.Remaining() != 2 {
		t.Fatalf("data %q, n %d, error %v, done %v, remaining %d", data, n, err, d.Done(), d.Remaining())
	}
	wantCode(t, d.AtEOF(), "502 body_too_short")
	data, n, err = d.Next([]byte("loHTTP"))
	if string(data) != "lo" || n != 2 || err != nil || !d.Done() || d.Remaining() != 0 {
		t.Fatalf("data %q, n %d, error %v, done %v, remaining %d", data, n, err, d.Done(), d.Remaining())
	}
	if data, n, err = d.Next([]byte("HTTP")); len(data) != 0 || n != 0 || err != nil {
		t.Errorf("after the end: data %q, n %d, error %v", data, n, err)
	}
	wantCode(t, d.AtEOF(), "")
}

func TestBodyWithoutEndOrBytes(t *testing.T) {
	var d Body
	d.InitResponse(wire.BodyUntilClose, -1, nil)
	if data, n, err := d.Next([]byte("abc")); string(data) != "abc" || n != 3 || err != nil || d.Done() || d.Remaining() != -1 {
		t.Errorf("until close: data %q, n %d, error %v, done %v, remaining %d", data, n, err, d.Done(), d.Remaining())
	}
	wantCode(t, d.AtEOF(), "")
	for _, kind := range []wire.BodyKind{wire.BodyNone, wire.BodyLength} {
		d.Init(kind, 0, nil)
		if data, n, err := d.Next([]byte("GET")); len(data) != 0 || n != 0 || err != nil || !d.Done() || d.Remaining() != 0 {
			t.Errorf("kind %d: data %q, n %d, error %v, done %v", kind, data, n, err, d.Done())
		}
		wantCode(t, d.AtEOF(), "")
	}
}

func TestBodyChunkLineAtLimit(t *testing.T) {
	var d Body
	d.Init(wire.BodyChunked, 0, nil)
	in := []byte("0;" + strings.Repeat("a", wire.DefaultLimits.ChunkLineBytes-2) + "\r\n\r\n")
	if _, _, err := readBody(&d, in, 10); err != nil || !d.Done() {
		t.Errorf("error %v, done %v", err, d.Done())
	}
}

func TestBodyTrailersAtLimit(t *testing.T) {
	lim := wire.Limits{TrailerBytes: 16}.WithDefaults()
	for size, want := range map[int]string{9: "", 10: "431 trailers_too_large"} {
		var d Body
		d.Init(wire.BodyChunked, 0, &lim)
		_, _, err := readBody(&d, []byte("0\r\nX: "+strings.Repeat("a", size)+"\r\n\r\n"), 1)
		wantCode(t, err, want)
	}
}

// The largest size allowed is read as what it is, and its data is passed on as it comes.
func TestBodyHugeChunk(t *testing.T) {
	var d Body
	d.Init(wire.BodyChunked, 0, nil)
	payload, _, err := readBody(&d, append([]byte("4000000000000000\r\n"), bytes.Repeat([]byte("x"), 100)...), 9)
	if err != nil || len(payload) != 100 || d.Done() {
		t.Errorf("payload of %d bytes, error %v, done %v", len(payload), err, d.Done())
	}
}
