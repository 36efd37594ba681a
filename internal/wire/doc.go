// Package wire holds what all protocol versions share: heads, fields, well-known names, methods, status texts, the
// normal form of a path, limits, and the typed error of the codecs.
//
// Codecs (wire/h1, wire/h2) do no I/O: bytes in, events out. Their slices point into the caller's
// buffer. Nothing here may import the loop or the proxy, and nothing here allocates per message, not even when the
// input is bad.
package wire
