// Package respond is step 8 of the path: it renders what goes to an HTTP/1.x client – the head of an upstream's response with hop-by-hop
// fields removed and framing of our own, replies made from configuration, and local replies for everything that failed.
// It imports wire, the h1 encoders and exchange; it appends to buffers and sends nothing.
package respond
