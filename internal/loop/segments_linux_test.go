package loop_test

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// Segments are what a short connection costs most.

// exchangeOnce serves one connection that answers with body and closes, and returns what the client read and how many segments it received.
func exchangeOnce(t *testing.T, engine string, body []byte, final bool) (got []byte, in uint32) {
	t.Helper()
	l := newLoop(t, loop.Options{Engine: engine})
	fd, err := loop.Listen(anyPort, loop.ListenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	addr := localAddr(t, fd)
	l.Listen(fd, acceptFunc(func(fd int) {
		c := &conn{t: t, l: l}
		c.id = l.Attach(fd, c)
		c.onRecv = func([]byte) {
			c.inSend = true
			if f, ok := l.(loop.FinalSender); final && ok {
				f.SendFinal(c.id, body)
				return
			}
			l.Send(c.id, body)
		}
		c.onSend = func() {
			if c.sendErr != nil || c.sent != len(body) {
				t.Errorf("sent %d of %d bytes: %v", c.sent, len(body), c.sendErr)
			}
			c.close()
		}
		l.StartRecv(c.id)
	}))
	done := make(chan error, 1)
	go func() { done <- l.Run() }()
	client, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_ = client.SetDeadline(time.Now().Add(patience))
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if got, err = io.ReadAll(client); err != nil {
		t.Fatal(err)
	}
	raw, err := client.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			t.Error(err)
			return
		}
		in = info.Segs_in
	})
	l.Stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return got, in
}

// The end of the stream travels with its last bytes, and the request is acknowledged by the response.
func TestFinalSendSavesASegment(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, size := range []int{1, 1000, 300_000, 3 << 20} {
			body := make([]byte, size)
			for i := range body {
				body[i] = byte(i % 251)
			}
			plain, plainIn := exchangeOnce(t, engine, body, false)
			final, finalIn := exchangeOnce(t, engine, body, true)
			// On a machine so busy that the response takes the kernel's 40 ms, the request is acknowledged by itself: the best of a few counts.
			for try := 0; try < 10 && (plainIn > 3 || finalIn > 2) && size <= 1000; try++ {
				_, a := exchangeOnce(t, engine, body, false)
				_, b := exchangeOnce(t, engine, body, true)
				plainIn, finalIn = min(plainIn, a), min(finalIn, b)
			}
			if string(plain) != string(body) || string(final) != string(body) {
				t.Fatalf("%d bytes: the client read %d with Send and %d with SendFinal, or other bytes", size, len(plain), len(final))
			}
			if size > 1000 {
				continue // how many segments a large body takes depends on the window
			}
			// SYN+ACK, response, FIN; with SendFinal the last two are one.
			if plainIn != 3 || finalIn != 2 {
				t.Errorf("%d bytes: the client received %d segments with Send (want 3: no bare acknowledgement of the request) and %d with SendFinal (want 2)", size, plainIn, finalIn)
			}
		}
	})
}
