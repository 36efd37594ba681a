package gate

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
)

// Limits of what may go on beside a gate, as shares of the CPUs that it uses, and of how much slower the CPUs may be after it than before.
const (
	maxOthers = 0.08
	maxSteal  = 0.04
	maxSlower = 0.10
)

// Watchman is the Guard of a laboratory: it compares what the CPUs did with what the laboratory and its processes used.
type Watchman struct {
	lab  *lab.Lab
	cpus []int
	spin map[int]time.Duration
}

// NewWatchman times each CPU of the gate and watches them from then on.
func NewWatchman(l *lab.Lab) (*Watchman, error) {
	r := l.Machine.Roles
	w := &Watchman{lab: l, cpus: slices.Concat(r.Server, r.Load, r.Origin), spin: map[int]time.Duration{}}
	slices.Sort(w.cpus)
	w.cpus = slices.Compact(w.cpus)
	for _, c := range w.cpus {
		d, err := proc.Spin(c)
		if err != nil {
			return nil, err
		}
		w.spin[c] = d
	}
	return w, nil
}

// Begin implements Guard. The pair is disturbed when more than maxOthers of the CPUs' time went to other processes, or the hypervisor took more than
// maxSteal.
func (w *Watchman) Begin() (func() error, error) {
	census := proc.Census()
	own, err := w.lab.OwnCPU()
	if err != nil {
		return nil, err
	}
	ticks, began := machine.ReadTicks("/"), time.Now()
	return func() error {
		after, took := machine.ReadTicks("/"), time.Since(began)
		now, err := w.lab.OwnCPU()
		if err != nil {
			return err
		}
		var u use
		for _, c := range w.cpus {
			u.busy += ticksToTime(after[c].Busy - ticks[c].Busy)
			u.steal += ticksToTime(after[c].Steal - ticks[c].Steal)
		}
		u.own, u.all = now-own, took*time.Duration(len(w.cpus))
		err = u.judge()
		if errors.Is(err, errBusy) {
			mine := append(w.lab.Set.PIDs(), os.Getpid())
			if names := proc.Busiest(census, proc.Census(), func(pid int) bool { return slices.Contains(mine, pid) }, 3); len(names) > 0 {
				err = fmt.Errorf("%w: %s", err, strings.Join(names, ", "))
			}
		}
		return err
	}, nil
}

// Finish times the CPUs again. The error says which became slower than a fair comparison allows.
func (w *Watchman) Finish() error {
	for _, c := range w.cpus {
		d, err := proc.Spin(c)
		if err != nil {
			return err
		}
		if before := w.spin[c]; d > before+time.Duration(maxSlower*float64(before)) {
			return fmt.Errorf("CPU %d needs %v for what took %v before the gate: the machine has changed meanwhile", c, d.Round(time.Microsecond), before.Round(time.Microsecond))
		}
	}
	return nil
}

// use is what CPUs did during a pair.
type use struct{ busy, steal, own, all time.Duration }

var errBusy = errors.New("other processes")

func (u use) judge() error {
	share := func(d time.Duration) float64 { return max(0, d.Seconds()/u.all.Seconds()) }
	switch others := share(u.busy - u.own); {
	case u.all <= 0:
		return nil
	case share(u.steal) > maxSteal:
		return fmt.Errorf("the hypervisor took %.0f %% of the CPUs' time (limit %.0f %%)", 100*share(u.steal), 100*maxSteal)
	case others > maxOthers:
		return fmt.Errorf("%w used %.0f %% of the CPUs' time (limit %.0f %%)", errBusy, 100*others, 100*maxOthers)
	}
	return nil
}

func ticksToTime(t uint64) time.Duration {
	const tick = 10 * time.Millisecond // USER_HZ is 100 on every Linux that Go runs on
	return time.Duration(t) * tick
}
