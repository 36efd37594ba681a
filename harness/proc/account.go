package proc

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"sync"
	"time"
)

// Memory of a process tree, in bytes. RSS counts pages shared between processes once per process; PSS divides them and is the
// honest sum for a tree. It divides the pages of libraries also with processes outside the tree, so that a program looks the smaller the more others of its
// kind run; Alone does not: it is what PSS would be if nobody else had the same files mapped, 0 where the kernel does not tell. PeakRSS is the sum of each process's own high-water mark.
type Memory struct {
	RSS, PSS, Alone, PeakRSS int64
}

// CPU sums the CPU time of the tree since its processes started.
func (p *Process) CPU() (time.Duration, error) {
	pids, err := p.PIDs()
	if err != nil {
		return 0, err
	}
	return sumCPU(pids)
}

func sumCPU(pids []int) (time.Duration, error) {
	if len(pids) == 0 {
		return 0, errors.New("no process of the tree is alive")
	}
	var sum time.Duration
	for _, pid := range pids {
		d, err := cpuTime(pid)
		if err != nil {
			return 0, err
		}
		sum += d
	}
	return sum, nil
}

// Meter samples the CPU time of a tree while a load runs, because only the load generator knows, and tells afterwards, when its
// measured window began and ended. Between two samples CPU time is taken to grow evenly.
type Meter struct {
	p    *Process
	pids []int
	stop chan struct{}
	done chan struct{}

	mu     sync.Mutex
	points []point
	err    error
}

type point struct {
	at  time.Time
	cpu time.Duration
}

// StartMeter begins to sample at the given interval.
func StartMeter(p *Process, every time.Duration) (*Meter, error) {
	pids, err := p.PIDs()
	if err != nil {
		return nil, err
	}
	m := &Meter{p: p, pids: pids, stop: make(chan struct{}), done: make(chan struct{})}
	m.sample()
	if m.err != nil {
		return nil, m.err
	}
	go func() {
		defer close(m.done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-m.stop:
				m.sample()
				return
			case <-t.C:
				m.sample()
			}
		}
	}()
	return m, nil
}

func (m *Meter) sample() {
	before := time.Now()
	cpu, err := sumCPU(m.pids)
	at := before.Add(time.Since(before) / 2)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		if m.err == nil {
			m.err = err
		}
		return
	}
	m.points = append(m.points, point{at, cpu})
}

// Stop ends sampling. It is an error if the tree gained or lost a process meanwhile: its CPU time would be incomplete.
func (m *Meter) Stop() error {
	close(m.stop)
	<-m.done
	if m.err != nil {
		return m.err
	}
	now, err := m.p.PIDs()
	if err != nil {
		return err
	}
	slices.Sort(now)
	old := slices.Clone(m.pids)
	slices.Sort(old)
	if !slices.Equal(now, old) {
		return fmt.Errorf("the process tree changed while it was measured: %v, then %v", old, now)
	}
	return nil
}

// Between returns the CPU time used from one moment to another. Both must lie within the sampled time.
func (m *Meter) Between(from, to time.Time) (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, err := interpolate(m.points, from)
	if err != nil {
		return 0, err
	}
	b, err := interpolate(m.points, to)
	if err != nil {
		return 0, err
	}
	return b - a, nil
}

func interpolate(ps []point, at time.Time) (time.Duration, error) {
	i := sort.Search(len(ps), func(i int) bool { return !ps[i].at.Before(at) })
	if i == len(ps) || (i == 0 && ps[0].at.After(at)) {
		return 0, fmt.Errorf("%v lies outside the %d CPU samples", at.Format("15:04:05.000000"), len(ps))
	}
	if i == 0 {
		return ps[0].cpu, nil
	}
	a, b := ps[i-1], ps[i]
	span := b.at.Sub(a.at)
	if span <= 0 {
		return b.cpu, nil
	}
	return a.cpu + time.Duration(float64(b.cpu-a.cpu)*float64(at.Sub(a.at))/float64(span)), nil
}
