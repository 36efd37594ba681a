package h2

import "encoding/binary"

// flagsAt is where the flags stand in a frame header.
const flagsAt = 4

// Constants of RFC 9113.
const (
	// Preface is what a client sends first (section 3.4).
	Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// HeaderBytes is the size of a frame header (section 4.1).
	HeaderBytes = 9
	// MinFrameBytes and MaxFrameBytes bound SETTINGS_MAX_FRAME_SIZE (section 6.5.2); the first is its initial value.
	MinFrameBytes = 1 << 14
	MaxFrameBytes = 1<<24 - 1
	// DefaultWindow is the initial size of all flow-control windows (section 6.9.2), MaxWindow the largest (6.9.1).
	DefaultWindow = 1<<16 - 1
	MaxWindow     = 1<<31 - 1
	// maxStreamID is the largest stream identifier (section 5.1.1).
	maxStreamID = 1<<31 - 1
)

// FrameType is the type of a frame.
type FrameType uint8

// The frame types of RFC 9113 section 6 and RFC 9218 section 7.1.
const (
	FrameData           FrameType = 0x0
	FrameHeaders        FrameType = 0x1
	FramePriority       FrameType = 0x2
	FrameRSTStream      FrameType = 0x3
	FrameSettings       FrameType = 0x4
	FramePushPromise    FrameType = 0x5
	FramePing           FrameType = 0x6
	FrameGoAway         FrameType = 0x7
	FrameWindowUpdate   FrameType = 0x8
	FrameContinuation   FrameType = 0x9
	FramePriorityUpdate FrameType = 0x10
)

// Flags of a frame. What a bit means depends on the type.
type Flags uint8

// The flags.
const (
	FlagAck        Flags = 0x1 // SETTINGS, PING
	FlagEndStream  Flags = 0x1 // DATA, HEADERS
	FlagEndHeaders Flags = 0x4
	FlagPadded     Flags = 0x8
	FlagPriority   Flags = 0x20
)

// FrameHeader is the header of a frame (section 4.1).
type FrameHeader struct {
	Length uint32
	Type   FrameType
	Flags  Flags
	Stream uint32
}

// Has tells whether all bits of f are set.
func (h FrameHeader) Has(f Flags) bool { return h.Flags&f == f }

// ParseHeader reads a frame header; b must have HeaderBytes. The reserved bit is ignored.
func ParseHeader(b []byte) FrameHeader {
	_ = b[HeaderBytes-1]
	w := binary.BigEndian.Uint32(b)
	return FrameHeader{Length: w >> 8, Type: FrameType(w), Flags: Flags(b[4]), Stream: binary.BigEndian.Uint32(b[5:]) & maxStreamID}
}

// Frame is a parsed frame. Which of the fields mean something depends on the type.
type Frame struct {
	FrameHeader
	// Payload is what remains when fixed fields and padding are taken away: the data of DATA, the fragment of HEADERS,
	// PUSH_PROMISE and CONTINUATION, the settings, the eight bytes of PING, the debug data of GOAWAY, the field value of
	// PRIORITY_UPDATE, and all of a frame of unknown type. It is a slice of the input.
	Payload []byte
	// Pad is what padding took away, its length byte included.
	Pad int
	// Ref is the other stream: the promised one, the last one of GOAWAY, the prioritized one, the one depended on.
	Ref uint32
	// Code of RST_STREAM and GOAWAY.
	Code ErrCode
	// Increment of WINDOW_UPDATE.
	Increment uint32
}

// ParseFrame checks the payload of a frame, which must have h.Length bytes, and takes it apart. An Error with Conn unset
// concerns the stream only; the frame is then to be dropped.
func ParseFrame(h FrameHeader, payload []byte, f *Frame) *Error {
	*f = Frame{FrameHeader: h, Payload: payload}
	switch h.Type {
	case FrameData, FrameHeaders, FramePriority, FrameRSTStream, FramePushPromise, FrameContinuation:
		if h.Stream == 0 {
			return ErrStreamZero
		}
	case FrameSettings, FramePing, FrameGoAway, FramePriorityUpdate:
		if h.Stream != 0 {
			return ErrStreamNotZero
		}
	}
	switch h.Type {
	case FrameData:
		return f.unpad()
	case FrameHeaders:
		if err := f.unpad(); err != nil {
			return err
		}
		return f.priority()
	case FramePriority:
		if len(payload) != 5 {
			return ErrPrioritySize
		}
		f.Flags |= FlagPriority
		err := f.priority()
		f.Flags = h.Flags
		return err
	case FrameRSTStream:
		if len(payload) != 4 {
			return ErrFrameSize
		}
		f.Code = ErrCode(f.word())
	case FrameSettings:
		if len(payload)%6 != 0 || h.Has(FlagAck) && len(payload) != 0 {
			return ErrFrameSize
		}
	case FramePushPromise:
		if err := f.unpad(); err != nil {
			return err
		}
		if len(f.Payload) < 4 {
			return ErrFrameSize
		}
		f.Ref = f.word() & maxStreamID
	case FramePing:
		if len(payload) != 8 {
			return ErrFrameSize
		}
	case FrameGoAway:
		if len(payload) < 8 {
			return ErrFrameSize
		}
		f.Ref = f.word() & maxStreamID
		f.Code = ErrCode(f.word())
	case FrameWindowUpdate:
		return f.windowUpdate()
	case FramePriorityUpdate:
		if len(payload) < 4 {
			return ErrFrameSize
		}
		if f.Ref = f.word() & maxStreamID; f.Ref == 0 {
			return ErrPriorityUpdate
		}
	}
	return nil
}

// word takes a 32-bit number from the front of the payload.
func (f *Frame) word() uint32 {
	w := binary.BigEndian.Uint32(f.Payload)
	f.Payload = f.Payload[4:]
	return w
}

// unpad takes padding away (RFC 9113 section 6.1).
func (f *Frame) unpad() *Error {
	if !f.Has(FlagPadded) {
		return nil
	}
	if len(f.Payload) == 0 {
		return ErrFrameSize
	}
	pad := int(f.Payload[0])
	if pad >= len(f.Payload) {
		return ErrPadding
	}
	f.Payload = f.Payload[1 : len(f.Payload)-pad]
	f.Pad = pad + 1
	return nil
}

// priority takes the fields of the old priority scheme away, which mean nothing any more (RFC 9113 section 5.3.2).
// That a stream must not depend on itself is RFC 7540's rule; conformance suites still ask for it.
func (f *Frame) priority() *Error {
	if !f.Has(FlagPriority) {
		return nil
	}
	if len(f.Payload) < 5 {
		return ErrFrameSize
	}
	f.Ref = f.word() & maxStreamID
	f.Payload = f.Payload[1:]
	if f.Ref == f.Stream {
		return ErrSelfDependency
	}
	return nil
}

func (f *Frame) windowUpdate() *Error {
	if len(f.Payload) != 4 {
		return ErrFrameSize
	}
	if f.Increment = f.word() & MaxWindow; f.Increment != 0 {
		return nil
	}
	if f.Stream == 0 {
		return ErrConnIncrement
	}
	return ErrIncrement
}
