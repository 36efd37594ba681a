//go:build !linux

package loop

// CalmMonitor does nothing here.
func CalmMonitor() error { return nil }
