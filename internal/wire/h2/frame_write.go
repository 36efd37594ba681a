package h2

import "encoding/binary"

// The writers append to dst and return it, like append. They check nothing.

// AppendHeader appends a frame header.
func AppendHeader(dst []byte, h FrameHeader) []byte {
	return append(dst, byte(h.Length>>16), byte(h.Length>>8), byte(h.Length), byte(h.Type), byte(h.Flags),
		byte(h.Stream>>24), byte(h.Stream>>16), byte(h.Stream>>8), byte(h.Stream))
}

// putHeader writes a frame header over the first bytes of b.
func putHeader(b []byte, h FrameHeader) { AppendHeader(b[:0], h) }

// AppendFrame appends a frame of any type with this payload.
func AppendFrame(dst []byte, t FrameType, flags Flags, stream uint32, payload []byte) []byte {
	dst = AppendHeader(dst, FrameHeader{uint32(len(payload)), t, flags, stream})
	return append(dst, payload...)
}

// AppendRSTStream appends RST_STREAM.
func AppendRSTStream(dst []byte, stream uint32, code ErrCode) []byte {
	dst = AppendHeader(dst, FrameHeader{4, FrameRSTStream, 0, stream})
	return binary.BigEndian.AppendUint32(dst, uint32(code))
}

// AppendWindowUpdate appends WINDOW_UPDATE; stream 0 is the connection.
func AppendWindowUpdate(dst []byte, stream, increment uint32) []byte {
	dst = AppendHeader(dst, FrameHeader{4, FrameWindowUpdate, 0, stream})
	return binary.BigEndian.AppendUint32(dst, increment)
}

// AppendPing appends PING with these eight bytes; flags is FlagAck for an answer.
func AppendPing(dst []byte, flags Flags, data uint64) []byte {
	dst = AppendHeader(dst, FrameHeader{8, FramePing, flags, 0})
	return binary.BigEndian.AppendUint64(dst, data)
}

// AppendGoAway appends GOAWAY.
func AppendGoAway(dst []byte, last uint32, code ErrCode, debug string) []byte {
	dst = AppendHeader(dst, FrameHeader{uint32(8 + len(debug)), FrameGoAway, 0, 0})
	dst = binary.BigEndian.AppendUint32(dst, last)
	dst = binary.BigEndian.AppendUint32(dst, uint32(code))
	return append(dst, debug...)
}

// AppendPriorityUpdate appends PRIORITY_UPDATE (RFC 9218 section 7.1).
func AppendPriorityUpdate(dst []byte, stream uint32, value string) []byte {
	dst = AppendHeader(dst, FrameHeader{uint32(4 + len(value)), FramePriorityUpdate, 0, 0})
	dst = binary.BigEndian.AppendUint32(dst, stream)
	return append(dst, value...)
}

// AppendSettings appends SETTINGS.
func AppendSettings(dst []byte, settings ...Setting) []byte {
	dst = AppendHeader(dst, FrameHeader{uint32(6 * len(settings)), FrameSettings, 0, 0})
	for _, s := range settings {
		dst = binary.BigEndian.AppendUint16(dst, uint16(s.ID))
		dst = binary.BigEndian.AppendUint32(dst, s.Value)
	}
	return dst
}

// AppendSettingsAck appends the acknowledgement of SETTINGS.
func AppendSettingsAck(dst []byte) []byte {
	return AppendHeader(dst, FrameHeader{0, FrameSettings, FlagAck, 0})
}
