package wire

// Limits of one HTTP message, shared by all versions. The zero value means DefaultLimits; where only some numbers are
// set, WithDefaults fills in the others, which is done once and not per message.
type Limits struct {
	// HeadBytes is the size of a whole head: start line, fields and the empty line.
	HeadBytes int
	// LineBytes is the size of the request line without its CRLF.
	LineBytes int
	// Fields is the number of header fields, and separately of trailer fields.
	Fields int
	// TrailerBytes is the size of the trailer section with its final empty line.
	TrailerBytes int
	// ChunkLineBytes is the size of a chunk-size line with its extensions, without its CRLF.
	ChunkLineBytes int
	// AllowUnderscore forwards request fields with an underscore in their name. By default they are marked Hop, so
	// that they are dropped: servers that turn names into variables (CGI, WSGI, PHP) cannot tell X_Forwarded_For from
	// X-Forwarded-For, and a client could slip a field past the gateway that only the gateway may set. They are
	// dropped and not refused since honest clients send them too; nginx does the same.
	AllowUnderscore bool
}

// DefaultLimits are those of nginx (4 buffers of 8 KiB for the head) and Envoy (100 fields), with a trailer section
// as large as a request line.
var DefaultLimits = Limits{HeadBytes: 32 << 10, LineBytes: 8 << 10, Fields: 100, TrailerBytes: 8 << 10, ChunkLineBytes: 256}

// WithDefaults returns l with every number that is not positive replaced by the default.
func (l Limits) WithDefaults() Limits {
	for _, p := range []struct {
		value    *int
		fallback int
	}{
		{&l.HeadBytes, DefaultLimits.HeadBytes},
		{&l.LineBytes, DefaultLimits.LineBytes},
		{&l.Fields, DefaultLimits.Fields},
		{&l.TrailerBytes, DefaultLimits.TrailerBytes},
		{&l.ChunkLineBytes, DefaultLimits.ChunkLineBytes},
	} {
		if *p.value <= 0 {
			*p.value = p.fallback
		}
	}
	return l
}
