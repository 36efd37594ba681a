package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Preparation of operations. Each writes every field of the SQE, so a used entry needs no clearing. Memory whose
// address goes into an SQE must stay alive, and where it is, until the completion; the caller sees to that.

func addrOf(p []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(p)))) }

// Nop does nothing and completes.
func (e *SQE) Nop(c Cookie) { *e = SQE{Opcode: OpcodeNop, Fd: -1, UserData: uint64(c)} }

// Accept takes one connection. flags are those of accept4.
func (e *SQE) Accept(c Cookie, fd int, flags uint32) {
	*e = SQE{Opcode: OpcodeAccept, Fd: int32(fd), OpFlags: flags, UserData: uint64(c)}
}

// AcceptMulti takes connections until it fails or is cancelled (Linux 5.19).
func (e *SQE) AcceptMulti(c Cookie, fd int, flags uint32) {
	*e = SQE{Opcode: OpcodeAccept, Ioprio: AcceptMultishot, Fd: int32(fd), OpFlags: flags, UserData: uint64(c)}
}

// RecvMulti receives into provided buffers of the group until it fails, ends, runs out of buffers or is cancelled
// (Linux 6.0).
func (e *SQE) RecvMulti(c Cookie, fd int, group uint16) {
	*e = SQE{Opcode: OpcodeRecv, Flags: SQEBufferSelect, Ioprio: RecvMultishot, Fd: int32(fd), BufIndex: group, UserData: uint64(c)}
}

// Recv receives once into p.
func (e *SQE) Recv(c Cookie, fd int, p []byte, flags uint32) {
	*e = SQE{Opcode: OpcodeRecv, Fd: int32(fd), Addr: addrOf(p), Len: uint32(len(p)), OpFlags: flags, UserData: uint64(c)}
}

// maxSend bounds one send: the length is 32 bits, and the kernel moves no more than 2 GiB at once.
const maxSend = 1 << 30

// Send sends p, or the first GiB of it, and completes when all of that is taken (MSG_WAITALL) or the socket failed. It
// raises no SIGPIPE.
func (e *SQE) Send(c Cookie, fd int, p []byte) {
	*e = SQE{
		Opcode: OpcodeSend, Fd: int32(fd), Addr: addrOf(p), Len: uint32(min(len(p), maxSend)),
		OpFlags: unix.MSG_WAITALL | unix.MSG_NOSIGNAL, UserData: uint64(c),
	}
}

// Connect connects to the socket address of the given size at sa, which is copied when the SQE is submitted.
func (e *SQE) Connect(c Cookie, fd int, sa unsafe.Pointer, size uint32) {
	*e = SQE{Opcode: OpcodeConnect, Fd: int32(fd), Addr: uint64(uintptr(sa)), Off: uint64(size), UserData: uint64(c)}
}

// Close closes a descriptor.
func (e *SQE) Close(c Cookie, fd int) {
	*e = SQE{Opcode: OpcodeClose, Fd: int32(fd), UserData: uint64(c)}
}

// Cancel cancels the operation that was submitted with the cookie target. It completes only when it fails.
func (e *SQE) Cancel(c, target Cookie) {
	*e = SQE{Opcode: OpcodeAsyncCancel, Flags: SQECQESkipSuccess, Fd: -1, Addr: uint64(target), UserData: uint64(c)}
}

// Shutdown ends one or both directions of a socket. The kernel always hands it to a worker thread, so shutdown(2)
// is cheaper.
func (e *SQE) Shutdown(c Cookie, fd, how int) {
	*e = SQE{Opcode: OpcodeShutdown, Fd: int32(fd), Len: uint32(how), UserData: uint64(c)}
}

// Socket makes a socket (Linux 5.19).
func (e *SQE) Socket(c Cookie, domain, typ, protocol int) {
	*e = SQE{Opcode: OpcodeSocket, Fd: int32(domain), Off: uint64(typ), Len: uint32(protocol), UserData: uint64(c)}
}

// Read reads into p at the current position.
func (e *SQE) Read(c Cookie, fd int, p []byte) {
	*e = SQE{Opcode: OpcodeRead, Fd: int32(fd), Off: ^uint64(0), Addr: addrOf(p), Len: uint32(len(p)), UserData: uint64(c)}
}

// PollMulti completes each time the descriptor becomes ready for events, until cancelled (Linux 5.13).
func (e *SQE) PollMulti(c Cookie, fd int, events uint32) {
	*e = SQE{Opcode: OpcodePollAdd, Fd: int32(fd), Len: PollMultishot, OpFlags: events, UserData: uint64(c)}
}

// Poll completes once the descriptor is ready for events.
func (e *SQE) Poll(c Cookie, fd int, events uint32) {
	*e = SQE{Opcode: OpcodePollAdd, Fd: int32(fd), OpFlags: events, UserData: uint64(c)}
}

// Timeout completes with ETIME after ts, or with 0 after count other completions (0: no count). ts is copied when
// the SQE is submitted.
func (e *SQE) Timeout(c Cookie, ts *unix.Timespec, count uint32) {
	*e = SQE{Opcode: OpcodeTimeout, Fd: -1, Addr: uint64(uintptr(unsafe.Pointer(ts))), Len: 1, Off: uint64(count), UserData: uint64(c)}
}

// MsgRing posts a completion with the given result and cookie to the ring with descriptor fd.
func (e *SQE) MsgRing(c Cookie, fd int, res uint32, target Cookie) {
	*e = SQE{Opcode: OpcodeMsgRing, Fd: int32(fd), Len: res, Off: uint64(target), UserData: uint64(c)}
}
