package loop

import (
	"net"
	"net/netip"
	"testing"
)

func probeAddr(t *testing.T) (*net.TCPListener, Addr) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l.(*net.TCPListener), Addr{TCP: netip.MustParseAddrPort(l.Addr().String())}
}

func TestProbeFindsAnotherListener(t *testing.T) {
	l, a := probeAddr(t)
	if err := Probe(a); err == nil {
		t.Error("free, while somebody listens")
	}
	l.Close()
	if err := Probe(a); err != nil {
		t.Error(err)
	}

	// A listener that shares its port is somebody else as well.
	fd, err := Listen(a, ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer CloseListenerFD(fd)
	if err := Probe(a); err == nil {
		t.Error("free, while somebody listens who shares")
	}
}

// A client that connects during a probe must be refused: in the queue of a listener that goes away it would be reset.
func TestNoClientConnectsToAProbe(t *testing.T) {
	l, a := probeAddr(t)
	l.Close()
	stop, connected := make(chan struct{}), make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				connected <- n
				return
			default:
			}
			if c, err := net.Dial("tcp", a.TCP.String()); err == nil {
				n++
				c.Close()
			}
		}
	}()
	for range 3000 {
		if err := Probe(a); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	if n := <-connected; n > 0 {
		t.Errorf("%d clients connected to probes", n)
	}
}
