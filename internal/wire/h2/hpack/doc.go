// Package hpack is HPACK (RFC 7541), the compression of header fields in HTTP/2: a decoder and an encoder without I/O,
// without a lock, and without allocation per block once their tables have grown.
//
// It imports only internal/wire. In flow whole header blocks (HEADERS with its CONTINUATIONs, put together) or fields;
// out flow fields or bytes.
//
// Who owns what: a Decoder and an Encoder belong to one connection and hold nothing but their dynamic tables, which
// grow with use. What a block decodes to is written into a List, which can be shared by all connections of a worker:
// its fields point into the block, into the static table or into the List, and are valid until the block is
// overwritten or the List is used for the next one.
//
// Where a choice is left open:
//
//   - Integers of more than 28 bits are refused: nothing that we would accept is that long.
//   - A list over its limit is not an error of the decoder, since the table must follow the block to its end: List.Large
//     is set, the fields are thrown away, and the stream can be answered with 431 while the connection lives on.
//   - Bytes that no HTTP/2 message may hold are found here and remembered in the dynamic table, so that what repeats is
//     not checked again: List.Bad.
//   - The encoder inserts names with values likely to repeat at first sight, others when they come a second time, and
//     credentials never (RFC 7541 section 7.1).
package hpack
