package hpack

import "github.com/blitz-gateway/blitz/internal/wire"

// What a block can be refused for. All of them are connection errors of type COMPRESSION_ERROR (RFC 9113 section 4.3).
var (
	ErrTruncated = wire.NewError(400, "hpack_truncated",
		"the header block ends within a field")
	ErrInteger = wire.NewError(400, "hpack_integer",
		"an integer in the header block has more than 28 bits")
	ErrIndex = wire.NewError(400, "hpack_index",
		"the header block refers to an entry that neither table has")
	ErrHuffman = wire.NewError(400, "hpack_huffman",
		"a Huffman-coded string holds the end-of-string symbol or is not padded with fewer than eight ones")
	ErrSizeUpdate = wire.NewError(400, "hpack_size_update",
		"a table size update may only begin a block, at most twice, and not exceed the size that the settings allow")
	ErrNoSizeUpdate = wire.NewError(400, "hpack_size_update_missing",
		"the settings lowered the table size, so the next block must begin with a table size update")
)
