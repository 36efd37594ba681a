package uring

// Constants and structures of include/uapi/linux/io_uring.h, as far as they are used.

// SQE is a submission queue entry. Fields that share their place in the kernel's unions carry the most general name.
type SQE struct {
	Opcode   uint8
	Flags    uint8
	Ioprio   uint16
	Fd       int32
	Off      uint64
	Addr     uint64
	Len      uint32
	OpFlags  uint32
	UserData uint64
	BufIndex uint16 // or buffer group
	Persona  uint16
	FileIdx  uint32 // or address length
	Addr3    uint64
	pad      uint64
}

// CQE is a completion queue entry.
type CQE struct {
	UserData uint64
	Res      int32
	Flags    uint32
}

// Opcodes.
const (
	OpcodeNop         = 0
	OpcodePollAdd     = 6
	OpcodeTimeout     = 11
	OpcodeAccept      = 13
	OpcodeAsyncCancel = 14
	OpcodeConnect     = 16
	OpcodeClose       = 19
	OpcodeRead        = 22
	OpcodeSend        = 26
	OpcodeRecv        = 27
	OpcodeShutdown    = 34
	OpcodeMsgRing     = 40
	OpcodeSocket      = 45
)

// SQE.Flags.
const (
	SQEBufferSelect   = 1 << 5
	SQECQESkipSuccess = 1 << 6
)

// SQE.Ioprio and SQE.OpFlags of single operations.
const (
	RecvMultishot   = 1 << 1
	AcceptMultishot = 1 << 0
	PollMultishot   = 1 << 0 // in Len
	CancelAll       = 1 << 0
	CancelFD        = 1 << 1
)

// CQE.Flags.
const (
	CQEBuffer = 1 << 0 // the upper 16 bits are the ID of the provided buffer
	CQEMore   = 1 << 1 // the multishot operation goes on

	cqeBufferShift = 16
)

// Flags of io_uring_setup.
const (
	setupCQSize       = 1 << 3
	setupRDisabled    = 1 << 6
	setupSubmitAll    = 1 << 7
	setupCoopTaskrun  = 1 << 8
	setupSingleIssuer = 1 << 12
	setupDeferTaskrun = 1 << 13
)

// Flags of io_uring_enter.
const (
	enterGetEvents      = 1 << 0
	enterExtArg         = 1 << 3
	enterRegisteredRing = 1 << 4
)

// Feature bits of io_uring_setup.
const (
	featSingleMmap = 1 << 0
	featNoDrop     = 1 << 1
	featExtArg     = 1 << 8
)

// Opcodes of io_uring_register.
const (
	RegisterProbe       = 8
	RegisterEnableRings = 12
	RegisterRingFDs     = 20
	UnregisterRingFDs   = 21
	RegisterPbufRing    = 22
)

// Flags of the submission queue.
const sqCQOverflow = 1 << 1

// Offsets for mmap.
const (
	offSQRing = 0
	offSQEs   = 0x10000000
)

type sqOffsets struct {
	head, tail, ringMask, ringEntries, flags, dropped, array, resv1 uint32
	userAddr                                                        uint64
}

type cqOffsets struct {
	head, tail, ringMask, ringEntries, overflow, cqes, flags, resv1 uint32
	userAddr                                                        uint64
}

type params struct {
	sqEntries, cqEntries, flags, sqThreadCPU, sqThreadIdle, features, wqFD uint32
	resv                                                                   [3]uint32
	sqOff                                                                  sqOffsets
	cqOff                                                                  cqOffsets
}

type geteventsArg struct {
	sigmask     uint64
	sigmaskSize uint32
	minWaitUsec uint32
	ts          uint64
}

type rsrcUpdate struct {
	offset, resv uint32
	data         uint64
}

// BufReg is the argument of RegisterPbufRing.
type BufReg struct {
	RingAddr    uint64
	RingEntries uint32
	Group       uint16
	Flags       uint16
	resv        [3]uint64
}

// bufEntry is an entry of the ring of provided buffers. The tail of the ring lies in resv of entry 0.
type bufEntry struct {
	addr uint64
	len  uint32
	bid  uint16
	resv uint16
}

type probeOp struct {
	op, resv uint8
	flags    uint16
	resv2    uint32
}

type probe struct {
	lastOp, opsLen uint8
	resv           uint16
	resv2          [3]uint32
	ops            [256]probeOp
}

const probeOpSupported = 1 << 0
