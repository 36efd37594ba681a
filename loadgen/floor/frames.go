package floor

import (
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// Sizes in bytes (RFC 9113, 4.1 and 6.7).
const (
	frameHeader = 9
	pingPayload = 8
)

// frames answers in HTTP/2 by the headers of frames alone. Header blocks are not decoded, so what a client keeps in its dynamic table does not matter,
// and the answer uses none. Flow control is not kept: answers are small, and clients that measure open their windows wide.
type frames struct {
	speaks bool
	skip   int // bytes that do not matter
	head   [frameHeader + pingPayload]byte
	n      int // bytes of head
}

// begin tells from the first bytes of a connection whether HTTP/2 is spoken (RFC 9113, 3.4), and appends our own preface if so.
func (f *frames) begin(dst, p []byte) []byte {
	if !strings.HasPrefix(h2.Preface, string(p[:min(len(p), len(h2.Preface))])) {
		return dst
	}
	f.speaks, f.skip = true, len(h2.Preface)
	return h2.AppendSettings(dst)
}

// response is the fixed answer on stream 0.
func response(body string) []byte {
	// RFC 7541, 6.1: entry 8 of the static table, :status 200; 6.2.2: literals with names 31 (content-type) and 28 (content-length).
	block := []byte{0x88}
	for _, field := range []struct {
		name  byte
		value string
	}{{31, "text/plain"}, {28, strconv.Itoa(len(body))}} {
		block = append(block, 0x0f, field.name-15, byte(len(field.value)))
		block = append(block, field.value...)
	}
	out := h2.AppendFrame(nil, h2.FrameHeaders, h2.FlagEndHeaders, 0, block)
	return h2.AppendFrame(out, h2.FrameData, h2.FlagEndStream, 0, []byte(body))
}

// answer appends what the frames in p call for.
func (f *frames) answer(dst, p, response []byte) []byte {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, len(p))
			f.skip -= n
			p = p[n:]
			continue
		}
		need := frameHeader
		if f.n >= frameHeader {
			need += pingPayload
		}
		n := copy(f.head[f.n:need], p)
		f.n += n
		p = p[n:]
		if f.n < need {
			return dst
		}
		h := h2.ParseHeader(f.head[:frameHeader])
		if h.Type == h2.FramePing && h.Length == pingPayload {
			if need == frameHeader {
				continue
			}
			if !h.Has(h2.FlagAck) {
				dst = h2.AppendPing(dst, h2.FlagAck, binary.BigEndian.Uint64(f.head[frameHeader:]))
			}
			f.n = 0
			continue
		}
		f.n, f.skip = 0, int(h.Length)
		switch {
		case h.Type == h2.FrameSettings && !h.Has(h2.FlagAck):
			dst = h2.AppendFrame(dst, h2.FrameSettings, h2.FlagAck, 0, nil)
		case (h.Type == h2.FrameHeaders || h.Type == h2.FrameData) && h.Has(h2.FlagEndStream):
			at := len(dst)
			dst = append(dst, response...)
			// The stream's number is in both frame headers.
			copy(dst[at+5:], f.head[5:frameHeader])
			second := frameHeader + int(response[1])<<8 + int(response[2])
			copy(dst[at+second+5:], f.head[5:frameHeader])
		}
	}
	return dst
}
