package hpack

import "encoding/binary"

// Decoding looks at stepBits bits at a time and finds one symbol there, or two when both fit, which is the rule: the
// symbols of ordinary header fields have five to seven bits. Longer codes take the slow way through the canonical
// order.
const stepBits = 12

// A step holds: the first symbol in bits 0-7, the second in bits 8-15, the size of the first code in bits 16-19, the
// size of all codes in bits 20-23, the number of symbols (0 to 2) in bits 24-25.
var huffmanSteps, huffmanOrder = buildHuffmanSteps()

func buildHuffmanSteps() (steps [1 << stepBits]uint32, order [eos + 1]uint16) {
	var single [1 << stepBits]uint32 // symbol and size, 0 where the code is longer
	for symbol, code := range huffmanCodes {
		size := uint32(code & 63)
		c := uint32(code >> 32)
		of := huffmanBySize[size]
		order[of.offset+c-of.first] = uint16(symbol)
		if size > stepBits {
			continue
		}
		from := c << (stepBits - size)
		for i := range uint32(1) << (stepBits - size) {
			single[from+i] = uint32(symbol) | size<<16
		}
	}
	for i := range steps {
		first := single[i]
		if first == 0 {
			continue
		}
		size := first >> 16
		steps[i] = first | size<<20 | 1<<24
		second := single[uint32(i)<<size&(1<<stepBits-1)]
		if total := size + second>>16; second != 0 && total <= stepBits {
			steps[i] = first | second&0xff<<8 | total<<20 | 2<<24
		}
	}
	return steps, order
}

// huffmanRoom is how much room decodeHuffman needs for n coded bytes: the shortest code has five bits, and every step
// writes two bytes.
func huffmanRoom(n int) int { return n*8/5 + 2 }

// decodeHuffman decodes src into dst, which must have huffmanRoom(len(src)) bytes, and returns the number of bytes
// written. It fails for the end-of-string symbol and for padding that is not fewer than eight ones.
func decodeHuffman(dst, src []byte) (int, bool) {
	var acc uint64 // the upper n bits are waiting
	n, i, d := uint(0), 0, 0
	for i+8 <= len(src) {
		acc |= binary.BigEndian.Uint64(src[i:]) >> n
		i += int(63-n) >> 3
		n |= 56
		// Now at least 56 bits are waiting: four steps of at most twelve.
		for range 4 {
			e := huffmanSteps[acc>>(64-stepBits)]
			if e>>24 == 0 {
				size, symbol := longCode(uint32(acc >> 32))
				if symbol == eos || size > n {
					if symbol == eos {
						return 0, false
					}
					break
				}
				dst[d] = byte(symbol)
				d++
				acc <<= size
				n -= size
				break
			}
			dst[d], dst[d+1] = byte(e), byte(e>>8)
			d += int(e >> 24)
			size := uint(e >> 20 & 15)
			acc <<= size
			n -= size
		}
		// Bits below n may already hold the bytes behind i: clear them, so that they are not read twice.
		acc &= ^uint64(0) << (64 - n)
	}
	for {
		for n <= 56 && i < len(src) {
			acc |= uint64(src[i]) << (56 - n)
			n += 8
			i++
		}
		if n == 0 {
			return d, true
		}
		filled := acc | ^uint64(0)>>n // what is missing reads as padding
		if n < 8 && i == len(src) && filled == ^uint64(0) {
			return d, true
		}
		e := huffmanSteps[filled>>(64-stepBits)]
		size, symbol := uint(e>>16&15), uint16(e&0xff)
		if e>>24 == 0 {
			size, symbol = longCode(uint32(filled >> 32))
		}
		if size > n || symbol == eos {
			return 0, false
		}
		dst[d] = byte(symbol)
		d++
		acc <<= size
		n -= size
	}
}

// longCode finds the code longer than stepBits that w begins with.
func longCode(w uint32) (size uint, symbol uint16) {
	for size = stepBits + 1; size < maxHuffmanBits; size++ {
		c := &huffmanBySize[size]
		if at := w>>(32-size) - c.first; at < c.count {
			return size, huffmanOrder[c.offset+at]
		}
	}
	c := &huffmanBySize[maxHuffmanBits]
	at := min(w>>(32-maxHuffmanBits)-c.first, c.count-1)
	return maxHuffmanBits, huffmanOrder[c.offset+at]
}
