//go:build unix

package run

import "golang.org/x/sys/unix"

// cpuTime returns user and system CPU time of this process in seconds.
func cpuTime() (user, system float64) {
	var r unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &r) != nil {
		return 0, 0
	}
	return float64(r.Utime.Nano()) / 1e9, float64(r.Stime.Nano()) / 1e9
}
