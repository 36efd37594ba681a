package tlsrec

import (
	"encoding/binary"
	"errors"
	"net"
	"time"
)

// pipe is the net.Conn that crypto/tls sees. It hands out the caller's receive buffer without copying it first, and at
// most one record per Read, so that crypto/tls never takes a byte that belongs to what follows the handshake.
//
// A Read that finds no whole record either suspends the coroutine it runs in (during the handshake) or answers errAgain,
// a temporary error after which crypto/tls can be asked again (after the handshake).
type pipe struct {
	in    []byte // what the caller received and crypto/tls has not read
	left  int    // bytes of the record that Read is in the middle of
	taken int    // bytes read since the connection began
	limit int    // how many bytes a handshake may take
	out   []byte // what crypto/tls wrote
	peer  address
	// alert is the last alert that came in a record of the size of one in the clear.
	alert Alert
	// wait suspends the handshake until there is more input; false means that it is cancelled. nil after the handshake.
	wait func() bool
	// wrote sees what was just written, in whole records.
	wrote func(records []byte)
}

var (
	errCanceled = errors.New("the handshake was cancelled")
	errTooLong  = errors.New("the handshake is longer than allowed")
)

// errAgain is a timeout: crypto/tls keeps its state and can be asked again.
var errAgain net.Error = again{}

type again struct{}

func (again) Error() string   { return "no whole record has been received" }
func (again) Timeout() bool   { return true }
func (again) Temporary() bool { return true }

// address names the peer: crypto/tls uses it as the key of a client's session cache when there is no server name.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// Read implements net.Conn.
func (p *pipe) Read(b []byte) (int, error) {
	for {
		if p.left == 0 {
			if p.left, _ = wholeRecord(p.in); p.left == HeaderLen+2 && len(p.in) >= p.left && p.in[0] == typeAlert {
				p.alert = Alert(p.in[HeaderLen+1])
			}
		}
		if n := min(len(b), p.left, len(p.in)); n > 0 {
			p.taken += n
			if p.limit > 0 && p.taken > p.limit {
				return 0, errTooLong
			}
			copy(b, p.in[:n])
			p.in, p.left = p.in[n:], p.left-n
			return n, nil
		}
		switch {
		case p.wait == nil:
			return 0, errAgain
		case !p.wait():
			return 0, errCanceled
		}
	}
}

// wholeRecord returns the size of the record at the front of in, 0 if it is not there as a whole; need is then how many
// bytes it takes. A record of a size that no peer may send is not waited for: crypto/tls refuses it by its header.
func wholeRecord(in []byte) (size, need int) {
	if len(in) < HeaderLen {
		return 0, HeaderLen
	}
	size = HeaderLen + int(binary.BigEndian.Uint16(in[3:]))
	if len(in) < size && size <= MaxRecord && in[0] >= typeChangeCipherSpec && in[0] <= typeApplicationData && in[1] == 3 {
		return 0, size
	}
	return size, size
}

// Write implements net.Conn; crypto/tls writes whole records.
func (p *pipe) Write(b []byte) (int, error) {
	if p.wrote != nil {
		p.wrote(b)
	}
	p.out = append(p.out, b...)
	return len(b), nil
}

// Close implements net.Conn. There is nothing to close: the caller owns the socket.
func (p *pipe) Close() error { return nil }

// LocalAddr implements net.Conn.
func (p *pipe) LocalAddr() net.Addr { return address("") }

// RemoteAddr implements net.Conn.
func (p *pipe) RemoteAddr() net.Addr { return p.peer }

// SetDeadline implements net.Conn: time limits are the caller's.
func (p *pipe) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (p *pipe) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }
