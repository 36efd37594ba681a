// Package tlsrec is TLS without sockets: received bytes in, events and bytes to send out. One Conn serves both roles,
// server and client, and has three phases:
//
//	handshake     crypto/tls does it, as a coroutine on the caller's thread, over an in-memory connection that gives it at
//	              most one record per read. It sees every byte of the handshake and not one byte more.
//	TLS 1.3       the traffic secrets move from crypto/tls into the record layer of this package: records are opened in
//	              place in the receive buffer and sealed into a buffer of the caller, without an allocation. The state of
//	              the handshake is dropped.
//	TLS 1.2       stays on crypto/tls, behind the same calls: slower, and for old clients only.
//
// Who owns what: Receive decrypts into the very bytes it was given, so Event.Data points into them and lives as long as
// they do. Seal and AppendPending append to a slice of the caller. A Conn keeps no reference to either.
//
// A Conn belongs to one goroutine. When that goroutine is locked to its thread (runtime.LockOSThread), the Conn must be
// used, Close included, under the same lock from creation to the end of the handshake: coroutines do not change threads.
//
// It imports net and time for the types in net.Conn's method set, which crypto/tls asks for; it opens no socket, sets no
// timer, reads no clock. Time limits are the caller's: Close ends a handshake at any point.
//
// Source: RFC 8446 (TLS 1.3); the sections are named at the branches that they justify.
package tlsrec
