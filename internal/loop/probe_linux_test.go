package loop

import (
	"errors"
	"net"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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

// A client that connects during a probe must be refused: in the queue of a listener that goes away its connection would be reset, or its SYN
// swallowed for a second.
func TestClientsAreRefusedDuringAProbe(t *testing.T) {
	l, a := probeAddr(t)
	l.Close()
	const clients = 8
	stop, odd := make(chan struct{}), make(chan string, clients)
	for range clients {
		go func() {
			for {
				select {
				case <-stop:
					odd <- ""
					return
				default:
				}
				c, err := (&net.Dialer{Timeout: 5 * time.Second}).Dial("tcp", a.TCP.String())
				if err == nil {
					c.Close()
					odd <- "connected"
					return
				}
				if !errors.Is(err, unix.ECONNREFUSED) {
					odd <- err.Error()
					return
				}
			}
		}()
	}
	for range 3000 {
		if err := Probe(a); err != nil {
			t.Error(err)
			break
		}
	}
	close(stop)
	for range clients {
		if what := <-odd; what != "" {
			t.Errorf("a client: %s, want refused", what)
		}
	}
}
