package h1

import (
	"slices"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func TestParseRequestLimits(t *testing.T) {
	lim := wire.Limits{HeadBytes: 64, LineBytes: 32, Fields: 2}.WithDefaults()
	for _, c := range []struct{ name, in, want string }{
		{"line at the limit", "GET /" + strings.Repeat("a", 18) + " HTTP/1.1\nHost: a\n\n", ""},
		{"line over the limit", "GET /" + strings.Repeat("a", 19) + " HTTP/1.1\nHost: a\n\n", "414 request_line_too_long"},
		{"target over the limit, unfinished", "GET /" + strings.Repeat("a", 28), "414 request_line_too_long"},
		{"head at the limit", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("b", 32) + "\n\n", ""},
		{"head over the limit", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("b", 33) + "\n\n", "431 head_too_large"},
		{"unfinished head at the limit", "GET / HTTP/1.1\nHost: a\nX: " + strings.Repeat("b", 36), "431 head_too_large"},
		{"fields at the limit", "GET / HTTP/1.1\nHost: a\nX: b\n\n", ""},
		{"fields over the limit", "GET / HTTP/1.1\nHost: a\nX: b\nY: c\n", "431 too_many_fields"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var r wire.Request
			n, err := ParseRequest([]byte(crlf(c.in)), &r, &lim)
			wantCode(t, err, c.want)
			if c.want == "" && n != len(crlf(c.in)) {
				t.Errorf("consumed %d of %d bytes", n, len(crlf(c.in)))
			}
		})
	}
}

// acceptedRequests shows what is read out of good heads. Fields are written as by fieldLines; nil means not checked.
var acceptedRequests = []struct {
	name, in string
	want     wire.Request
	fields   []string
}{
	{"minimal", "GET / HTTP/1.1\nHost: a\n\n",
		req("GET", "/", "a", "a", "/", ""), []string{"Host=a"}},
	{"empty line first", "\nGET / HTTP/1.1\nHost: a\n\n",
		req("GET", "/", "a", "a", "/", ""), nil},
	{"query", "GET /a?b=c?d HTTP/1.1\nHost: a:80\n\n",
		req("GET", "/a?b=c?d", "a:80", "a", "/a", "b=c?d"), nil},
	{"empty query", "GET /? HTTP/1.1\nHost: [::1]:8080\n\n",
		with(req("GET", "/?", "[::1]:8080", "[::1]", "/", ""), func(r *wire.Request) { r.HasQuery = true }), nil},
	{"absolute", "GET http://A.example/x?y HTTP/1.1\nHost: a.Example\n\n",
		with(req("GET", "http://A.example/x?y", "A.example", "A.example", "/x", "y"), absolute("http")), nil},
	{"absolute without path", "GET HTTPS://a:1 HTTP/1.1\nHost: a:1\n\n",
		with(req("GET", "HTTPS://a:1", "a:1", "a", "/", ""), absolute("HTTPS")), nil},
	{"absolute with query only", "GET http://a?x HTTP/1.1\nHost: a\n\n",
		with(req("GET", "http://a?x", "a", "a", "/", "x"), absolute("http")), nil},
	{"absolute OPTIONS of the server", "OPTIONS http://a HTTP/1.1\nHost: a\n\n",
		with(req("OPTIONS", "http://a", "a", "a", "*", ""), absolute("http")), nil},
	{"asterisk", "OPTIONS * HTTP/1.1\nHost: a\n\n",
		with(req("OPTIONS", "*", "a", "a", "*", ""), func(r *wire.Request) { r.Form = wire.FormAsterisk }), nil},
	{"CONNECT", "CONNECT a:443 HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
		with(req("CONNECT", "a:443", "a:443", "a", "", ""), func(r *wire.Request) { r.Form = wire.FormAuthority }), nil},
	{"extension method", "purge /x HTTP/1.1\nHost: a\n\n", req("purge", "/x", "a", "a", "/x", ""), nil},
	{"raw but harmless bytes", "GET /a|b\"<>[]{}^`\\?|\" HTTP/1.1\nHost: a\n\n",
		req("GET", "/a|b\"<>[]{}^`\\?|\"", "a", "a", "/a|b\"<>[]{}^`\\", "|\""), nil},
	{"white space around values", "GET / HTTP/1.1\nHost:a\nX: \t b c \t \nEmpty: \t\nNone:\n\n",
		req("GET", "/", "a", "a", "/", ""), []string{"Host=a", "X=b c", "Empty=", "None="}},
	{"obs-text in value", "GET / HTTP/1.1\nHost: a\nX: caf\xe9\tb\n\n",
		req("GET", "/", "a", "a", "/", ""), []string{"Host=a", "X=caf\xe9\tb"}},
	{"length", "POST / HTTP/1.1\nHost: a\nContent-Length: 0042\n\n",
		with(req("POST", "/", "a", "a", "/", ""), length(42)), nil},
	{"length of 18 digits", "POST / HTTP/1.1\nHost: a\nContent-Length: 999999999999999999\n\n",
		with(req("POST", "/", "a", "a", "/", ""), length(999999999999999999)), nil},
	{"chunked", "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\t\n\n",
		with(req("POST", "/", "a", "a", "/", ""), func(r *wire.Request) { r.Body = wire.BodyChunked }),
		[]string{"Host=a", "-Transfer-Encoding=Chunked"}},
	{"GET with a body", "GET / HTTP/1.1\nHost: a\nContent-Length: 3\n\n",
		with(req("GET", "/", "a", "a", "/", ""), length(3)), nil},
	{"expect", "POST / HTTP/1.1\nHost: a\nExpect: 100-Continue\nContent-Length: 3\n\n",
		with(req("POST", "/", "a", "a", "/", ""), length(3), func(r *wire.Request) { r.Expect100 = true }), nil},
	{"expect in HTTP/1.0", "POST / HTTP/1.0\nExpect: 100-continue\nContent-Length: 3\n\n",
		with(req("POST", "/", "", "", "/", ""), length(3), http10Close), nil},
	{"HTTP/1.0", "GET / HTTP/1.0\n\n", with(req("GET", "/", "", "", "/", ""), http10Close), nil},
	{"HTTP/1.0 absolute", "GET http://a/ HTTP/1.0\n\n", with(req("GET", "http://a/", "a", "a", "/", ""), http10Close, absolute("http")), nil},
	{"HTTP/1.0 keep-alive", "GET / HTTP/1.0\nConnection: Keep-Alive\nUpgrade: x\n\n",
		with(req("GET", "/", "", "", "/", ""), func(r *wire.Request) { r.Minor = 0 }), nil},
	{"close", "GET / HTTP/1.1\nHost: a\nConnection: , keep-alive ,\tClose,\n\n",
		with(req("GET", "/", "a", "a", "/", ""), func(r *wire.Request) { r.KeepAlive = false }), nil},
	{"upgrade", "GET / HTTP/1.1\nHost: a\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: k\n\n",
		with(req("GET", "/", "a", "a", "/", ""), func(r *wire.Request) { r.Upgrade = []byte("websocket") }),
		[]string{"Host=a", "-Connection=Upgrade", "-Upgrade=websocket", "Sec-WebSocket-Key=k"}},
	{"upgrade not nominated", "GET / HTTP/1.1\nHost: a\nUpgrade: websocket\n\n", req("GET", "/", "a", "a", "/", ""), nil},
	{"upgrade twice", "GET / HTTP/1.1\nHost: a\nConnection: upgrade\nUpgrade: a\nUpgrade: b\n\n", req("GET", "/", "a", "a", "/", ""), nil},
	{"upgrade without the field", "GET / HTTP/1.1\nHost: a\nConnection: upgrade\n\n", req("GET", "/", "a", "a", "/", ""), nil},
	{"nominated fields", "GET / HTTP/1.1\nX-one: 1\nHost: a\nConnection: x-One, Cookie, Host, X-Forwarded-For\nConnection: TE,x-two\nCookie: c\n" +
		"X-Two: 2\nX-Forwarded-For: 1\nTE: trailers\nx-one: 3\n\n",
		req("GET", "/", "a", "a", "/", ""),
		[]string{"-X-one=1", "Host=a", "-Connection=x-One, Cookie, Host, X-Forwarded-For", "-Connection=TE,x-two", "Cookie=c",
			"-X-Two=2", "X-Forwarded-For=1", "-TE=trailers", "-x-one=3"}},
	{"fixed hop-by-hop fields", "GET / HTTP/1.1\nHost: a\nKeep-Alive: 1\nProxy-Connection: close\nProxy-Authorization: x\nHTTP2-Settings: y\nTrailer: z\n\n",
		req("GET", "/", "a", "a", "/", ""),
		[]string{"Host=a", "-Keep-Alive=1", "-Proxy-Connection=close", "-Proxy-Authorization=x", "-HTTP2-Settings=y", "Trailer=z"}},
	{"underscore", "GET / HTTP/1.1\nHost: a\nX_Forwarded_For: 1\nTransfer_Encoding: chunked\nContent_Length: 7\n\n",
		req("GET", "/", "a", "a", "/", ""),
		[]string{"Host=a", "-X_Forwarded_For=1", "-Transfer_Encoding=chunked", "-Content_Length=7"}},
	{"Proxy", "GET / HTTP/1.1\nHost: a\npROXY: http://x\nProxy-X: 1\nProxies: 2\n\n",
		req("GET", "/", "a", "a", "/", ""),
		[]string{"Host=a", "-pROXY=http://x", "Proxy-X=1", "Proxies=2"}},
}

type mod = func(*wire.Request)

// req is an HTTP/1.1 request without a body.
func req(method, target, authority, host, path, query string) wire.Request {
	return wire.Request{
		Head:   wire.Head{Length: -1, Minor: 1, KeepAlive: true},
		Method: wire.LookupMethod([]byte(method)), MethodName: []byte(method), Target: []byte(target),
		Authority: []byte(authority), Host: []byte(host), Path: []byte(path), Query: []byte(query), HasQuery: query != "",
	}
}

func with(r wire.Request, mods ...mod) wire.Request {
	for _, m := range mods {
		m(&r)
	}
	return r
}

func absolute(scheme string) mod {
	return func(r *wire.Request) { r.Form, r.Scheme = wire.FormAbsolute, []byte(scheme) }
}

func length(n int64) mod {
	return func(r *wire.Request) { r.Body, r.Length = wire.BodyLength, n }
}

func http10Close(r *wire.Request) { r.Minor, r.KeepAlive = 0, false }

func TestParseRequest(t *testing.T) {
	var got wire.Request // reused on purpose: nothing of one request may show in the next
	for _, c := range acceptedRequests {
		t.Run(c.name, func(t *testing.T) {
			in := []byte(crlf(c.in))
			n, err := ParseRequest(append(in[:len(in):len(in)], "GET /next"...), &got, nil)
			if err != nil {
				t.Fatal(err)
			}
			if n != len(in) {
				t.Fatalf("consumed %d of %d bytes", n, len(in))
			}
			sameRequest(t, &got, &c.want)
			if lines := fieldLines(got.Fields); c.fields != nil && !slices.Equal(lines, c.fields) {
				t.Errorf("fields\n %q, want\n %q", lines, c.fields)
			}
		})
	}
}

// sameRequest compares all but the fields.
func sameRequest(t *testing.T, got, want *wire.Request) {
	t.Helper()
	for _, p := range []struct {
		what      string
		got, want any
	}{
		{"Method", got.Method, want.Method}, {"MethodName", string(got.MethodName), string(want.MethodName)},
		{"Form", got.Form, want.Form}, {"Target", string(got.Target), string(want.Target)},
		{"Scheme", string(got.Scheme), string(want.Scheme)}, {"Authority", string(got.Authority), string(want.Authority)},
		{"Host", string(got.Host), string(want.Host)}, {"Path", string(got.Path), string(want.Path)},
		{"Query", string(got.Query), string(want.Query)}, {"HasQuery", got.HasQuery, want.HasQuery},
		{"Expect100", got.Expect100, want.Expect100}, {"Body", got.Body, want.Body}, {"Length", got.Length, want.Length},
		{"Minor", got.Minor, want.Minor}, {"KeepAlive", got.KeepAlive, want.KeepAlive},
		{"Upgrade", string(got.Upgrade), string(want.Upgrade)},
	} {
		if p.got != p.want {
			t.Errorf("%s is %v, want %v", p.what, p.got, p.want)
		}
	}
}

func TestParseRequestAllowUnderscore(t *testing.T) {
	lim := wire.DefaultLimits
	lim.AllowUnderscore = true
	var r wire.Request
	if _, err := ParseRequest([]byte("GET / HTTP/1.1\r\nHost: a\r\nx_y: 1\r\n\r\n"), &r, &lim); err != nil {
		t.Fatal(err)
	}
	if r.Fields[1].Hop {
		t.Error("the field is marked although it is allowed")
	}
}

// Every proper prefix of a good head is incomplete, whatever comes later.
func TestParseRequestTruncated(t *testing.T) {
	inputs := []string{wrkGet, smallGet, browserGet}
	for _, c := range acceptedRequests {
		inputs = append(inputs, crlf(c.in))
	}
	var r wire.Request
	for _, in := range inputs {
		for i := range len(in) {
			if n, err := ParseRequest([]byte(in[:i]), &r, nil); n != 0 || err != nil {
				t.Fatalf("%q: n %d, error %v; want incomplete", in[:i], n, err)
			}
		}
	}
}

// Two pipelined requests come out one after the other.
func TestParseRequestPipelined(t *testing.T) {
	b := []byte(wrkGet + smallGet)
	var r wire.Request
	for i, want := range []string{"/hello", "/v1/items/42"} {
		n, err := ParseRequest(b, &r, nil)
		if err != nil || string(r.Path) != want {
			t.Fatalf("request %d: path %q, error %v", i, r.Path, err)
		}
		b = b[n:]
	}
	if len(b) != 0 {
		t.Errorf("%d bytes left", len(b))
	}
}

func TestHeadEnd(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     int
	}{
		{"complete", wrkGet, len(wrkGet)},
		{"more behind", wrkGet + "GET", len(wrkGet)},
		{"incomplete", wrkGet[:len(wrkGet)-1], -1},
		{"no line", "GET /", -1},
		{"LF LF", "GET / HTTP/1.1\n\nx", 16},
		{"LF CR LF", "GET / HTTP/1.1\n\r\nx", 17},
		{"empty", "", -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := HeadEnd([]byte(c.in), 0); got != c.want {
				t.Errorf("at once: %d, want %d", got, c.want)
			}
			got, from := -1, 0
			for i := 1; i <= len(c.in) && got < 0; i++ {
				got, from = HeadEnd([]byte(c.in[:i]), from), i
			}
			if got != c.want {
				t.Errorf("byte by byte: %d, want %d", got, c.want)
			}
		})
	}
}
