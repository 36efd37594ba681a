package lab

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
)

// allGaps is how long the doctor looks for neighbours, over all CPUs.
const allGaps = 4 * time.Second

// Examine is the doctor on this machine. CPUs that are to be measured on do a fixed piece of work, one after the other, to find slow ones, and watch the clock, to find
// those that somebody else uses as well.
func Examine(ctx context.Context, s machine.Spec, ports []int, sample time.Duration) ([]machine.Check, error) {
	limit, err := proc.RaiseFileLimit(65536)
	if err != nil {
		return nil, err
	}
	spins, gaps := map[int]time.Duration{}, map[int]machine.Gap{}
	cpus := slices.Concat(s.Roles.Server, s.Roles.Load)
	each := min(max(allGaps/time.Duration(max(1, len(cpus))), 20*time.Millisecond), 250*time.Millisecond)
	for _, cpu := range cpus {
		if d, err := proc.Spin(cpu); err == nil {
			spins[cpu] = d
		}
		if lost, longest, err := proc.Gaps(cpu, each); err == nil {
			gaps[cpu] = machine.Gap{Share: float64(lost) / float64(each), Longest: longest}
		}
	}
	return machine.Doctor(ctx, s, machine.Observe("/"), machine.Options{
		Root: "/", Ports: ports, Sample: sample, FileLimit: limit, Uring: machine.ProbeUring(), MemlockKiB: machine.MemlockKiB("/"), Spins: spins, Gaps: gaps, Card: machine.ReadCard,
	}), nil
}

// ExamineArgs are a host's description as one of a machine on its own.
type ExamineArgs struct {
	Spec   machine.Spec
	Sample time.Duration
}

// Examine is the doctor on the agent's host.
func (a *Agent) Examine(args ExamineArgs, out *[]machine.Check) (err error) {
	*out, err = Examine(a.ctx, args.Spec, nil, args.Sample)
	return err
}

// ExamineHosts is the doctor on each host of a laboratory, by the host's name. calibrate trusts each as it is now.
func ExamineHosts(ctx context.Context, spec machine.Spec, agent []string, w *proc.Watcher, sample time.Duration, calibrate bool, progress func(string)) (out map[string][]machine.Check, err error) {
	if len(agent) == 0 {
		agent = DefaultAgent
	}
	f, _, err := Assemble(ctx, spec, agent, w, progress)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out = map[string][]machine.Check{}
	for _, m := range f.all {
		var checks []machine.Check
		if err := m.Call(ctx, service+".Examine", ExamineArgs{spec.Alone(m.Host), sample}, &checks); err != nil {
			return nil, fmt.Errorf("doctor: %w", err)
		}
		if out[m.Host.Name], err = machine.Examined(machine.StateDir(), stateName(spec, m.Host), m.hello.Fingerprint, checks, calibrate, time.Now()); err != nil {
			return nil, fmt.Errorf("host %s: %w", m.Host.Name, err)
		}
	}
	return out, nil
}
