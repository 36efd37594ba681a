package h1

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httputil"
	"net/textproto"
	"slices"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// The differential tests hold us against net/http: what we accept, it must accept, and read the same fields, framing
// and payload from it. It may accept more. The exceptions, where it is stricter or reads something else for reasons
// of its own, are these and no others:
//
//   - it knows no empty line before a request line;
//   - it parses the path as a URL and refuses bad escapes, which here is the work of wire.NormalizePath;
//   - it refuses a Trailer field that announces a framing field, and hides that field as well as Host,
//     Transfer-Encoding and Connection: close;
//   - it adds Cache-Control to a Pragma: no-cache;
//   - it takes the end of the connection for the end of a response to HEAD without a length;
//   - it does not know that a 2xx answer to CONNECT has no body.

const diffBuffer = 64 << 10 // large enough that its limit for trailers is never met

func diffRequest(t *testing.T, in []byte, n int, r *wire.Request) {
	t.Helper()
	if r.Form != wire.FormAuthority {
		if _, _, err := wire.NormalizePath(nil, r.Path, wire.NormalizeOptions{}); err != nil {
			return
		}
	}
	if len(r.Get(wire.FieldTrailer)) > 0 {
		return
	}
	br := bufio.NewReaderSize(bytes.NewReader(bytes.TrimPrefix(in, []byte(CRLF))), diffBuffer)
	want, err := http.ReadRequest(br)
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", in[:n], err)
	}
	if want.Method != string(r.MethodName) || want.RequestURI != string(r.Target) || want.ProtoMinor != int(r.Minor) {
		t.Errorf("request line %s %s %d, want %s %s %d", r.MethodName, r.Target, r.Minor, want.Method, want.RequestURI, want.ProtoMinor)
	}
	if want.Host != string(r.Authority) {
		t.Errorf("authority %q, want %q", r.Authority, want.Host)
	}
	if r.Form == wire.FormOrigin && want.URL.RawQuery != string(r.Query) {
		t.Errorf("query %q, want %q", r.Query, want.URL.RawQuery)
	}
	if want.Close == r.KeepAlive {
		t.Errorf("keep-alive is %v, close %v", r.KeepAlive, want.Close)
	}
	diffFields(t, r.Fields, want.Header)
	diffFraming(t, &r.Head, want.ContentLength, want.TransferEncoding)
	diffPayload(t, in[n:], &r.Head, false, want.Body)
}

func diffResponse(t *testing.T, in []byte, n int, r *wire.Response, method wire.Method) {
	t.Helper()
	if method == wire.MethodConnect || len(r.Get(wire.FieldTrailer)) > 0 {
		return
	}
	br := bufio.NewReaderSize(bytes.NewReader(in), diffBuffer)
	want, err := http.ReadResponse(br, &http.Request{Method: method.String()})
	if err != nil {
		t.Fatalf("net/http refuses %q: %v", in[:n], err)
	}
	if want.StatusCode != r.Status || want.ProtoMinor != int(r.Minor) {
		t.Errorf("status %d, minor %d, want %d, %d", r.Status, r.Minor, want.StatusCode, want.ProtoMinor)
	}
	if want.Close == r.KeepAlive && !(method == wire.MethodHead && want.ContentLength < 0) {
		t.Errorf("keep-alive is %v, close %v", r.KeepAlive, want.Close)
	}
	diffFields(t, r.Fields, want.Header)
	if r.Body != wire.BodyNone {
		diffFraming(t, &r.Head, want.ContentLength, want.TransferEncoding)
	}
	diffPayload(t, in[n:], &r.Head, true, want.Body)
}

func diffFraming(t *testing.T, h *wire.Head, length int64, codings []string) {
	t.Helper()
	if chunked := slices.Equal(codings, []string{"chunked"}); chunked != (h.Body == wire.BodyChunked) {
		t.Errorf("body kind %d, want codings %q", h.Body, codings)
	}
	if h.Body == wire.BodyLength && h.Length != length || h.Body == wire.BodyNone && length > 0 {
		t.Errorf("body kind %d, length %d, want %d", h.Body, h.Length, length)
	}
}

// diffPayload compares the bodies as far as ours is complete.
func diffPayload(t *testing.T, in []byte, h *wire.Head, response bool, body io.Reader) {
	t.Helper()
	var d Body
	d.Init(h.Body, h.Length, nil)
	if response {
		d.InitResponse(h.Body, h.Length, nil)
	}
	payload, _, bad := readBody(&d, in, len(in)+1)
	if bad != nil || d.AtEOF() != nil {
		return
	}
	want, err := io.ReadAll(body)
	if err != nil || !bytes.Equal(payload, want) {
		t.Errorf("payload %q, want %q, error %v", payload, want, err)
	}
}

func diffFields(t *testing.T, fields []wire.Field, want http.Header) {
	t.Helper()
	got := http.Header{}
	for _, f := range fields {
		switch f.ID {
		case wire.FieldHost, wire.FieldTransferEncoding, wire.FieldConnection:
		default:
			key := textproto.CanonicalMIMEHeaderKey(string(f.Name))
			got[key] = append(got[key], string(f.Value))
		}
	}
	delete(want, "Host") // kept in responses
	delete(want, "Connection")
	if pragma := got["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && got["Cache-Control"] == nil {
		delete(want, "Cache-Control")
	}
	if len(got) != len(want) {
		t.Errorf("fields %q, want %q", got, want)
	}
	for key, values := range want {
		if !slices.Equal(got[key], values) {
			t.Errorf("field %s is %q, want %q", key, got[key], values)
		}
	}
}

// diffBody compares payload and end of a chunked body that was used up to end.
func diffBody(t *testing.T, in, payload []byte, end int) {
	t.Helper()
	br := bufio.NewReaderSize(bytes.NewReader(in), diffBuffer)
	want, err := io.ReadAll(httputil.NewChunkedReader(br))
	if err != nil || !bytes.Equal(payload, want) {
		t.Errorf("payload %q, want %q, error %v", payload, want, err)
	}
	// The reader stops behind the last chunk; what follows is the trailer section.
	if _, err := textproto.NewReader(br).ReadMIMEHeader(); err != nil {
		t.Errorf("trailers: %v", err)
	}
	left, _ := io.ReadAll(br)
	if len(in)-len(left) != end {
		t.Errorf("the body ends at %d, want %d", end, len(in)-len(left))
	}
}
