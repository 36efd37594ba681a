// Package wire holds what all protocol versions share: heads, fields, well-known names, methods, limits and the
// typed errors of the codecs. Codecs (wire/h1, later wire/h2 and wire/h3) do no I/O: bytes in, events out. Nothing here imports
// the loop or the proxy.
package wire
