package server

import (
	"fmt"
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// bound is one address that the server listens on.
type bound struct {
	address loop.Addr // as configured
	real    loop.Addr // with the port that the kernel chose for 0
}

// bind makes the listening sockets of those listeners of snap whose address is not among have: for each worker, for each listener, the
// worker's sockets. Addresses that another process hands over come with its sockets.
func bind(snap *snapshot.Snapshot, have []bound, from *Handover) (sockets [][][]int, all []bound, err error) {
	workers := snap.Workers.Count
	sockets = make([][][]int, workers)
	for w := range sockets {
		sockets[w] = make([][]int, len(snap.Listeners))
	}
	defer func() {
		if err != nil {
			closeAll(sockets...)
		}
	}()
	kept := append([]bound(nil), have...)
	for i := range snap.Listeners {
		l := &snap.Listeners[i]
		if at := find(kept, l.Address); at >= 0 {
			all = append(all, kept[at])
			kept = append(kept[:at:at], kept[at+1:]...)
			continue
		}
		given := from.take(l.Address)
		b, fds, err := bindOne(l, workers, have, given)
		if err != nil {
			return sockets, nil, fmt.Errorf("listener %s: %w", l.Name, err)
		}
		for n, fd := range fds {
			w := n % workers
			sockets[w][i] = append(sockets[w][i], fd)
			if snap.Workers.SteerByCPU {
				loop.Steer(fd, snap.Workers.CPUs[w])
			} else if given != nil {
				loop.Steer(fd, -1) // the one before may have wanted it
			}
		}
		all = append(all, b)
	}
	return sockets, all, nil
}

func find(list []bound, a loop.Addr) int {
	for i, b := range list {
		if b.address == a {
			return i
		}
	}
	return -1
}

// bindOne makes at least one socket per worker. They share the port (SO_REUSEPORT), which would also let a second gateway share it
// without a word; a trial bind without that option finds out.
func bindOne(l *snapshot.Listener, workers int, have []bound, g *given) (b bound, fds []int, err error) {
	b = bound{address: l.Address, real: l.Address}
	defer func() {
		if err != nil {
			closeAll([][]int{fds})
			fds = nil
		}
	}()
	if g != nil {
		fds, b.real = g.fds, g.real
		for _, fd := range fds {
			_ = loop.SetBacklog(fd, l.Backlog) // a queue of the old length serves, too
		}
	} else if b.real.Unix == "" && b.real.TCP.Port() != 0 && !samePort(have, b.real) {
		if err := loop.Probe(b.real); err != nil {
			return b, fds, err
		}
	}
	for len(fds) < workers {
		var fd int
		if b.real.Unix != "" && len(fds) > 0 {
			fd, err = dup(fds[0]) // a Unix socket has one queue, which the workers share
		} else {
			fd, err = loop.Listen(b.real, loop.ListenOptions{Backlog: l.Backlog, ReusePort: b.real.Unix == ""})
		}
		if err != nil {
			return b, fds, err
		}
		fds = append(fds, fd)
		if b.real.Unix == "" && b.real.TCP.Port() == 0 { // the kernel chose a port: the others take the same
			local, err := loop.LocalAddr(fd)
			if err != nil {
				return b, fds, err
			}
			b.real.TCP = netip.AddrPortFrom(b.real.TCP.Addr(), local.Port())
		}
	}
	return b, fds, nil
}

// samePort tells whether a trial bind would meet a socket of our own: 0.0.0.0:80 beside 127.0.0.1:80.
func samePort(have []bound, a loop.Addr) bool {
	for _, b := range have {
		if b.real.Unix == "" && b.real.TCP.Port() == a.TCP.Port() {
			return true
		}
	}
	return false
}

// closeAll closes the sockets of workers that will not run.
func closeAll(workers ...[][]int) {
	for _, w := range workers {
		for _, l := range w {
			for _, fd := range l {
				closeFD(fd)
			}
		}
	}
}
