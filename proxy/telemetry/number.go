package telemetry

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"strconv"
)

// appendUint appends v in decimal. Numbers of up to eight digits, which nearly all in a line are, are written at once: all digits are computed side by side in
// one word, the first in its lowest byte.
func appendUint(dst []byte, v uint64) []byte {
	if v < 10 {
		return append(dst, '0'+byte(v))
	}
	if v >= 1e8 {
		return strconv.AppendUint(dst, v, 10)
	}
	// Two numbers of four digits, then four of two, then eight of one. The multiplications divide by 100 (exact below 10,000) and by 10 (exact below 100).
	four := v/10_000 | v%10_000<<32
	hundreds := four * 10_486 >> 20 & 0x7f_0000007f
	two := hundreds | (four-100*hundreds)<<16
	tens := two * 103 >> 10 & 0x000f_000f_000f_000f
	one := tens | (two-10*tens)<<8
	zeros := bits.TrailingZeros64(one) &^ 7 // in front, in bits
	at := len(dst)
	dst = binary.LittleEndian.AppendUint64(dst, (one|'0'*everyByte)>>zeros)
	return dst[:at+8-zeros/8]
}

func appendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return strconv.AppendInt(dst, v, 10)
	}
	return appendUint(dst, uint64(v))
}

func appendMicros(dst []byte, ns int64) []byte { return appendInt(dst, ns/1000) }

// appendClient appends a valid address as netip.AddrPort.AppendTo does.
func appendClient(dst []byte, a netip.AddrPort) []byte {
	if !a.Addr().Is4() {
		return a.AppendTo(dst)
	}
	for i, b := range a.Addr().As4() {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = appendUint(dst, uint64(b))
	}
	return appendUint(append(dst, ':'), uint64(a.Port()))
}
