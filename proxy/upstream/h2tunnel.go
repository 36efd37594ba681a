package upstream

import (
	"crypto/sha1" //nolint:gosec // RFC 6455 asks for it; nothing depends on its strength
	"encoding/base64"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// WebSocket over HTTP/2 is an extended CONNECT that is answered with 2xx (RFC 8441); in HTTP/1.1 it is an Upgrade that is answered
// with 101 and a proof that the server understood it. The two sides of an exchange speak the latter.

// webSocketGUID is what a server appends to the client's key (RFC 6455 section 1.3).
const webSocketGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// acceptBytes is the size of a Sec-WebSocket-Accept.
const acceptBytes = 28

// appendAccept appends the Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.
func appendAccept(dst, key []byte) []byte {
	var room [96]byte
	sum := sha1.Sum(append(append(room[:0], key...), webSocketGUID...)) //nolint:gosec // as above
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

var (
	nameWSAccept = []byte("sec-websocket-accept")
	reason101    = []byte("Switching Protocols")
)

// openTunnel passes on that the endpoint has agreed to a tunnel: a CONNECT as it is, a WebSocket as the 101 that it would be in
// HTTP/1.1.
func (c *h2Conn) openTunnel(q *Request, r *wire.Response) {
	s := q.s
	q.x.Tunnel = true
	q.finished = false // from here on the end of the request is the client's
	if q.wsAccept[0] != 0 || q.websocket {
		r.Status, r.Reason, r.Upgrade = 101, reason101, websocket
		if q.wsAccept[0] != 0 {
			r.Fields = append(r.Fields, wire.Field{Name: nameWSAccept, Value: q.wsAccept[:], ID: wire.FieldSecWebSocketAccept})
		}
	}
	r.Body, r.Length = wire.BodyUntilClose, -1
	q.arm(waitBody, q.idle)
	q.x.Down.Head(r)
	if q.s == s && q.q.Len() > 0 {
		c.more(q)
	}
}
