// Package secure puts TLS between a socket of the loop and the connection that speaks HTTP on it, in both roles. A Conn is two things
// at once: the loop.Handler of the real socket, and a loop.Loop for the one connection above it, which uses it like a plain socket.
// What is received is opened in place in the receive buffer; what is sent is sealed from the caller's slice into a buffer of the pool.
//
//	Env     what the TLS connections of one worker share; limits of handshakes   env.go
//	Config  one side's configuration, shared by workers                          config.go
//	Conn    the connection and its life                                          conn.go
//	        handshakes: waiting, slow keys, outcome                              handshake.go
//	        ciphertext in, content up                                            receive.go
//	        content down, ciphertext out                                         send.go
//	        the end: close_notify, alerts that must arrive                       end.go
//
// The rules of package loop hold for what the connection above sees, with these additions:
//
//   - OnConnect(nil) reports the end of the handshake, to servers too, and comes before any OnRecv. After OnConnect with an error the
//     handler has to Close, as after a failed Dial. A client's handler calls StartRecv in OnConnect.
//   - OnRecvEnd(io.EOF) is the peer's close_notify. When the transport ends without it, the error is a *tlsrec.Error: content may have
//     been cut off.
//   - Shutdown sends close_notify and then FIN; Close sends close_notify if that is possible at once; Reset sends neither.
//   - n of OnSend counts content. With an error it is what had been handed to the kernel before, 0 only if nothing left.
//
// A seam for kTLS: after the handshake, send.go and receive.go are all that touches records. A Conn whose keys went to the kernel would
// hand the plain socket to the connection above and step aside.
//
// It imports the loop, tlsrec, flow and telemetry.
package secure
