package loop

import (
	"fmt"
	"os"
	"strconv"
)

// monitorSlack is the timer slack of Go's monitor thread in ns.
const monitorSlack = 10_000_000

// CalmMonitor makes Go's monitor thread (sysmon) wake up less often, once for a process that runs loops. While anything runs, that
// thread sleeps for 20 µs at a time for a while after each time it found something to do, and each sleep arms a timer of the kernel: several
// per cent of a core on a virtual machine, where arming a timer leaves the guest. A timer slack of 10 ms lets the kernel
// join these sleeps with other wake-ups. What the monitor does (preempting goroutines, taking processors back from system calls) then
// happens a few milliseconds later; loops do not need it, and the control plane is not in a hurry.
//
// It needs CAP_SYS_NICE; without it the error says so, and nothing changes.
func CalmMonitor() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	// The runtime starts the monitor before any other thread, so it has the lowest number after the main thread's own. Should
	// another process have wrapped the numbers around in between, an idle thread of ours gets the slack: no harm.
	pid, monitor := os.Getpid(), 0
	for _, t := range tasks {
		if tid, err := strconv.Atoi(t.Name()); err == nil && tid > pid && (monitor == 0 || tid < monitor) {
			monitor = tid
		}
	}
	if monitor == 0 {
		return nil
	}
	name := fmt.Sprintf("/proc/%d/timerslack_ns", monitor)
	if err := os.WriteFile(name, []byte(strconv.Itoa(monitorSlack)), 0); err != nil {
		return fmt.Errorf("timer slack of the monitor thread not set, it costs some CPU time (CAP_SYS_NICE allows it): %w", err)
	}
	return nil
}
