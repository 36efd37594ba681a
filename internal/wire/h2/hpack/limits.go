package hpack

// Constants of RFC 7541.
const (
	// EntryOverhead is what a field counts in addition to its bytes (section 4.1), in the dynamic table and in the size
	// of a list (RFC 9113 section 6.5.2).
	EntryOverhead = 32
	// DefaultTableBytes is the size of the dynamic table before SETTINGS say otherwise (RFC 9113 section 6.5.2).
	DefaultTableBytes = 4096
	// staticEntries is the size of the static table (appendix A); dynamic entries are numbered from the next on.
	staticEntries = 61
)

// Our own limits.
const (
	// MaxTableBytes is the largest dynamic table that either side of ours will keep; positions and sizes of entries fit
	// into 16 bits.
	MaxTableBytes = 1 << 16
	// maxInteger is the largest number accepted in a block.
	maxInteger = 1<<28 - 1
	// maxSizeUpdates is how many table size updates may begin a block: the smallest and the last size chosen between two
	// blocks (section 4.2).
	maxSizeUpdates = 2
	// minTableBuffer is the first buffer of a table. It doubles until the table's size is reached, so that an idle
	// connection holds little.
	minTableBuffer = 256
	minTableSlots  = 8
	// shortSecret is the length in bytes below which a cookie could be guessed byte by byte through the compressor.
	shortSecret = 20
	// maxHuffmanBits is the longest code.
	maxHuffmanBits = 30
)
