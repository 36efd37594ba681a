package looptest

// Faults are the chances, in per mille, of what can go wrong at each opportunity. The zero value is a kernel without
// faults.
type Faults struct {
	ShortRecv     int // a receive brings fewer bytes than there are
	ShortSend     int // a send completes with fewer bytes than it was given
	NoBuffers     int // a multishot receive finds no provided buffer (ENOBUFS)
	EndMultishot  int // a multishot operation ends after a completion, for no reason
	Late          int // a completion is held back for some turns
	Ghost         int // after the close of a socket, one more completion with its cookie appears
	CancelRace    int // a cancellation does not find its operation (ENOENT, EALREADY), or the operation ends with data first
	Spurious      int // an operation (not a connect) ends with ECANCELED at once, although nobody cancelled it
	ResetRecv     int // a connection is reset, seen by a receive (ECONNRESET)
	ResetSend     int // a connection is reset, seen by a send (EPIPE or ECONNRESET)
	RefuseConnect int // a connect is refused
	AbortAccept   int // a connection dies before it is accepted (ECONNABORTED)
	TooManyFiles  int // an accept fails with EMFILE
	Interrupt     int // an enter is interrupted (EINTR), or wants to be tried again (EAGAIN, EBUSY)
}

// AllFaults is every fault that a correct program survives without losing a connection, at the given chance.
func AllFaults(chance int) Faults {
	return Faults{
		ShortRecv: chance, ShortSend: chance, NoBuffers: chance, EndMultishot: chance, Late: chance, Ghost: chance,
		CancelRace: chance, Spurious: chance, Interrupt: chance,
	}
}

// WithResets adds faults that end connections or refuse them.
func (f Faults) WithResets(chance int) Faults {
	f.ResetRecv, f.ResetSend, f.RefuseConnect, f.AbortAccept = chance, chance, chance, chance
	return f
}
