//go:build !unix

package run

// cpuTime is not known here; the loop engines do not run here either.
func cpuTime() (user, system float64) { return 0, 0 }
