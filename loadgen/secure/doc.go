// Package secure puts TLS between a loop and a connection, for the load generator's two sides: the client that loads, and the origin.
//
// It may import internal/loop and internal/wire/tlsrec. What flows through: bytes of the socket go in by the loop's calls, content comes
// out by calls of the same names; sends go the other way. A Link belongs to its loop's thread, whose goroutine must be locked to it
// (handshakes are coroutines).
package secure
