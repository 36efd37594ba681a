//go:build linux

package loop

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/internal/uring"
)

func TestEngineFallsBackToEpoll(t *testing.T) {
	defer func(f func() error) { uringAvailable = f }(uringAvailable)
	for _, errno := range []unix.Errno{unix.ENOSYS, unix.EPERM} {
		uringAvailable = func() error {
			return &uring.FeatureError{Feature: "io_uring", Since: "5.1", Hint: "a seccomp profile forbids it", Err: errno}
		}
		for _, engine := range []string{"", "auto"} {
			l, err := New(Options{Engine: engine})
			if err != nil {
				t.Fatal(err)
			}
			info := l.Info()
			if info.Engine != "epoll" || !strings.Contains(info.Reason, "seccomp") {
				t.Errorf("%v: engine %q: %+v", errno, engine, info)
			}
			end(t, l)
		}
		_, err := New(Options{Engine: "uring"})
		if !errors.Is(err, ErrUnsupported) || !errors.Is(err, errno) || !strings.Contains(err.Error(), "seccomp") {
			t.Errorf("uring where it is forbidden: %v", err)
		}
	}
}

func TestEngineAutoPrefersURing(t *testing.T) {
	if err := uring.Available(); err != nil {
		t.Skipf("this machine has no usable io_uring: %v", err)
	}
	l, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	if info := l.Info(); info.Engine != "uring" || info.Reason == "" {
		t.Errorf("%+v", info)
	}
	end(t, l)
}

func TestUnknownEngine(t *testing.T) {
	if _, err := New(Options{Engine: "steam"}); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), `"steam"`) {
		t.Errorf("engine steam: %v", err)
	}
}

// end ends a loop that never ran.
func end(t *testing.T, l Loop) {
	t.Helper()
	l.Stop()
	if err := l.Run(); err != nil {
		t.Error(err)
	}
}

func TestSleepWithoutPwait2(t *testing.T) {
	ep, err := unix.EpollCreate1(0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ep)
	events := make([]unix.EpollEvent, 1)
	for _, c := range []epollCalls{{noPwait2: true}, {}} {
		if n, errno := c.sleep(ep, events, 1000); n != 0 || errno != 0 {
			t.Errorf("%+v: %d, %v", c, n, errno)
		}
	}
}

func TestSlotIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(slot{}); n > 200 {
		t.Errorf("an idle socket costs %d bytes", n)
	}
}

func TestGenerationsSkipZero(t *testing.T) {
	var tab table
	tab.init()
	s, id := tab.take()
	if id == 0 {
		t.Fatalf("the zero ID was given")
	}
	tab.release(s, id)
	s.gen = genMask
	again, id2 := tab.take()
	if again != s || id2 == 0 || uint64(id2)>>uring.CookieNameBits != 0 || s.gen != 1 {
		t.Errorf("after the last generation comes %d, ID %x", s.gen, uint64(id2))
	}
	if tab.get(id2) != s || tab.get(id2+1) != nil || tab.get(id2|1<<60) != nil || tab.get(0) != nil {
		t.Errorf("get finds what it must not, or not what it must")
	}
}

func TestTableKeepsPointersWhileItGrows(t *testing.T) {
	var tab table
	tab.init()
	first, id := tab.take()
	for range 3 * chunkSize {
		tab.take()
	}
	if tab.get(id) != first || tab.open != 3*chunkSize+1 {
		t.Errorf("the slot moved, or %d are open", tab.open)
	}
	n := 0
	tab.each(func(*slot, ID) { n++ })
	if int64(n) != tab.open {
		t.Errorf("each visits %d of %d slots", n, tab.open)
	}
}
