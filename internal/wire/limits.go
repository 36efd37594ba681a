package wire

// Limits of one HTTP message, shared by all versions. The zero value means the defaults of DefaultLimits.
type Limits struct {
	// HeadBytes is the size of a whole head: start line and fields.
	HeadBytes int
	// LineBytes is the size of the request line.
	LineBytes int
	// Fields is the number of header fields, and separately of trailer fields.
	Fields int
	// TrailerBytes is the size of the trailer section.
	TrailerBytes int
	// ChunkLineBytes is the size of a chunk-size line with its extensions.
	ChunkLineBytes int
}

// DefaultLimits are those of nginx (4 buffers of 8 KiB for the head) and Envoy (100 fields), with a trailer section as large as a
// request line.
var DefaultLimits = Limits{HeadBytes: 32 << 10, LineBytes: 8 << 10, Fields: 100, TrailerBytes: 8 << 10, ChunkLineBytes: 256}
