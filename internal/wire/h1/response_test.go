package h1

import (
	"slices"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func TestParseResponseRefuses(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"not HTTP", "SSH-2.0-OpenSSH\n", "502 bad_status_line"},
		{"HTTP/0.9 body", "<html>", "502 bad_status_line"},
		{"empty line first", "\nHTTP/1.1 200 OK\n\n", "502 bad_status_line"},
		{"version 1.2", "HTTP/1.2 200 OK\n\n", "502 bad_status_line"},
		{"version 2", "HTTP/2 200 OK\n\n", "502 bad_status_line"},
		{"version 2.0", "HTTP/2.0 200 OK\n\n", "502 bad_status_line"},
		{"lower case", "http/1.1 200 OK\n\n", "502 bad_status_line"},
		{"two spaces", "HTTP/1.1  200 OK\n\n", "502 bad_status_line"},
		{"tab", "HTTP/1.1\t200 OK\n\n", "502 bad_status_line"},
		{"status of two digits", "HTTP/1.1 20 OK\n\n", "502 bad_status_line"},
		{"status of four digits", "HTTP/1.1 2000 OK\n\n", "502 bad_status_line"},
		{"status with sign", "HTTP/1.1 +20 OK\n\n", "502 bad_status_line"},
		{"status 099", "HTTP/1.1 099 OK\n\n", "502 bad_status_line"},
		{"status 600", "HTTP/1.1 600 OK\n\n", "502 bad_status_line"},
		{"status 999", "HTTP/1.1 999 OK\n\n", "502 bad_status_line"},
		{"status with letter", "HTTP/1.1 2x0 OK\n\n", "502 bad_status_line"},
		{"tab after status", "HTTP/1.1 200\tOK\n\n", "502 bad_status_line"},
		{"NUL in reason", "HTTP/1.1 200 O\x00K\n\n", "502 bad_status_line"},
		{"LF after reason", "HTTP/1.1 200 OK␊\n", "502 bare_lf"},
		{"CR in reason", "HTTP/1.1 200 O␍K\n\n", "502 bare_cr"},
		{"folded", "HTTP/1.1 200 OK\nX: a\n b\n\n", "502 folded_field"},
		{"space before colon", "HTTP/1.1 200 OK\nContent-Length : 5\n\n", "502 space_before_colon"},
		{"CR in value", "HTTP/1.1 200 OK\nX: a␍Set-Cookie: b\n\n", "502 bare_cr"},
		{"LF in value", "HTTP/1.1 200 OK\nX: a␊Set-Cookie: b\n\n", "502 bare_lf"},
		{"NUL in value", "HTTP/1.1 200 OK\nX: \x00\n\n", "502 bad_field_value"},
		{"no colon", "HTTP/1.1 200 OK\nX\n\n", "502 bad_field_name"},
		{"different lengths", "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 6\n\n", "502 duplicate_content_length"},
		{"equal lengths", "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\n", "502 duplicate_content_length"},
		{"length list", "HTTP/1.1 200 OK\nContent-Length: 5,5\n\n", "502 bad_content_length"},
		{"length negative", "HTTP/1.1 200 OK\nContent-Length: -1\n\n", "502 bad_content_length"},
		{"length and chunked", "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n", "502 content_length_with_transfer_encoding"},
		{"coding gzip", "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\n", "502 unknown_transfer_encoding"},
		{"coding identity", "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\n", "502 unknown_transfer_encoding"},
		{"coding chunked twice", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n", "502 bad_transfer_encoding"},
		{"chunked in HTTP/1.0", "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n", "502 transfer_encoding_in_http10"},
		{"204 with a body", "HTTP/1.1 204 No Content\nContent-Length: 5\n\n", "502 body_not_allowed"},
		{"204 chunked", "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n", "502 body_not_allowed"},
		{"100 with a body", "HTTP/1.1 100 Continue\nContent-Length: 5\n\n", "502 body_not_allowed"},
		{"101 chunked", "HTTP/1.1 101 Switching Protocols\nTransfer-Encoding: chunked\n\n", "502 body_not_allowed"},
		{"bad connection option", "HTTP/1.1 200 OK\nConnection: a;b\n\n", "502 bad_connection_option"},
		{"too many fields", "HTTP/1.1 200 OK\n" + strings.Repeat("X: a\n", 101), "502 too_many_fields"},
		{"head too large", "HTTP/1.1 200 OK\nX: " + strings.Repeat("a", 32<<10), "502 head_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(crlf(c.in))
			var r wire.Response
			n, err := ParseResponse(in, &r, wire.MethodGet, nil)
			wantCode(t, err, c.want)
			if n != 0 {
				t.Errorf("consumed %d bytes of a refused head", n)
			}
			if len(in) > 1024 {
				return
			}
			refused := false
			for i := 1; i <= len(in); i++ {
				n, err := ParseResponse(in[:i:i], &r, wire.MethodGet, nil)
				if n > 0 || refused && err == nil {
					t.Fatalf("%q: n %d, error %v", in[:i], n, err)
				}
				refused = err != nil
			}
		})
	}
}

var acceptedResponses = []struct {
	name, in  string
	method    wire.Method
	status    int
	reason    string
	body      wire.BodyKind
	length    int64
	keepAlive bool
	fields    []string
}{
	{"length", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 5, true, []string{"Content-Length=5"}},
	{"length 0", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 0, true, nil},
	{"chunked", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", wire.MethodGet, 200, "OK", wire.BodyChunked, -1, true, nil},
	{"until close", "HTTP/1.1 200 OK\n\n", wire.MethodGet, 200, "OK", wire.BodyUntilClose, -1, false, nil},
	{"HTTP/1.0 until close", "HTTP/1.0 200 OK\nConnection: keep-alive\n\n", wire.MethodGet, 200, "OK", wire.BodyUntilClose, -1, false, nil},
	{"HTTP/1.0 kept alive", "HTTP/1.0 200 OK\nConnection: keep-alive\nContent-Length: 1\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, true, nil},
	{"HTTP/1.0", "HTTP/1.0 200 OK\nContent-Length: 1\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, false, nil},
	{"close", "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: close\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, false, nil},
	{"empty reason", "HTTP/1.1 500 \nContent-Length: 1\n\n", wire.MethodGet, 500, "", wire.BodyLength, 1, true, nil},
	{"no reason", "HTTP/1.1 500\nContent-Length: 1\n\n", wire.MethodGet, 500, "", wire.BodyLength, 1, true, nil},
	{"obs-text in reason", "HTTP/1.1 404 Gibt\xb4s nicht\nContent-Length: 1\n\n", wire.MethodGet, 404, "Gibt\xb4s nicht", wire.BodyLength, 1, true, nil},
	{"unknown status", "HTTP/1.1 599 x\nContent-Length: 1\n\n", wire.MethodGet, 599, "x", wire.BodyLength, 1, true, nil},
	{"HEAD with length", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", wire.MethodHead, 200, "OK", wire.BodyNone, 5, true, []string{"Content-Length=5"}},
	{"HEAD chunked", "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", wire.MethodHead, 200, "OK", wire.BodyNone, -1, true, nil},
	{"HEAD", "HTTP/1.1 200 OK\n\n", wire.MethodHead, 200, "OK", wire.BodyNone, -1, true, nil},
	{"304 with length", "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", wire.MethodGet, 304, "Not Modified", wire.BodyNone, 5, true, nil},
	{"204", "HTTP/1.1 204 No Content\n\n", wire.MethodGet, 204, "No Content", wire.BodyNone, -1, true, nil},
	{"204 with length 0", "HTTP/1.1 204 No Content\nContent-Length: 0\n\n", wire.MethodGet, 204, "No Content", wire.BodyNone, -1, true, []string{"-Content-Length=0"}},
	{"100", "HTTP/1.1 100 Continue\n\n", wire.MethodPost, 100, "Continue", wire.BodyNone, -1, true, nil},
	{"103", "HTTP/1.1 103 Early Hints\nLink: </a>\n\n", wire.MethodGet, 103, "Early Hints", wire.BodyNone, -1, true, []string{"Link=</a>"}},
	{"101", "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\n", wire.MethodGet, 101, "Switching Protocols",
		wire.BodyNone, -1, true, []string{"-Connection=Upgrade", "-Upgrade=websocket"}},
	{"CONNECT 200", "HTTP/1.1 200 OK\nContent-Length: 5\n\n", wire.MethodConnect, 200, "OK", wire.BodyNone, -1, true, []string{"-Content-Length=5"}},
	{"CONNECT 403", "HTTP/1.1 403 Forbidden\nContent-Length: 5\n\n", wire.MethodConnect, 403, "Forbidden", wire.BodyLength, 5, true, nil},
	{"underscore is left alone", "HTTP/1.1 200 OK\nContent-Length: 1\nX_Y: 1\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, true,
		[]string{"Content-Length=1", "X_Y=1"}},
	{"nominated", "HTTP/1.1 200 OK\nContent-Length: 1\nConnection: x-y, Set-Cookie\nX-Y: 1\nSet-Cookie: a\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, true,
		[]string{"Content-Length=1", "-Connection=x-y, Set-Cookie", "-X-Y=1", "Set-Cookie=a"}},
	{"Host and Expect mean nothing", "HTTP/1.1 200 OK\nContent-Length: 1\nHost: ,\nHost: /\nExpect: x\n\n", wire.MethodGet, 200, "OK", wire.BodyLength, 1, true, nil},
}

func TestParseResponse(t *testing.T) {
	var r wire.Response
	for _, c := range acceptedResponses {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(crlf(c.in))
			for i := range in {
				if n, err := ParseResponse(in[:i:i], &r, c.method, nil); n != 0 || err != nil {
					t.Fatalf("%q: n %d, error %v; want incomplete", in[:i], n, err)
				}
			}
			n, err := ParseResponse(append(in[:len(in):len(in)], "HTTP"...), &r, c.method, nil)
			if err != nil || n != len(in) {
				t.Fatalf("n %d of %d, error %v", n, len(in), err)
			}
			if r.Status != c.status || string(r.Reason) != c.reason {
				t.Errorf("status %d %q, want %d %q", r.Status, r.Reason, c.status, c.reason)
			}
			if r.Body != c.body || r.Length != c.length || r.KeepAlive != c.keepAlive {
				t.Errorf("body %v, length %d, keep-alive %v; want %v, %d, %v", r.Body, r.Length, r.KeepAlive, c.body, c.length, c.keepAlive)
			}
			if got := fieldLines(r.Fields); c.fields != nil && !slices.Equal(got, c.fields) {
				t.Errorf("fields\n %q, want\n %q", got, c.fields)
			}
		})
	}
}
