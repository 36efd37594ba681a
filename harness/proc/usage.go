package proc

import (
	"errors"
	"fmt"
	"runtime"
	"sort"
	"time"
)

// Citizen is a process as anybody can see it.
type Citizen struct {
	Name string
	CPU  time.Duration
}

// Busiest names the processes that used the most CPU time between two censuses, most first, without those that own says belong to us.
func Busiest(before, after map[int]Citizen, own func(pid int) bool, atMost int) []string {
	const trifle = 20 * time.Millisecond
	type use struct {
		Citizen
		pid int
	}
	var uses []use
	for pid, a := range after {
		b, known := before[pid]
		if known && b.Name != a.Name || own(pid) || a.CPU-b.CPU < trifle {
			continue
		}
		uses = append(uses, use{Citizen{a.Name, a.CPU - b.CPU}, pid})
	}
	sort.Slice(uses, func(i, k int) bool { return uses[i].CPU > uses[k].CPU })
	var out []string
	for _, u := range uses[:min(len(uses), atMost)] {
		out = append(out, fmt.Sprintf("%s (process %d, %v of CPU time)", u.Name, u.pid, u.CPU.Round(10*time.Millisecond)))
	}
	return out
}

// CPU is the CPU time of all processes of the set that live.
func (s *Set) CPU() (time.Duration, error) {
	var sum time.Duration
	var errs []error
	for _, p := range s.alive() {
		d, err := p.CPU()
		sum += d
		errs = append(errs, err)
	}
	return sum, errors.Join(errs...)
}

// PIDs of all processes of the set that live.
func (s *Set) PIDs() []int {
	var out []int
	for _, p := range s.alive() {
		if pids, err := p.PIDs(); err == nil {
			out = append(out, pids...)
		}
	}
	return out
}

func (s *Set) alive() []*Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	var live []*Process
	for p := range s.live {
		live = append(live, p)
	}
	return live
}

func lockForGood() { runtime.LockOSThread() }

var spun uint64

// spinWork is about a third of a millisecond of dependent arithmetic (splitmix64).
//
//go:noinline
func spinWork() {
	x := uint64(1)
	for range 100_000 {
		x ^= x >> 30
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 27
	}
	spun = x
}
