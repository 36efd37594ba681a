package machine

import (
	"fmt"
	"path/filepath"
	"time"
)

// Throttles are the counters of a machine's slowing down for heat, by the file that shows each. They count from the start of the machine.
type Throttles map[string]int

// ReadThrottles reads the counters of cores and packages (Intel; /sys/devices/system/cpu/cpuN/thermal_throttle). Empty where there are none.
func ReadThrottles(root string) Throttles {
	out, r := Throttles{}, reader(root)
	files, _ := filepath.Glob(filepath.Join(root, "sys/devices/system/cpu/cpu[0-9]*/thermal_throttle/*_throttle_count"))
	for _, f := range files {
		if rel, err := filepath.Rel(root, f); err == nil {
			out[rel] = r.number(rel)
		}
	}
	return out
}

// throttled compares the counters before and after the doctor watched the CPUs for d: what happens now is worse than what has happened once. Where there are none,
// which is every CPU of AMD's, that is said; a virtual machine has nothing to show.
func throttled(before, after Throttles, d time.Duration, virtual bool) Check {
	most, now := 0, 0
	for f, n := range after {
		most, now = max(most, n), max(now, n-before[f])
	}
	c := Check{Name: "throttling", Status: OK, Observed: "never since it started", Reason: "a CPU that was too hot ran slower while it was measured"}
	switch {
	case len(after) == 0 && virtual:
		c.Observed = orNone("")
	case len(after) == 0:
		c.Status, c.Observed, c.Mend = Warn, orNone("")+" (Intel's CPUs count it, AMD's do not)", "watch the clock and the temperature under load (turbostat, sensors); spin tells a CPU that has become slower than others"
	case now > 0:
		c.Status, c.Observed, c.Mend = Fail, fmt.Sprintf("%d times in %v", now, d), "stop what heats it, and examine the cooling; lower the power limit"
	case most > 0:
		c.Status, c.Observed, c.Mend = Warn, fmt.Sprintf("%d times since it started", most), "examine the cooling; lower the power limit"
	}
	return c
}
