package hpack

import (
	"encoding/binary"
	"slices"
)

// The Huffman code (RFC 7541 appendix B) is canonical: within a length, codes count up in the order of their symbols,
// and each length goes on where the one before ended. So the lengths are the whole table; a test compares the codes
// with an independent implementation.

// eos is the end-of-string symbol, all ones, which must never occur in a string.
const eos = 256

var huffmanLength = [eos + 1]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	eos: maxHuffmanBits,
}

// huffmanCodes holds per symbol the code in the upper 32 bits and its length in the lower.
var huffmanCodes, huffmanBySize = buildHuffmanCodes()

// canonical describes the codes of one length: the first one, how many there are, and where their symbols begin in
// order.
type canonical struct {
	first, count, offset uint32
}

func buildHuffmanCodes() (codes [eos + 1]uint64, sizes [maxHuffmanBits + 1]canonical) {
	code, order := uint32(0), uint32(0)
	for size := uint8(1); size <= maxHuffmanBits; size++ {
		code <<= 1
		c := &sizes[size]
		c.first, c.offset = code, order
		for symbol, n := range huffmanLength {
			if n == size {
				codes[symbol] = uint64(code)<<32 | uint64(size)
				code++
				order++
			}
		}
		c.count = code - c.first
	}
	return codes, sizes
}

// huffmanSize is the size in bytes of s when Huffman-coded.
func huffmanSize(s []byte) int {
	bits := 0
	for _, c := range s {
		bits += int(huffmanLength[c])
	}
	return (bits + 7) / 8
}

// appendHuffman appends s, Huffman-coded and padded with ones (RFC 7541 section 5.2); size is huffmanSize(s).
func appendHuffman(dst, s []byte, size int) []byte {
	at := len(dst)
	// Words are written whole, so there must be room for one behind the end.
	dst = slices.Grow(dst, size+8)[:at+size+8]
	var acc uint64 // the lowest n bits are waiting
	n := uint(0)
	i := at
	for _, c := range s {
		e := huffmanCodes[c]
		bits := uint(e & 63)
		acc = acc<<bits | e>>32
		n += bits
		if n >= 32 {
			n -= 32
			binary.BigEndian.PutUint32(dst[i:], uint32(acc>>n))
			i += 4
		}
	}
	// Fewer than 32 bits are left; ones follow them.
	binary.BigEndian.PutUint32(dst[i:], uint32(acc<<(32-n))|^uint32(0)>>n)
	return dst[:at+size]
}
