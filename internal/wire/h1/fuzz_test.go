package h1

import (
	"bytes"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// The fuzz targets assert what must hold for any input. Their seeds are the tables of the other tests and
// testdata/fuzz.

func FuzzRequest(f *testing.F) {
	for _, c := range refusedRequests {
		if len(c.in) < 1024 {
			f.Add([]byte(crlf(c.in)))
		}
	}
	for _, c := range acceptedRequests {
		f.Add([]byte(crlf(c.in)))
	}
	for _, s := range []string{wrkGet, smallGet, browserGet,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n",
		"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var r wire.Request
		n, err := ParseRequest(in, &r, nil)
		checkCount(t, n, len(in), err)
		if err != nil && (err.Status < 400 || err.Status == 502) {
			t.Fatalf("status %d for a bad request", err.Status)
		}
		if n == 0 {
			return
		}
		checkPrefixes(t, in[:n], func(b []byte) (int, *wire.Error) {
			var r wire.Request
			return ParseRequest(b, &r, nil)
		})
		if end := HeadEnd(in, 0); end != n && !(n > 2 && end == 2) {
			t.Fatalf("the head ends at %d, HeadEnd says %d", n, end)
		}
		again := AppendRequestLine(nil, r.MethodName, r.Target)
		again = appendFields(again, r.Fields)
		var r2 wire.Request
		if n, err := ParseRequest(again, &r2, nil); n != len(again) || err != nil {
			// The encoder writes HTTP/1.1 and a space after each colon; an HTTP/1.0 head may lack a Host, and either
			// may break a limit.
			if r.Minor == 1 && len(again) < 8<<10 || err == nil {
				t.Fatalf("%q does not parse again: n %d, error %v", again, n, err)
			}
			return
		}
		if r.Minor == 1 {
			sameRequest(t, &r2, &r)
		}
		sameFields(t, r2.Fields, r.Fields)
		diffRequest(t, in, n, &r)
	})
}

func FuzzResponse(f *testing.F) {
	for _, c := range acceptedResponses {
		f.Add([]byte(crlf(c.in)), uint8(c.method))
	}
	f.Add([]byte(originOK), uint8(wire.MethodGet))
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: y\r\n\r\n"), uint8(wire.MethodGet))
	f.Fuzz(func(t *testing.T, in []byte, m uint8) {
		method := wire.Method(m % (uint8(wire.MethodPatch) + 1))
		var r wire.Response
		n, err := ParseResponse(in, &r, method, nil)
		checkCount(t, n, len(in), err)
		if err != nil && err.Status != 502 {
			t.Fatalf("status %d for a bad response", err.Status)
		}
		if n == 0 {
			return
		}
		checkPrefixes(t, in[:n], func(b []byte) (int, *wire.Error) {
			var r wire.Response
			return ParseResponse(b, &r, method, nil)
		})
		again := AppendStatusLine(nil, r.Status, r.Reason)
		again = appendFields(again, r.Fields)
		var r2 wire.Response
		if n, err := ParseResponse(again, &r2, method, nil); n != len(again) || err != nil {
			if len(again) < 8<<10 {
				t.Fatalf("%q does not parse again: n %d, error %v", again, n, err)
			}
			return
		}
		if r2.Status != r.Status || !bytes.Equal(r2.Reason, r.Reason) || r2.Body != r.Body || r2.Length != r.Length {
			t.Fatalf("%q became %q", in[:n], again)
		}
		sameFields(t, r2.Fields, r.Fields)
		diffResponse(t, in, n, &r, method)
	})
}

// FuzzBody feeds one chunked body whole and in pieces whose sizes come from split; all must agree, and with net/http.
func FuzzBody(f *testing.F) {
	for _, c := range chunkedBodies {
		if len(c.in) < 1024 {
			f.Add([]byte(crlf(c.in)), []byte{1, 2, 3}, false)
			f.Add([]byte(crlf(c.in)), []byte{5}, true)
		}
	}
	f.Fuzz(func(t *testing.T, in, split []byte, response bool) {
		var d Body
		start := func() {
			d.Init(wire.BodyChunked, 0, nil)
			if response {
				d.InitResponse(wire.BodyChunked, 0, nil)
			}
		}
		start()
		payload, rest, err := readBody(&d, in, len(in)+1)
		done, trailers := d.Done(), fieldLines(d.Trailers())
		if err != nil && (err.Status == 502) != response {
			t.Fatalf("status %d, response %v", err.Status, response)
		}
		if len(payload)+len(rest) > len(in) {
			t.Fatalf("%d bytes of payload and %d left of %d", len(payload), len(rest), len(in))
		}
		if done != (d.AtEOF() == nil) {
			t.Fatalf("done %v, AtEOF %v", done, d.AtEOF())
		}
		for _, size := range append(split[:len(split):len(split)], 1) {
			start()
			payload2, rest2, err2 := readBody(&d, in, int(size)+1)
			if !bytes.Equal(payload2, payload) || err2 != err || d.Done() != done || err == nil && !bytes.Equal(rest2, rest) {
				t.Fatalf("in pieces of %d: payload %q, left %q, error %v; whole: %q, %q, %v", size+1, payload2, rest2, err2, payload, rest, err)
			}
			if len(d.Trailers()) != len(trailers) {
				t.Fatalf("in pieces of %d: %d trailers, whole: %d", size+1, len(d.Trailers()), len(trailers))
			}
		}
		if done {
			diffBody(t, in, payload, len(in)-len(rest))
		}
	})
}

func checkCount(t *testing.T, n, size int, err *wire.Error) {
	t.Helper()
	if n < 0 || n > size || n > 0 && err != nil {
		t.Fatalf("n %d of %d, error %v", n, size, err)
	}
}

// checkPrefixes asserts that a head that is accepted is incomplete everywhere before its end.
func checkPrefixes(t *testing.T, head []byte, parse func([]byte) (int, *wire.Error)) {
	t.Helper()
	if len(head) > 1024 {
		return
	}
	for i := range head {
		if n, err := parse(head[:i:i]); n != 0 || err != nil {
			t.Fatalf("%q: n %d, error %v; %q is accepted", head[:i], n, err, head)
		}
	}
}

func appendFields(dst []byte, fields []wire.Field) []byte {
	for _, f := range fields {
		dst = AppendField(dst, f.Name, f.Value)
	}
	return append(dst, CRLF...)
}

func sameFields(t *testing.T, got, want []wire.Field) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d fields, want %d", len(got), len(want))
	}
	for i := range got {
		g, w := &got[i], &want[i]
		if !bytes.Equal(g.Name, w.Name) || !bytes.Equal(g.Value, w.Value) || g.ID != w.ID || g.Hop != w.Hop {
			t.Errorf("field %d is %q %q %d %v, want %q %q %d %v", i, g.Name, g.Value, g.ID, g.Hop, w.Name, w.Value, w.ID, w.Hop)
		}
	}
}
