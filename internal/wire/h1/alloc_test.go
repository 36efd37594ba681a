package h1

import (
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// No call on the path of a request may allocate, neither for good input nor for bad.
func TestNoAllocations(t *testing.T) {
	var (
		r    wire.Request
		resp wire.Response
		d    Body
		dst  = make([]byte, 0, 1024)
	)
	heads := map[string][]byte{"wrk": []byte(wrkGet), "browser": []byte(browserGet), "origin": []byte(originOK)}
	chunked := []byte("5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n")
	name, value := []byte("Server"), []byte("blitz")
	for what, f := range map[string]func(){
		"ParseRequest wrk":     func() { _, _ = ParseRequest(heads["wrk"], &r, nil) },
		"ParseRequest browser": func() { _, _ = ParseRequest(heads["browser"], &r, &wire.DefaultLimits) },
		"ParseResponse":        func() { _, _ = ParseResponse(heads["origin"], &resp, wire.MethodGet, nil) },
		"HeadEnd":              func() { HeadEnd(heads["browser"], 0) },
		"Body": func() {
			d.Init(wire.BodyChunked, 0, nil)
			for rest := chunked; !d.Done(); {
				_, n, err := d.Next(rest)
				if err != nil || n == 0 {
					t.Fatal(n, err)
				}
				rest = rest[n:]
			}
		},
		"encoders": func() {
			dst = AppendRequestLine(dst[:0], name, value)
			dst = AppendStatusLine(dst, 200, nil)
			dst = AppendStatusLine(dst, 299, value)
			dst = AppendField(dst, name, value)
			dst = AppendUint(dst, 1<<63)
			dst = AppendChunkHeader(dst, 1<<20)
			dst = append(dst, LastChunk...)
		},
	} {
		t.Run(what, func(t *testing.T) {
			if n := testing.AllocsPerRun(100, f); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	for _, c := range refusedRequests {
		in := []byte(crlf(c.in))
		if n := testing.AllocsPerRun(10, func() { _, _ = ParseRequest(in, &r, nil) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}
