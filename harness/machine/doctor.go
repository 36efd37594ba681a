package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Status of a check.
type Status string

// A warning does not keep a run from starting, a failure does unless it is forced.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "FAIL"
)

// Check is one thing the doctor looked at.
type Check struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Observed string `json:"observed"`
	// Reason says why it matters to a measurement, Mend how to put it right.
	Reason string `json:"reason"`
	Mend   string `json:"mend,omitempty"`
}

// Quiet limits: above them something else runs on the machine and a measurement would be of both.
const (
	maxBusy  = 0.06
	maxSteal = 0.02
)

// Activity is what the CPUs did during a sample, as shares of it (0…1).
type Activity struct {
	Busy  map[int]float64 `json:"busy"`
	Steal float64         `json:"steal"`
}

// Watch samples the CPUs for d. The laboratory itself is asleep meanwhile, so what it sees is somebody else's.
func Watch(ctx context.Context, root string, d time.Duration) (Activity, error) {
	before := ReadTicks(root)
	if len(before) == 0 {
		return Activity{}, errors.New("this system shows no CPU times in /proc/stat")
	}
	select {
	case <-ctx.Done():
		return Activity{}, ctx.Err()
	case <-time.After(d):
	}
	return activity(before, ReadTicks(root)), nil
}

func activity(before, after map[int]Ticks) Activity {
	a := Activity{Busy: map[int]float64{}}
	var steal, total float64
	for cpu, t := range after {
		b := before[cpu]
		busy, idle, st := float64(t.Busy-b.Busy), float64(t.Idle-b.Idle), float64(t.Steal-b.Steal)
		if sum := busy + idle + st; sum > 0 {
			a.Busy[cpu] = busy / sum
			steal += st
			total += sum
		}
	}
	if total > 0 {
		a.Steal = steal / total
	}
	return a
}

// Quiet is nil when nothing else uses the machine, else says what does.
func (a Activity) Quiet() error {
	for _, cpu := range slices.Sorted(maps.Keys(a.Busy)) {
		if b := a.Busy[cpu]; b > maxBusy {
			return fmt.Errorf("CPU %d is %.0f %% busy with something else (limit %.0f %%)", cpu, 100*b, 100*maxBusy)
		}
	}
	if a.Steal > maxSteal {
		return fmt.Errorf("the hypervisor takes %.1f %% of the time (limit %.0f %%)", 100*a.Steal, 100*maxSteal)
	}
	return nil
}

// Options of Doctor.
type Options struct {
	// Root of the kernel's files, "/" outside tests.
	Root string
	// Ports that must be free, on 127.0.0.1.
	Ports []int
	// Sample is how long to watch the CPUs.
	Sample time.Duration
	// FileLimit is the limit of open files in force.
	FileLimit uint64
	// MemlockKiB is the limit of locked memory in force; 0: unknown.
	MemlockKiB uint64
	// Spins are the times that CPUs took for the same work.
	Spins map[int]time.Duration
	// Gaps are how much of their time CPUs were taken away from somebody who wanted all of it.
	Gaps map[int]Gap
	// Card asks a network card; nil: they are not asked.
	Card func(name string) (Card, error)
	// Uring probes io_uring; nil means it is available.
	Uring error
}

// Doctor examines the machine against its description.
func Doctor(ctx context.Context, s Spec, f Fingerprint, o Options) []Check {
	var out []Check
	add := func(name string, st Status, reason, mend, observed string, args ...any) {
		if st == OK {
			mend = ""
		}
		out = append(out, Check{name, st, fmt.Sprintf(observed, args...), reason, mend})
	}
	worse := func(bad bool, st Status) Status {
		if bad {
			return st
		}
		return OK
	}

	misses := s.Match(f)
	seen := "as described"
	if len(misses) > 0 {
		seen = strings.Join(misses, "; ")
	}
	if f.CPU.Known() {
		seen += "; " + f.CPU.String()
		if d := f.CPU.Details(); d != "" {
			seen += ", " + d
		}
	}
	add("identity", worse(len(misses) > 0, Fail), "results carry the machine's name, so it must be that machine",
		"choose another --machine, or describe this one in machines/", "%s: %s", s.Name, seen)

	heat := ReadThrottles(o.Root)
	act, err := Watch(ctx, o.Root, o.Sample)
	switch quiet := act.Quiet(); {
	case err != nil:
		add("load", Fail, "a busy machine measures its neighbours", "", "%v", err)
	case quiet != nil:
		add("load", Fail, "a busy machine measures its neighbours", "end the other work, or --force and have the run marked", "%v", quiet)
	default:
		add("load", OK, "a busy machine measures its neighbours", "", "idle; steal %.1f %%", 100*act.Steal)
	}

	for _, port := range o.Ports {
		err := PortFree(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		seen := "free"
		if err != nil {
			seen = err.Error()
		}
		add("port "+strconv.Itoa(port), worse(err != nil, Fail),
			"a leaked server with SO_REUSEPORT silently takes a share of the traffic", "end the process that listens (ss -ltnp)", "%s", seen)
	}

	out = append(out, governor(s.Expect.Governor, f.Governor, o.Root))
	add("open files", worse(o.FileLimit < max(s.Expect.OpenFiles, 16384), Fail),
		"10,000 idle connections need more than 10,000 descriptors in one process", "ulimit -Hn 65536 (or LimitNOFILE)", "%d", o.FileLimit)

	somaxconn, _ := strconv.Atoi(f.Sysctls["net.core.somaxconn"])
	add("somaxconn", worse(somaxconn < 1024, Warn), "a short accept queue drops connections in h1-churn and idle-10k",
		"sysctl -w net.core.somaxconn=4096", "%d", somaxconn)
	var lo, hi int
	_, _ = fmt.Sscan(f.Sysctls["net.ipv4.ip_local_port_range"], &lo, &hi)
	add("port range", worse(hi-lo < 20000, Warn), "h1-churn uses a new source port for each request",
		`sysctl -w net.ipv4.ip_local_port_range="32768 60999"`, "%d-%d", lo, hi)

	seen = "available"
	if o.Uring != nil {
		seen = o.Uring.Error()
	}
	add("io_uring", worse(o.Uring != nil, Warn), "without it blitz runs its epoll engine, which is another result",
		"sysctl -w kernel.io_uring_disabled=0, and a seccomp profile that allows io_uring_setup", "%s", seen)
	add("congestion control", worse(strings.HasPrefix(f.Sysctls["net.ipv4.tcp_congestion_control"], "bbr"), Warn),
		"a congestion control that paces lets CPUs idle in the middle of a transfer on loopback; bench and gate switch to cubic for the run",
		"sysctl -w net.ipv4.tcp_congestion_control=cubic", "%s", orNone(f.Sysctls["net.ipv4.tcp_congestion_control"]))
	add("clocksource", worse(f.Clocksource != "tsc" && f.Clocksource != "kvm-clock" && f.Clocksource != "arch_sys_counter", Warn),
		"a clock that needs a system call or a device costs more than what it times", "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource",
		"%s", orNone(f.Clocksource))
	add("huge pages", worse(f.THP == "always", Warn), "transparent huge pages for everyone blur memory per connection",
		"echo madvise > /sys/kernel/mm/transparent_hugepage/enabled", "%s", orNone(f.THP))
	if s.Tuning != nil && s.Tuning.MemlockKiB > 0 && o.MemlockKiB > 0 {
		add("locked memory", worse(o.MemlockKiB < s.Tuning.MemlockKiB, Warn), "rings and registered buffers of io_uring are locked memory",
			"ulimit -l (blitzlab provision --tags limits)", "%d KiB", o.MemlockKiB)
	}
	out = append(out, throttled(heat, ReadThrottles(o.Root), o.Sample, f.Virtual()))
	if c, ok := neighbours(o.Spins); ok {
		out = append(out, c)
	}
	if c, ok := interrupted(o.Gaps); ok {
		out = append(out, c)
	}
	out = append(out, placement(s.Roles, o.Root)...)
	out = append(out, tuned(s.Tuning, f, o.Root)...)
	return append(out, network(s.NIC, s.Roles, o.Root, o.Card)...)
}

func orNone(s string) string {
	if s == "" {
		return "not shown by this machine"
	}
	return s
}

// Unfit returns an error that lists the failed checks, or nil.
func Unfit(checks []Check) error {
	var errs []error
	for _, c := range checks {
		if c.Status == Fail {
			errs = append(errs, fmt.Errorf("%s: %s", c.Name, c.Observed))
		}
	}
	return errors.Join(errs...)
}

// PortFree is nil when nobody listens at the address. Both ways are tried: a connection must be refused, and an exclusive bind must
// work, for a listener may be in another state than accepting.
func PortFree(addr string) error {
	if c, err := net.DialTimeout("tcp", addr, time.Second); err == nil {
		c.Close()
		return fmt.Errorf("%s: something answers already", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return l.Close()
}
