package loop_test

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/loop"
)

// A connection goes to the socket of the CPU that its packets arrive at, which on loopback is the client's; without steering it goes by hash.
func TestSteerByCPU(t *testing.T) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		t.Fatal(err)
	}
	var cpus []int
	for cpu := range 1024 {
		if allowed.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	if len(cpus) < 2 {
		t.Skip("one CPU: there is nothing to steer")
	}
	first, err := loop.Listen(anyPort, loop.ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(first)
	addr := localAddr(t, first)
	second, err := loop.Listen(addr, loop.ListenOptions{ReusePort: true})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(second)

	// dial connects n times from one CPU and returns how many of the connections each socket got.
	dial := func(cpu, n int) (a, b int) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // not unlocked: the thread is pinned and ends with the goroutine
			var one unix.CPUSet
			one.Set(cpu)
			if err := unix.SchedSetaffinity(0, &one); err != nil {
				t.Error(err)
				return
			}
			for range n {
				fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
				if err != nil {
					t.Error(err)
					return
				}
				if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(addr.TCP.Port()), Addr: addr.TCP.Addr().As4()}); err != nil {
					t.Error(err)
				}
				unix.Close(fd)
			}
		}()
		<-done
		return accepted(first), accepted(second)
	}

	const n = 200
	loop.Steer(first, cpus[0])
	loop.Steer(second, cpus[1])
	if a, b := dial(cpus[0], n); a != n || b != 0 {
		t.Errorf("from the first CPU: %d and %d connections, want all %d at the first socket", a, b, n)
	}
	if a, b := dial(cpus[1], n); a != 0 || b != n {
		t.Errorf("from the second CPU: %d and %d connections, want all %d at the second socket", a, b, n)
	}
	loop.Steer(first, -1)
	loop.Steer(second, -1)
	if a, b := dial(cpus[0], n); a == 0 || b == 0 || a+b != n {
		t.Errorf("without steering: %d and %d connections, want both to have some of the %d", a, b, n)
	}
}

// accepted takes what waits in the queue of a non-blocking listening socket.
func accepted(fd int) (n int) {
	for {
		c, _, err := unix.Accept(fd)
		if err != nil {
			return n
		}
		unix.Close(c)
		n++
	}
}
