package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OwnCPU is the CPU time of this process and of all its children that have ended and were collected, getrusage(2).
func OwnCPU() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var r unix.Rusage
		if err := unix.Getrusage(who, &r); err != nil {
			return 0, err
		}
		sum += time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	return sum, nil
}

// Census lists every process that can be seen.
func Census() map[int]Citizen {
	files, _ := filepath.Glob("/proc/[0-9]*/comm")
	out := make(map[int]Citizen, len(files))
	for _, f := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(f)))
		if err != nil {
			continue
		}
		name, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		if cpu, err := cpuTime(pid); err == nil {
			out[pid] = Citizen{strings.TrimSpace(string(name)), cpu}
		}
	}
	return out
}

// Spin times a fixed piece of work that needs nothing but a CPU, on the given one, and returns the fastest of several turns: a CPU that has become slower
// (frequency, temperature, a neighbour on its other thread or in another machine) needs longer.
func Spin(cpu int) (time.Duration, error) {
	best := time.Duration(0)
	err := onCPU(cpu, func() {
		const turns = 30
		for i := range turns {
			began := time.Now()
			spinWork()
			if d := time.Since(began); i == 0 || d < best {
				best = d
			}
		}
	})
	return best, err
}

// onCPU does something on the given CPU, on a thread of its own, which is never given back with its affinity changed: it ends with the goroutine.
func onCPU(cpu int, do func()) (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		lockForGood()
		var set unix.CPUSet
		set.Set(cpu)
		if err = unix.SchedSetaffinity(0, &set); err == nil {
			do()
		}
	}()
	<-done
	return err
}

// leastGap is longer than the kernel's own tick takes, and shorter than anybody else's turn on the CPU.
const leastGap = 50 * time.Microsecond

// Gaps reads the clock on the given CPU, over and over for the duration d. lost is how much of the time was missing between two readings: somebody else had the CPU,
// another process, an interrupt, or another virtual machine, of which this one's kernel need not know. longest is the largest piece of it.
func Gaps(cpu int, d time.Duration) (lost, longest time.Duration, err error) {
	err = onCPU(cpu, func() {
		began := time.Now()
		for last := began; last.Sub(began) < d; {
			now := time.Now()
			if gap := now.Sub(last); gap > leastGap {
				lost += gap
				longest = max(longest, gap)
			}
			last = now
		}
	})
	return lost, longest, err
}
