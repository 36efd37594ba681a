package uring

// Cookie is the 64-bit user_data of an operation: the operation in bits 56–63, the generation of the slot in bits
// 32–55, the slot in bits 0–31. The lower 56 bits are the name of a socket, which the loop calls its ID; a completion
// whose generation is not that of the slot comes too late and is dropped. This file is the only place that knows
// the layout.
type Cookie uint64

// Op says which operation a completion belongs to.
type Op uint8

// The operations. The zero Op is a completion nobody waits for.
const (
	OpNone Op = iota
	OpAccept
	OpRecv
	OpRecvInto
	OpSend
	OpConnect
	OpClose
	OpCancel
	OpWake
)

const (
	cookieOpShift = 56
	// CookieNameBits is the number of bits that name a socket.
	CookieNameBits = cookieOpShift
)

// MakeCookie joins an operation and the name of a socket, which must fit in 56 bits.
func MakeCookie(op Op, name uint64) Cookie { return Cookie(op)<<cookieOpShift | Cookie(name) }

// Op returns the operation.
func (c Cookie) Op() Op { return Op(c >> cookieOpShift) }

// Name returns the name of the socket.
func (c Cookie) Name() uint64 { return uint64(c) & (1<<cookieOpShift - 1) }

// String returns the name of the operation.
func (o Op) String() string {
	names := [...]string{"none", "accept", "recv", "recv-into", "send", "connect", "close", "cancel", "wake"}
	if int(o) < len(names) {
		return names[o]
	}
	return "unknown"
}
