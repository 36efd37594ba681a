package respond

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// Local is what local replies have in common.
type Local struct {
	KeepAlive bool
	Minor     uint8
	// Head: the request was HEAD, so the body is announced and not sent.
	Head bool
	// Server is the value of the Server field; empty: none.
	Server []byte
}

var (
	fieldText   = []byte("content-type: text/plain; charset=utf-8\r\n")
	fieldServer = []byte("server: ")
	fieldRetry  = []byte("retry-after: ")
	fieldAllow  = []byte("allow: ")
)

// ReplySize is an upper bound of what AppendReply writes without the body.
func ReplySize(head []byte, l Local) int { return len(head) + len(l.Server) + 256 }

// AppendReply renders a reply made from configuration: head holds complete fields, Content-Length included. The body is appended only
// when it fits into what is left of dst's capacity; the rest is returned.
func AppendReply(dst []byte, status int, head, body []byte, l Local, date *Date, now time.Time) (out, rest []byte) {
	dst = h1.AppendStatusLine(dst, status, nil)
	dst = appendCommon(dst, l, date, now)
	dst = append(dst, head...)
	dst = append(dst, '\r', '\n')
	if l.Head {
		return dst, nil
	}
	if len(body) > cap(dst)-len(dst) {
		return dst, body
	}
	return append(dst, body...), nil
}

func appendCommon(dst []byte, l Local, date *Date, now time.Time) []byte {
	if len(l.Server) > 0 {
		dst = append(dst, fieldServer...)
		dst = append(dst, l.Server...)
		dst = append(dst, '\r', '\n')
	}
	dst = append(dst, date.Field(now)...)
	return AppendConnection(dst, l.KeepAlive, l.Minor)
}

// FailureSize is an upper bound of what AppendFailure writes.
func FailureSize(f *exchange.Failure, allow []byte) int {
	return 2*(len(f.Code)+len(f.Detail)+len(allow)) + 512
}

// AppendFailure renders the reply for a failed exchange: the status, and a body that names the code and says in a sentence what was
// wrong. allow is the value of Allow for 405.
func AppendFailure(dst []byte, f *exchange.Failure, allow []byte, l Local, date *Date, now time.Time) []byte {
	dst = h1.AppendStatusLine(dst, f.Status, nil)
	dst = appendCommon(dst, l, date, now)
	if f.RetryAfter > 0 {
		dst = append(dst, fieldRetry...)
		dst = h1.AppendUint(dst, uint64(f.RetryAfter))
		dst = append(dst, '\r', '\n')
	}
	if f.Status == 405 {
		dst = append(dst, fieldAllow...)
		dst = append(dst, allow...)
		dst = append(dst, '\r', '\n')
	}
	dst = append(dst, fieldText...)
	dst = append(dst, fieldLength...)
	dst = h1.AppendUint(dst, uint64(FailureTextSize(f)))
	dst = append(dst, '\r', '\n', '\r', '\n')
	if l.Head {
		return dst
	}
	return AppendFailureText(dst, f)
}

// FailureTextSize is the size of what AppendFailureText appends, in bytes.
func FailureTextSize(f *exchange.Failure) int {
	return 3 + 1 + len(wire.StatusText(f.Status)) + 2 + len(f.Code) + 2 + len(f.Detail) + 1
}

// AppendFailureText renders the body of that reply, which is the same in every version of HTTP.
func AppendFailureText(dst []byte, f *exchange.Failure) []byte {
	dst = h1.AppendUint(dst, uint64(f.Status))
	dst = append(dst, ' ')
	dst = append(dst, wire.StatusText(f.Status)...)
	dst = append(dst, ": "...)
	dst = append(dst, f.Code...)
	dst = append(dst, ": "...)
	dst = append(dst, f.Detail...)
	return append(dst, '\n')
}

// Continue is the interim response that asks for the body.
var Continue = []byte("HTTP/1.1 100 Continue\r\n\r\n")
