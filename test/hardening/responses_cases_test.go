package hardening

import (
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/proxy/server"
)

var statusCases = []responseCase{
	{name: "all in order", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", reuse: true},
	{name: "no reason", out: "HTTP/1.1 200\nContent-Length: 5\n\nhello", want: "200 hello", reuse: true},
	{name: "status of two digits", out: "HTTP/1.1 20 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status of four digits", out: "HTTP/1.1 2000 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status 000", out: "HTTP/1.1 000 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status 099", out: "HTTP/1.1 099 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status 600", out: "HTTP/1.1 600 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status 999", out: "HTTP/1.1 999 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status negative", out: "HTTP/1.1 -20 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status in words", out: "HTTP/1.1 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status with two spaces", out: "HTTP/1.1  200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "status with tab", out: "HTTP/1.1\t200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "no status", out: "HTTP/1.1\nContent-Length: 5\n\nhello", want: malformed},
	{name: "HTTP/1.2", out: "HTTP/1.2 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "HTTP/2", out: "HTTP/2 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "HTTP/0.9", out: "<html>hello</html>", end: closing, want: malformed},
	{name: "version in small letters", out: "http/1.1 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "another protocol", out: "ICY 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "a greeting", out: "220 mail.example.com ESMTP\n", want: malformed},
	{name: "a request", out: "GET / HTTP/1.1\nHost: a\n\n", want: malformed},
	{name: "a TLS alert", out: "\x15\x03\x01\x00\x02\x02\x16", end: closing, want: malformed},
	{name: "HTTP/2 settings", out: "\x00\x00\x00\x04\x00\x00\x00\x00\x00", want: malformed},
	{name: "NUL bytes", out: "\x00\x00\x00\x00", want: malformed},
	{name: "empty line first", out: "\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "space first", out: " HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "NUL in the reason", out: "HTTP/1.1 200 O\x00K\nContent-Length: 5\n\nhello", want: malformed},
	{name: "CR in the reason", out: "HTTP/1.1 200 O␍K\nContent-Length: 5\n\nhello", want: malformed},
	{name: "LF behind the status line", out: "HTTP/1.1 200 OK␊Content-Length: 5\n\nhello", want: malformed},
	{name: "LF everywhere", out: "HTTP/1.1 200 OK␊Content-Length: 5␊␊hello", want: malformed},
}

var headCases = []responseCase{
	{name: "folded field", out: "HTTP/1.1 200 OK\nX: a\n b\nContent-Length: 5\n\nhello", want: malformed},
	{name: "folded length", out: "HTTP/1.1 200 OK\nContent-Length:\n 5\n\nhello", want: malformed},
	{name: "space before colon", out: "HTTP/1.1 200 OK\nContent-Length : 5\n\nhello", want: malformed},
	{name: "no colon", out: "HTTP/1.1 200 OK\nContent-Length 5\n\nhello", want: malformed},
	{name: "no name", out: "HTTP/1.1 200 OK\n: 5\nContent-Length: 5\n\nhello", want: malformed},
	{name: "name with obs-text", out: "HTTP/1.1 200 OK\nX\xe4: 5\nContent-Length: 5\n\nhello", want: malformed},
	{name: "name with space", out: "HTTP/1.1 200 OK\nX Y: 5\nContent-Length: 5\n\nhello", want: malformed},
	{name: "value with NUL", out: "HTTP/1.1 200 OK\nX: a\x00b\nContent-Length: 5\n\nhello", want: malformed},
	{name: "value with CR", out: "HTTP/1.1 200 OK\nX: a␍Set-Cookie: b\nContent-Length: 5\n\nhello", want: malformed},
	{name: "value with LF", out: "HTTP/1.1 200 OK\nX: a␊Set-Cookie: b\nContent-Length: 5\n\nhello", want: malformed},
	{name: "value with escape", out: "HTTP/1.1 200 OK\nX: \x1b[2J\nContent-Length: 5\n\nhello", want: malformed},
	{name: "Connection that is no list of tokens", out: "HTTP/1.1 200 OK\nConnection: close;x\nContent-Length: 5\n\nhello", want: malformed},
	{name: "101 fields", out: "HTTP/1.1 200 OK\n" + strings.Repeat("X: a\n", 101) + "\n", want: malformed, once: true},
	{name: "head of 33 KiB", out: "HTTP/1.1 200 OK\nX: " + strings.Repeat("a", 33<<10) + "\n\n", want: malformed, once: true},
	{name: "head without end", out: "HTTP/1.1 200 OK\nX: " + strings.Repeat("a", 200<<10), want: malformed, once: true},
	{name: "head of 31 KiB", out: "HTTP/1.1 200 OK\nContent-Length: 5\nX: " + strings.Repeat("a", 31<<10) + "\n\nhello", want: "200 hello", once: true, reuse: true},
	{name: "underscore and Proxy are left alone", out: "HTTP/1.1 200 OK\nX_Y: a\nContent-Length: 5\n\nhello", want: "200 hello", has: []string{"x_y: a\n"}, reuse: true},
	{name: "hop-by-hop fields end here", out: "HTTP/1.1 200 OK\nConnection: X-Hop\nX-Hop: a\nKeep-Alive: b\nProxy-Authenticate: c\nUpgrade: d\nContent-Length: 5\n\nhello", want: "200 hello",
		hasNot: []string{"x-hop", "keep-alive", "proxy-", "upgrade"}, reuse: true},
	{name: "Connection cannot remove what others rely on", out: "HTTP/1.1 200 OK\nConnection: Set-Cookie, Content-Length\nSet-Cookie: a\nContent-Length: 5\n\nhello", want: "200 hello", has: []string{"set-cookie: a\n"}, reuse: true},
	{name: "Connection: close", out: "HTTP/1.1 200 OK\nConnection: close\nContent-Length: 5\n\nhello", want: "200 hello"},
	{name: "HTTP/1.0", out: "HTTP/1.0 200 OK\nContent-Length: 5\n\nhello", want: "200 hello"},

	{name: "length and chunked", out: "HTTP/1.1 200 OK\nContent-Length: 5\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "length twice, equal", out: "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 5\n\nhello", want: malformed},
	{name: "length twice, different", out: "HTTP/1.1 200 OK\nContent-Length: 5\nContent-Length: 4\n\nhello", want: malformed},
	{name: "length as a list", out: "HTTP/1.1 200 OK\nContent-Length: 5, 5\n\nhello", want: malformed},
	{name: "length negative", out: "HTTP/1.1 200 OK\nContent-Length: -5\n\nhello", want: malformed},
	{name: "length with plus", out: "HTTP/1.1 200 OK\nContent-Length: +5\n\nhello", want: malformed},
	{name: "length hexadecimal", out: "HTTP/1.1 200 OK\nContent-Length: 0x5\n\nhello", want: malformed},
	{name: "length empty", out: "HTTP/1.1 200 OK\nContent-Length:\n\nhello", want: malformed},
	{name: "length beyond 64 bits", out: "HTTP/1.1 200 OK\nContent-Length: 18446744073709551621\n\nhello", want: malformed},
	{name: "coding gzip", out: "HTTP/1.1 200 OK\nTransfer-Encoding: gzip\n\nhello", end: closing, want: malformed},
	{name: "coding identity", out: "HTTP/1.1 200 OK\nTransfer-Encoding: identity\n\nhello", end: closing, want: malformed},
	{name: "coding gzip, chunked", out: "HTTP/1.1 200 OK\nTransfer-Encoding: gzip, chunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "coding chunked, gzip", out: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked, gzip\n\n5\nhello\n0\n\n", want: malformed},
	{name: "coding chunked twice", out: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "coding xchunked", out: "HTTP/1.1 200 OK\nTransfer-Encoding: xchunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "coding with vertical tab", out: "HTTP/1.1 200 OK\nTransfer-Encoding: \vchunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "chunked in HTTP/1.0", out: "HTTP/1.0 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "204 with length", out: "HTTP/1.1 204 No Content\nContent-Length: 5\n\nhello", want: malformed},
	{name: "204 chunked", out: "HTTP/1.1 204 No Content\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n", want: malformed},
	{name: "204 with length 0", out: "HTTP/1.1 204 No Content\nContent-Length: 0\n\n", want: "204", hasNot: []string{"content-length"}, reuse: true},
	{name: "304 with length", out: "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\n", want: "304", reuse: true},
	{name: "HEAD with length", method: "HEAD", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\n", want: "200", has: []string{"content-length: 5\n"}, reuse: true},
	{name: "HEAD chunked", method: "HEAD", out: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", want: "200", reuse: true},
	{name: "HEAD with length and chunked", method: "HEAD", out: "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 5\n\n", want: "502"},
}

const chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"

// The head of these is in order, so that the client may have got it before the fault was seen.
var bodyCases = []responseCase{
	{name: "chunked", out: chunked + "5\nhello\n0\n\n", want: "200 hello", reuse: true},
	{name: "chunk extensions and zeros", out: chunked + "005;a=\"b\"\nhello\n00;c\n\n", want: "200 hello", reuse: true},
	{name: "trailers", out: chunked + "5\nhello\n0\nX-Sum: 7\nX_Y: 8\nContent-Length: 9\n\n", want: "200 hello", has: []string{"x-sum: 7\n", "x_y: 8\n"}, hasNot: []string{"content-length"}, reuse: true},
	{name: "chunk size empty", out: chunked + "\nhello\n0\n\n", want: "broken"},
	{name: "chunk size not a number", out: chunked + "xyz\nhello\n0\n\n", want: "broken"},
	{name: "chunk size 0x", out: chunked + "0x5\nhello\n0\n\n", want: "broken"},
	{name: "chunk size with plus", out: chunked + "+5\nhello\n0\n\n", want: "broken"},
	{name: "chunk size negative", out: chunked + "-5\nhello\n0\n\n", want: "broken"},
	{name: "chunk size with space", out: chunked + "5 \nhello\n0\n\n", want: "broken"},
	{name: "chunk size that overflows", out: chunked + "fffffffffffffffff\nhello\n0\n\n", want: "broken"},
	{name: "chunk size ended by LF", out: chunked + "5␊hello\n0\n\n", want: "broken"},
	{name: "chunk size ended by CR", out: chunked + "5␍hello\n0\n\n", want: "broken"},
	{name: "chunk too long", out: chunked + "5\nhello!\n0\n\n", want: "broken"},
	{name: "chunk ended by LF", out: chunked + "5\nhello␊0\n\n", want: "broken"},
	{name: "chunk extension that is none", out: chunked + "5;=\nhello\n0\n\n", want: "broken"},
	{name: "chunk extension without end", out: chunked + "5;" + strings.Repeat("a", 300), want: "broken"},
	{name: "last chunk ended by LF", out: chunked + "5\nhello\n0␊␊", want: "broken"},
	{name: "trailer folded", out: chunked + "5\nhello\n0\nX: a\n b\n\n", want: "broken"},
	{name: "trailer with CR", out: chunked + "5\nhello\n0\nX: a␍b\n\n", want: "broken"},
	{name: "trailer that is a response", out: chunked + "5\nhello\n0\nHTTP/1.1 200 OK\n\n", want: "broken"},
	{name: "trailers without end", out: chunked + "5\nhello\n0\nX: " + strings.Repeat("a", 9<<10), want: "broken", once: true},
}

var interimCases = []responseCase{
	{name: "100 that nobody asked for", out: "HTTP/1.1 100 Continue\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", hasNot: []string{" 100 "}, reuse: true},
	{name: "103", out: "HTTP/1.1 103 Early Hints\nLink: </a>\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", has: []string{"http/1.1 103 early hints\nlink: </a>\n\nhttp/1.1 200 ok\n"}, reuse: true},
	{name: "103 to a client of HTTP/1.0", version: "1.0", out: "HTTP/1.1 103 Early Hints\n\nHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", hasNot: []string{" 103 "}, reuse: true},
	{name: "102 thrice", out: strings.Repeat("HTTP/1.1 102 Processing\n\n", 3) + "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", reuse: true},
	{name: "1xx with length", out: "HTTP/1.1 103 Early Hints\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: malformed},
	{name: "1xx chunked", out: "HTTP/1.1 103 Early Hints\nTransfer-Encoding: chunked\n\n0\n\n", want: malformed},
	{name: "1xx with a body that is not announced", out: "HTTP/1.1 103 Early Hints\n\nhello", want: malformed},
	{name: "a flood of 1xx", out: strings.Repeat("HTTP/1.1 103 Early Hints\n\n", 10000), want: malformed, once: true},
	{name: "only 1xx", out: "HTTP/1.1 103 Early Hints\n\n", want: "504:first_byte_timeout"},
	{name: "101 that nobody asked for", out: "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\n", want: malformed},
	{name: "101 without Upgrade", method: "UPGRADE", out: "HTTP/1.1 101 Switching Protocols\n\n", want: malformed},
	{name: "101 with Upgrade that Connection does not name", method: "UPGRADE", out: "HTTP/1.1 101 Switching Protocols\nUpgrade: websocket\n\n", want: malformed},
	{name: "101 with a body", method: "UPGRADE", out: "HTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\nContent-Length: 5\n\nhello", want: malformed},
	{name: "101 behind 103", method: "GET", out: "HTTP/1.1 103 Early Hints\n\nHTTP/1.1 101 Switching Protocols\nConnection: Upgrade\nUpgrade: websocket\n\n", want: malformed},
	{name: "no answer to an upgrade but 200", method: "UPGRADE", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200 hello", reuse: true},
}

const withLength = "HTTP/1.1 200 OK\nContent-Length: 10\n\n"

// The upstream goes away, or falls silent, at each position.
var cutCases = []responseCase{
	{name: "closed at once", end: closing, want: "502:upstream_reset"},
	{name: "reset at once", end: reset, want: "502:upstream_reset"},
	{name: "closed in the status line", out: "HTTP/1.1 2", end: closing, want: truncated},
	{name: "closed behind the status line", out: "HTTP/1.1 200 OK\n", end: closing, want: truncated},
	{name: "closed in the fields", out: "HTTP/1.1 200 OK\nContent-Le", end: closing, want: truncated},
	{name: "closed before the empty line", out: "HTTP/1.1 200 OK\nContent-Length: 0\n", end: closing, want: truncated},
	{name: "closed in the empty line", out: "HTTP/1.1 200 OK\nContent-Length: 0\n␍", end: closing, want: truncated},
	{name: "closed behind 103", out: "HTTP/1.1 103 Early Hints\n\n", end: closing, want: "502:upstream_reset"},
	{name: "closed behind the head", out: withLength, end: closing, want: "broken"},
	{name: "closed in the body", out: withLength + "hello", end: closing, want: "broken"},
	{name: "closed before the last byte", out: withLength + "hellohell", end: closing, want: "broken"},
	{name: "reset in the body", out: withLength + "hello", end: reset, want: "broken"},
	{name: "closed behind a chunked head", out: chunked, end: closing, want: "broken"},
	{name: "closed in a chunk size", out: chunked + "5", end: closing, want: "broken"},
	{name: "closed in a chunk", out: chunked + "5\nhel", end: closing, want: "broken"},
	{name: "closed behind the data of a chunk", out: chunked + "5\nhello", end: closing, want: "broken"},
	{name: "closed behind a chunk", out: chunked + "5\nhello\n", end: closing, want: "broken"},
	{name: "closed in the last chunk", out: chunked + "5\nhello\n0\n", end: closing, want: "broken"},
	{name: "closed in the trailers", out: chunked + "5\nhello\n0\nX: y\n", end: closing, want: "broken"},
	{name: "reset behind a chunk", out: chunked + "5\nhello\n", end: reset, want: "broken"},
	{name: "body until the end", out: "HTTP/1.1 200 OK\n\nhello", end: closing, want: "200 hello"},
	{name: "body until the end, reset", out: "HTTP/1.1 200 OK\n\nhello", end: reset, want: "broken"},
	{name: "silent", want: "504:first_byte_timeout"},
	{name: "silent in the head", out: "HTTP/1.1 200 OK\nContent-", want: "504:first_byte_timeout"},
	{name: "silent in the body", out: withLength + "hello", want: "broken"},
	{name: "silent in a chunk", out: chunked + "5\nhel", want: "broken"},
	{name: "silent in a body until the end", out: "HTTP/1.1 200 OK\n\nhello", want: "broken"},
	{name: "HTTP/1.0 client, body until the end", version: "1.0", out: "HTTP/1.1 200 OK\n\nhello", end: closing, want: "200 hello"},
	{name: "HTTP/1.0 client, chunked", version: "1.0", out: chunked + "5\nhello\n0\n\n", want: "200 hello", reuse: true},
	{name: "HTTP/1.0 client, closed in a chunk", version: "1.0", out: chunked + "5\nhel", end: closing, want: "broken"},
	{name: "HTTP/1.0 client, closed behind a chunk", version: "1.0", out: chunked + "5\nhello\n", end: closing, want: "broken"},
	{name: "HTTP/1.0 client, a bad chunk", version: "1.0", out: chunked + "5\nhello\nxyz\n", want: "broken"},
	{name: "HTTP/1.0 client, silent in a chunk", version: "1.0", out: chunked + "5\nhel", want: "broken"},
	{name: "HTTP/1.0 client, body until the end, reset", version: "1.0", out: "HTTP/1.1 200 OK\n\nhello", end: reset, want: "broken"},
}

// More bytes than the response has: the response stands, the connection does not.
var extraCases = []responseCase{
	{name: "a byte behind the body", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello!", want: "200 hello", once: true},
	{name: "an empty line behind the body", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello\n", want: "200 hello", once: true},
	{name: "two responses", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhelloHTTP/1.1 200 OK\nContent-Length: 4\n\nevil", want: "200 hello", once: true},
	{name: "two chunked responses", out: strings.Repeat(chunked+"5\nhello\n0\n\n", 2), want: "200 hello", once: true},
	{name: "HEAD with a body", method: "HEAD", out: "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", want: "200", once: true},
	{name: "204 with a body", out: "HTTP/1.1 204 No Content\n\nhello", want: "204", once: true},
	{name: "304 with a body", out: "HTTP/1.1 304 Not Modified\nContent-Length: 5\n\nhello", want: "304", once: true},
	{name: "a second response exactly behind one receive buffer", out: padded(server.RecvSize) + evil, want: "200 " + paddedBody(server.RecvSize), once: true},
	{name: "a second response exactly behind two receive buffers", out: padded(2*server.RecvSize) + evil, want: "200 " + paddedBody(2*server.RecvSize), once: true},
	{name: "a second response behind a large body", out: padded(200<<10) + evil, want: "200 " + paddedBody(200<<10), once: true},
	{name: "a second response behind a body of one large buffer", out: padded(server.RecvSize+64<<10) + evil, want: "200 " + paddedBody(server.RecvSize+64<<10), once: true},
}

const evil = "HTTP/1.1 200 OK\nContent-Length: 4\n\nevil"

const paddedHead = "HTTP/1.1 200 OK\nContent-Length: 000000\n\n"

// paddedBody is the body of a response that has n bytes in all.
func paddedBody(n int) string { return strings.Repeat("x", n-len(text(paddedHead, ""))) }

func padded(n int) string {
	body := paddedBody(n)
	digits := "000000" + strconv.Itoa(len(body))
	return strings.Replace(paddedHead, "000000", digits[len(digits)-6:], 1) + body
}
