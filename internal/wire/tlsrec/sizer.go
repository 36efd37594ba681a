package tlsrec

// Sizer decides how much content the next record carries. A browser can use nothing of a record before its last byte
// arrived: while TCP's window is small, records that fit into one segment show content a round trip earlier; once the
// window has grown, large records cost less CPU and fewer bytes.
//
// It is a state machine without a clock: Sent moves it on, Idle starts it again. The zero value always says MaxPlaintext.
type Sizer struct {
	// Small is the content of a record at the start, in bytes; 0 means MaxPlaintext.
	Small int
	// After is how many bytes of content go out in small records before full ones follow.
	After int

	sent int
}

// DefaultSizer begins with records that fill one segment on a path with an MTU of 1500 bytes (1500 less 40 for IPv6, 20
// to 32 for TCP and Overhead), and ends with it after about three initial windows of ten segments (RFC 6928).
var DefaultSizer = Sizer{Small: 1400, After: 40 << 10}

// Next is how much content the next record carries at most.
func (s *Sizer) Next() int {
	if s.Small <= 0 || s.Small > MaxPlaintext || s.sent >= s.After {
		return MaxPlaintext
	}
	return s.Small
}

// Sent counts n bytes of content.
func (s *Sizer) Sent(n int) {
	if s.sent < s.After {
		s.sent += n
	}
}

// Idle says that the connection was silent for so long (about a second) that TCP begins with a small window again
// (RFC 5681, 4.1).
func (s *Sizer) Idle() { s.sent = 0 }
