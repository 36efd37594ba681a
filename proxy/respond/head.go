package respond

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
)

// Framing tells how the head is to be rendered for this client.
type Framing struct {
	// Chunked: the body is sent in chunks. Otherwise the response's own Length is announced, if it has one.
	Chunked bool
	// KeepAlive: the connection persists. Minor is the client's HTTP/1.x version.
	KeepAlive bool
	Minor     uint8
	// Tunnel: a 101 or a successful CONNECT.
	Tunnel bool
}

var (
	fieldChunked   = []byte("transfer-encoding: chunked\r\n")
	fieldClose     = []byte("connection: close\r\n")
	fieldKeepAlive = []byte("connection: keep-alive\r\n")
	fieldUpgrade   = []byte("connection: upgrade\r\nupgrade: ")
	fieldLength    = []byte("content-length: ")
)

// HeadSize is an upper bound of what AppendHead writes.
func HeadSize(r *wire.Response) int {
	n := len(r.Reason) + len(r.Upgrade) + 256
	for i := range r.Fields {
		n += len(r.Fields[i].Name) + len(r.Fields[i].Value) + 4
	}
	return n
}

// AppendHead renders the head of an upstream's response for the client.
func AppendHead(dst []byte, r *wire.Response, f Framing, date *Date, now time.Time) []byte {
	dst = h1.AppendStatusLine(dst, r.Status, r.Reason)
	hasDate := false
	for i := range r.Fields {
		fd := &r.Fields[i]
		if fd.Hop || fd.ID == wire.FieldContentLength || fd.ID == wire.FieldTransferEncoding {
			continue
		}
		if fd.ID == wire.FieldDate {
			hasDate = true
		}
		dst = h1.AppendField(dst, fd.Name, fd.Value)
	}
	if !hasDate && r.Status >= 200 {
		dst = append(dst, date.Field(now)...) // RFC 9110 section 6.6.1
	}
	switch {
	case f.Tunnel:
		if r.Status == 101 {
			dst = append(dst, fieldUpgrade...)
			dst = append(dst, r.Upgrade...)
			dst = append(dst, '\r', '\n')
		}
		return append(dst, '\r', '\n')
	case r.Status < 200:
		return append(dst, '\r', '\n')
	case f.Chunked:
		dst = append(dst, fieldChunked...)
	case r.Body == wire.BodyLength, r.Body == wire.BodyNone && r.Length >= 0 && r.Status != 204:
		dst = append(dst, fieldLength...)
		dst = h1.AppendUint(dst, uint64(r.Length))
		dst = append(dst, '\r', '\n')
	}
	dst = AppendConnection(dst, f.KeepAlive, f.Minor)
	return append(dst, '\r', '\n')
}

// AppendConnection says what becomes of the connection, where that differs from the version's default (RFC 9112 section 9.3).
func AppendConnection(dst []byte, keepAlive bool, minor uint8) []byte {
	switch {
	case !keepAlive:
		return append(dst, fieldClose...)
	case minor == 0:
		return append(dst, fieldKeepAlive...)
	}
	return dst
}

// Date renders the Date field once per second. One per worker.
type Date struct {
	unix int64
	buf  [48]byte
	n    int
}

// Field returns "date: …\r\n" for now; valid until the next call.
func (d *Date) Field(now time.Time) []byte {
	if u := now.Unix(); u != d.unix || d.n == 0 {
		d.unix = u
		b := append(d.buf[:0], "date: "...)
		b = now.UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
		d.n = len(append(b, '\r', '\n'))
	}
	return d.buf[:d.n]
}

// Value is Field without the name.
func (d *Date) Value(now time.Time) []byte {
	f := d.Field(now)
	return f[len("date: ") : len(f)-len("\r\n")]
}
