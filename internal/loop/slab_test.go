package loop

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

func TestSlab(t *testing.T) {
	s := NewSlab(4096, 4*4096)
	defer s.Close()
	var got [][]byte
	for b := s.Get(); b != nil; b = s.Get() {
		if len(b) != 4096 || cap(b) != 4096 {
			t.Fatalf("a buffer of %d (%d) bytes", len(b), cap(b))
		}
		for i := range b {
			if b[i] != 0 {
				t.Fatalf("buffers overlap")
			}
			b[i] = 1
		}
		got = append(got, b)
	}
	if len(got) != 4 || s.InUse() != 4*4096 {
		t.Fatalf("%d buffers, %d bytes in use", len(got), s.InUse())
	}
	s.Put(got[0])
	s.Put(got[2][:10]) // shortened, but it starts where the buffer starts
	if s.InUse() != 2*4096 {
		t.Errorf("%d bytes in use", s.InUse())
	}
	if b := s.Get(); &b[0] != &got[2][0] {
		t.Errorf("the warmest buffer is not used first")
	}
}

func TestSlabRoundsUp(t *testing.T) {
	s := NewSlab(1, 0)
	defer s.Close()
	if b := s.Get(); len(b) != 64 || s.Size() != 64 || s.Get() != nil {
		t.Errorf("a slab for nothing has buffers of %d bytes", len(b))
	}
}

func TestSlabRefusesForeignMemory(t *testing.T) {
	s := NewSlab(128, 1024)
	defer s.Close()
	b := s.Get()
	for name, p := range map[string][]byte{"nil": nil, "foreign": make([]byte, 128), "shifted": b[1:], "never given": b[:0:0]} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: Put takes it", name)
				}
			}()
			s.Put(p)
		}()
	}
}

func TestSlabTrim(t *testing.T) {
	const size, n = 64 << 10, 256
	s := NewSlab(size, n*size)
	defer s.Close()
	burst := func() {
		var bufs [][]byte
		for b := s.Get(); b != nil; b = s.Get() {
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			bufs = append(bufs, b)
		}
		for _, b := range bufs {
			s.Put(b)
		}
	}
	before := residentKiB(t)
	burst()
	full := residentKiB(t)
	if got := s.Trim(); got != 0 {
		t.Errorf("Trim gave %d bytes back that were just used", got)
	}
	warm := s.Get() // two buffers stay in use now and then
	s.Put(warm)
	if got, want := s.Trim(), int64((n-1)*size); got != want {
		t.Errorf("Trim gave %d bytes back, want %d", got, want)
	}
	if s.Trim() != size || s.Trim() != 0 {
		t.Errorf("Trim gives the same memory back twice, or keeps the last buffer")
	}
	if runtime.GOOS == "linux" {
		after := residentKiB(t)
		if full-before < n*size>>10/2 || full-after < n*size>>10/2 {
			t.Errorf("resident KiB: %d before the burst, %d after it, %d after Trim", before, full, after)
		}
	}
	burst() // the memory can be used again
}

func TestSlabDoesNotAllocate(t *testing.T) {
	s := NewSlab(4096, 1<<20)
	defer s.Close()
	s.Put(s.Get())
	if n := testing.AllocsPerRun(100, func() { s.Put(s.Get()) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// residentKiB is the anonymous memory of this process.
func residentKiB(t *testing.T) int {
	if runtime.GOOS != "linux" {
		return 0
	}
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "RssAnon:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}
