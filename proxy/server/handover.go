package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// A gateway hands its listening sockets to the process that replaces it: the sockets themselves, through a Unix socket (SCM_RIGHTS). Closing
// a listening socket resets the connections that wait in its queue; passing it on loses none, because from then on two processes hold it.
//
// The messages are JSON, one each, on a pair of SEQPACKET sockets, which keeps their bounds:
//
//	old → new   {"address","real"} with up to maxPassed descriptors: sockets of one address; {"admin":true} with that of the admin listener
//	old → new   {"end":true,"pid","generation","version"}
//	new → old   {"state":"ready","pid","generation","version"}: it accepts; the old process stops accepting
//	old → new   {"state":"draining","connections"}: from time to time, until it is gone and the socket closed

// handoverEnv tells a new process which descriptor is its end of the pair.
const handoverEnv = "BLITZ_HANDOVER"

const (
	// maxPassed descriptors go with one message; the kernel's limit is 253 (SCM_MAX_FD).
	maxPassed = 200
	// handoverTimeout bounds each message.
	handoverTimeout = 10 * time.Second
)

// message is everything that is said.
type message struct {
	Address     string `json:"address,omitempty"`
	Real        string `json:"real,omitempty"`
	Admin       bool   `json:"admin,omitempty"`
	End         bool   `json:"end,omitempty"`
	State       string `json:"state,omitempty"`
	PID         int    `json:"pid,omitempty"`
	Generation  uint64 `json:"generation,omitempty"`
	Version     string `json:"version,omitempty"`
	Connections int64  `json:"connections,omitempty"`
}

// Handover is what a process gets from the one it replaces.
type Handover struct {
	// PID, Version and Generation of the configuration there. Ours goes on counting.
	PID        int
	Version    string
	Generation uint64

	conn    *net.UnixConn
	sockets []inherited
	admin   net.Listener
}

// inherited are the sockets of one address.
type inherited struct {
	address, real string
	fds           []int
}

// take returns the sockets of an address, nil when there are none, and leaves them to the caller.
func (h *Handover) take(a loop.Addr) *given {
	if h == nil {
		return nil
	}
	for i := range h.sockets {
		in := &h.sockets[i]
		if in.address != a.String() || len(in.fds) == 0 {
			continue
		}
		g := &given{fds: in.fds, real: a}
		if a.Unix == "" {
			real, err := netip.ParseAddrPort(in.real)
			if err != nil {
				continue
			}
			g.real.TCP = real
		}
		in.fds = nil
		return g
	}
	return nil
}

// given are sockets on their way to new workers.
type given struct {
	real loop.Addr
	fds  []int
}

// Inherit receives what the process that started this one hands over. nil without an error when this is an ordinary start.
func Inherit() (*Handover, error) {
	text := os.Getenv(handoverEnv)
	if text == "" {
		return nil, nil
	}
	if err := os.Unsetenv(handoverEnv); err != nil { // it is not for our children
		return nil, err
	}
	fd, err := strconv.Atoi(text)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: expected a descriptor", handoverEnv, text)
	}
	conn, err := packetConn(fd)
	if err != nil {
		return nil, fmt.Errorf("%s=%q: %w", handoverEnv, text, err)
	}
	h := &Handover{conn: conn}
	for {
		m, fds, err := receive(conn)
		switch {
		case err != nil:
			h.Close()
			return nil, fmt.Errorf("receiving the sockets of the running gateway: %w", err)
		case m.End:
			h.PID, h.Generation, h.Version = m.PID, m.Generation, m.Version
			return h, nil
		case m.Admin && len(fds) == 1:
			f := os.NewFile(uintptr(fds[0]), "admin")
			h.admin, err = net.FileListener(f)
			_ = f.Close()
			if err != nil {
				h.Close()
				return nil, fmt.Errorf("admin listener of the running gateway: %w", err)
			}
		default:
			h.add(m, fds)
		}
	}
}

func (h *Handover) add(m *message, fds []int) {
	for i := range h.sockets {
		if h.sockets[i].address == m.Address && h.sockets[i].real == m.Real {
			h.sockets[i].fds = append(h.sockets[i].fds, fds...)
			return
		}
	}
	h.sockets = append(h.sockets, inherited{address: m.Address, real: m.Real, fds: fds})
}

// Close lets go of what was not taken: those sockets stay with the old process alone.
func (h *Handover) Close() {
	for i := range h.sockets {
		closeAll([][]int{h.sockets[i].fds})
	}
	h.sockets = nil
	if h.admin != nil {
		if u, ok := h.admin.(*net.UnixListener); ok {
			u.SetUnlinkOnClose(false)
		}
		_ = h.admin.Close()
		h.admin = nil
	}
	_ = h.conn.Close()
}

// packetConn takes over a descriptor of a Unix socket.
func packetConn(fd int) (*net.UnixConn, error) {
	syscall.CloseOnExec(fd)
	f := os.NewFile(uintptr(fd), "handover")
	if f == nil {
		return nil, errors.New("not a descriptor")
	}
	c, err := net.FileConn(f)
	_ = f.Close()
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		_ = c.Close()
		return nil, errors.New("not a Unix socket")
	}
	return u, nil
}

func send(c *net.UnixConn, m *message, fds ...int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(handoverTimeout)); err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = syscall.UnixRights(fds...)
	}
	_, _, err = c.WriteMsgUnix(b, rights, nil)
	return err
}

// receive waits for one message. The descriptors belong to the caller.
func receive(c *net.UnixConn) (*message, []int, error) {
	if err := c.SetReadDeadline(time.Now().Add(handoverTimeout)); err != nil {
		return nil, nil, err
	}
	return next(c)
}

// next is receive without a time limit of its own.
func next(c *net.UnixConn) (*message, []int, error) {
	b := make([]byte, 64<<10)
	rights := make([]byte, syscall.CmsgSpace(4*(maxPassed+53)))
	n, k, flags, _, err := c.ReadMsgUnix(b, rights)
	if err != nil {
		return nil, nil, err
	}
	if n == 0 {
		return nil, nil, errors.New("the other process has gone")
	}
	var fds []int
	controls, err := syscall.ParseSocketControlMessage(rights[:k])
	if err != nil {
		return nil, nil, err
	}
	for i := range controls {
		got, err := syscall.ParseUnixRights(&controls[i])
		if err != nil {
			continue
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		syscall.CloseOnExec(fd)
	}
	m := new(message)
	if flags&(syscall.MSG_TRUNC|syscall.MSG_CTRUNC) != 0 {
		err = errors.New("a message does not fit")
	} else {
		err = json.Unmarshal(b[:n], m)
	}
	if err != nil {
		closeAll([][]int{fds})
		return nil, nil, err
	}
	return m, fds, nil
}
