// Package h2 is the HTTP/2 codec (RFC 9113, with RFC 8441 and RFC 9218) for both roles: frames, and the state machine of
// a connection, without I/O, without a clock and without a lock. The proxy's two sides and the load generator share it.
//
// It imports only internal/wire and wire/h2/hpack. In flow the bytes of the transport (Conn.Feed) and the owner's calls;
// out flow calls of Handler, and frames, appended to the buffer that the owner gave (Conn.SetOut, Conn.Out).
//
// Who owns what:
//
//   - The input of Feed is borrowed for the call. Everything handed to a Handler (heads, fields, data) is a slice of the
//     input, of the connection's tables or of the Scratch, and dies when the handler returns. Whole HEADERS frames must
//     be in the input; DATA is handed on in the pieces in which it comes.
//   - A Scratch is shared by all connections of a worker, and so is a Config.
//   - The output buffer is the owner's. Control frames (acknowledgements, window updates, resets) are appended during
//     Feed too, so the owner sends what Out holds after each call, and does not call Feed while much is unsent: the
//     budgets bound what a peer can make us write per call, not how slowly it reads.
//   - A Stream is the connection's, see there.
//
// Where it is stricter than it must be, or chooses:
//
//   - Heads obey the rules of wire/h1 where those go beyond the RFC: hosts, visible ASCII in paths, one Content-Length.
//   - What is malformed is answered by RST_STREAM and never shown to the handler; a list over the limit by 431.
//   - Push is off. Priorities of RFC 7540 are parsed and ignored.
//   - A frame larger than allowed ends the connection, also where a stream error would do.
//   - Frames for streams that we have reset lately are ignored, others for closed streams are errors; a client ignores
//     all of them, as the server may not know yet.
package h2
