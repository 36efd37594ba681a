package h1

import (
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func BenchmarkParseRequest(b *testing.B) {
	for _, c := range []struct{ name, head string }{{"wrk", wrkGet}, {"small", smallGet}, {"browser", browserGet}} {
		b.Run(c.name, func(b *testing.B) {
			in, lim := []byte(c.head), wire.DefaultLimits
			var r wire.Request
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if n, err := ParseRequest(in, &r, &lim); n != len(in) || err != nil {
					b.Fatal(n, err)
				}
			}
		})
	}
}

func BenchmarkParseResponse(b *testing.B) {
	in, lim := []byte(originOK), wire.DefaultLimits
	var r wire.Response
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if n, err := ParseResponse(in, &r, wire.MethodGet, &lim); n != len(in) || err != nil {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkChunked(b *testing.B) {
	var in []byte
	payload := make([]byte, 1024)
	for range 16 {
		in = AppendChunkHeader(in, len(payload))
		in = append(append(in, payload...), CRLF...)
	}
	in = append(in, LastChunk...)
	var d Body
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		d.Init(wire.BodyChunked, 0, &wire.DefaultLimits)
		for rest := in; !d.Done(); {
			_, n, err := d.Next(rest)
			if err != nil {
				b.Fatal(err)
			}
			rest = rest[n:]
		}
	}
}

func BenchmarkAppendResponseHead(b *testing.B) {
	var dst []byte
	server, blitz := []byte("Server"), []byte("blitz")
	b.ReportAllocs()
	for b.Loop() {
		dst = AppendStatusLine(dst[:0], 200, nil)
		dst = AppendField(dst, server, blitz)
		dst = append(dst, CRLF...)
	}
}
