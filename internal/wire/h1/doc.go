// Package h1 is the HTTP/1.1 codec (RFC 9112) for both roles: heads and bodies are decoded from bytes and encoded to
// bytes, without I/O, without state beyond Body, and without allocation once a head's field list has grown.
//
// It imports only internal/wire. In flow buffers that the caller owns; out flow slices of those buffers.
//
// It is strict: what could be understood in two ways is refused, in requests (where the offence is a client's) and in
// responses (where it becomes a 502), since a gateway that repairs a message decides for the next hop what it meant.
// Where it goes beyond the RFCs:
//
//   - Lines end in CRLF. A bare LF or CR is refused, and so is obs-fold, which RFC 9112 section 5.2 would let us
//     replace.
//   - Content-Length must occur once, with one number, even if a repetition agrees; and never together with
//     Transfer-Encoding.
//   - Transfer-Encoding must be exactly "chunked". In a request another coding is 501, a malformed value 400.
//   - One empty line before a request line is skipped (RFC 9112 section 2.2), a second one is refused.
//   - Targets hold visible ASCII only. Absolute form must agree with Host, in any case of letters; userinfo is
//     refused.
//   - The Host of a request must be a plain name, an IPv4 address or a bracketed IPv6 address, see
//     wire.SplitAuthority.
//   - A Connection option naming a well-known end-to-end field has no effect, see wire.FieldID.Nominable.
//   - A request field whose name holds an underscore is marked Hop, see wire.Limits.AllowUnderscore; so is a trailer
//     field that frames, routes, authenticates or describes content, see wire.FieldID.TrailerAllowed.
//   - Chunk extensions are checked and dropped; they may not hold white space outside of quoted strings.
//   - TRACE and CONNECT requests have no body; a 1xx or 204 response may only announce "Content-Length: 0".
package h1
