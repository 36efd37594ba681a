package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ControlName is the abstract Unix socket on which the gateway with that process ID takes orders: `blitz upgrade` speaks to it. Nothing of it is in
// the file system, and only processes of the same user, and root's, are heard (SO_PEERCRED).
func ControlName(pid int) string { return controlPrefix + strconv.Itoa(pid) }

const controlPrefix = "@blitz-"

// Order is what `blitz upgrade` asks for, and Progress what it hears, one JSON object a line each.
type (
	// Order to start Binary in place of the running process.
	Order struct {
		Binary string `json:"binary"`
		// Timeout until the new process must accept, in ns.
		Timeout time.Duration `json:"timeout_ns"`
	}
	// Progress of an order. Error ends it; otherwise first both processes are named, and the end of the connection is the end of the old one.
	Progress struct {
		Old   Process `json:"old"`
		New   Process `json:"new"`
		Error string  `json:"error,omitempty"`
	}
)

// Control takes orders for a Server.
type Control struct {
	s        *Server
	listener net.Listener
	// Replaced gets the successor once, when there is one. The owner then calls Leave and ends the process.
	Replaced chan *Successor
}

// maxUpgradeTime bounds how long a new process may take to its first connection.
const maxUpgradeTime = 10 * time.Minute

// NewControl takes orders until Close.
func NewControl(s *Server) (*Control, error) {
	l, err := net.Listen("unix", ControlName(os.Getpid()))
	if err != nil {
		return nil, err
	}
	c := &Control{s: s, listener: l, Replaced: make(chan *Successor, 1)}
	go c.accept()
	return c, nil
}

// Close takes no more orders.
func (c *Control) Close() { _ = c.listener.Close() }

func (c *Control) accept() {
	for {
		conn, err := c.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go c.serve(conn)
	}
}

func (c *Control) serve(conn net.Conn) {
	u, ok := conn.(*net.UnixConn)
	if !ok || !ours(u) {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Now().Add(maxUpgradeTime + time.Minute))
	var o Order
	if err := json.NewDecoder(conn).Decode(&o); err != nil {
		_ = conn.Close()
		return
	}
	n, err := c.Upgrade(o.Binary, o.Timeout)
	p := Progress{Old: c.s.process()}
	if err != nil {
		p.Error = err.Error()
	} else {
		p.New = n.Process
	}
	if json.NewEncoder(conn).Encode(&p) != nil || err != nil {
		_ = conn.Close()
	}
	// Otherwise it stays open: the end of this process closes it, and tells that the old generation is gone.
}

// Upgrade replaces this process by binary, "" for the file that this process was started from. A timeout of 0 is 30 s.
func (c *Control) Upgrade(binary string, timeout time.Duration) (*Successor, error) {
	if binary == "" {
		var err error
		if binary, err = os.Executable(); err != nil {
			return nil, err
		}
		binary = strings.TrimSuffix(binary, " (deleted)") // the file has been replaced by the new one
	}
	if timeout <= 0 {
		timeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(timeout, maxUpgradeTime))
	defer cancel()
	slog.Info("upgrade: starting the new process", "binary", binary)
	n, err := c.s.Upgrade(ctx, binary)
	if err != nil {
		slog.Error("upgrade failed, this process goes on", "error", err)
		return nil, err
	}
	slog.Info("upgrade: the new process accepts", "pid", n.PID, "generation", n.Generation, "version", n.Version)
	c.Replaced <- n
	return n, nil
}

// ours tells whether the peer may give orders: the same user, or root.
func ours(c *net.UnixConn) bool {
	raw, err := c.SyscallConn()
	if err != nil {
		return false
	}
	var cred *syscall.Ucred
	var bad error
	err = raw.Control(func(fd uintptr) {
		cred, bad = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	return err == nil && bad == nil && (cred.Uid == 0 || int(cred.Uid) == os.Geteuid())
}

// Running lists the process IDs of the gateways that take orders on this machine, in this network namespace.
func Running() ([]int, error) {
	b, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return nil, err
	}
	seen := map[int]bool{}
	var pids []int
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 {
			continue
		}
		digits, ok := strings.CutPrefix(f[7], controlPrefix)
		pid, err := strconv.Atoi(digits)
		if ok && err == nil && !seen[pid] {
			seen[pid] = true
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// GiveOrder has the gateway pid replaced. It returns when the new process accepts; wait then lasts until the old one is gone, or ctx ends.
func GiveOrder(ctx context.Context, pid int, o Order) (p Progress, wait func() error, err error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", ControlName(pid))
	if err != nil {
		return p, nil, fmt.Errorf("process %d takes no orders: %w", pid, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	end := func() { stop(); _ = conn.Close() }
	if err := json.NewEncoder(conn).Encode(&o); err != nil {
		end()
		return p, nil, err
	}
	dec := json.NewDecoder(conn)
	if err := dec.Decode(&p); err != nil {
		end()
		return p, nil, fmt.Errorf("process %d did not answer: %w", pid, err)
	}
	if p.Error != "" {
		end()
		return p, nil, errors.New(p.Error)
	}
	return p, func() error {
		defer end()
		var b [1]byte
		if _, err := conn.Read(b[:]); ctx.Err() != nil {
			return fmt.Errorf("process %d is still there: %w", pid, errors.Join(ctx.Err(), err))
		}
		return nil
	}, nil
}
