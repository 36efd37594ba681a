package upstream

import (
	"crypto/rand"
	"encoding/base64"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// appendWebSocketKey adds what the handshake of HTTP/1.1 has and extended CONNECT has not (RFC 8441 section 5): a nonce that the endpoint
// processes to show that it knows the protocol. Its answer goes no further than here.
func appendWebSocketKey(dst []byte, r *wire.Request) []byte {
	if !wire.EqualFold(r.Upgrade, webSocket) || r.Get(wire.FieldSecWebSocketKey) != nil {
		return dst
	}
	return appendNonce(dst)
}

// appendNonce appends a Sec-WebSocket-Key.
func appendNonce(dst []byte) []byte {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:]) // never fails
	dst = append(dst, "sec-websocket-key: "...)
	dst = base64.StdEncoding.AppendEncode(dst, nonce[:])
	return append(dst, '\r', '\n')
}

var webSocket = []byte("websocket")
