package machine

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

const (
	congestionFile  = "/proc/sys/net/ipv4/tcp_congestion_control"
	congestionKnown = "/proc/sys/net/ipv4/tcp_available_congestion_control"
)

// Unpace switches TCP's congestion control from one that paces (bbr) to cubic, the kernel's own default, for as long as measurements run on this
// machine. On loopback pacing is nonsense: it lets both CPUs idle in the middle of a transfer of 1 MiB, with every target, and what is measured then is
// the pacer. restore puts back what was there; note says what was done, empty for nothing.
func Unpace() (restore func() error, note string, err error) {
	restore = func() error { return nil }
	b, err := os.ReadFile(congestionFile)
	if err != nil {
		return restore, "", nil //nolint:nilerr // not Linux, or hidden: then there is nothing to switch
	}
	now := strings.TrimSpace(string(b))
	if !strings.HasPrefix(now, "bbr") {
		return restore, "", nil
	}
	known, err := os.ReadFile(congestionKnown)
	if err != nil || !slices.Contains(strings.Fields(string(known)), "cubic") {
		return restore, "", fmt.Errorf("TCP paces its sends (%s), and there is no cubic to switch to: figures of large transfers would be those of the pacer", now)
	}
	if err := os.WriteFile(congestionFile, []byte("cubic"), 0); err != nil {
		return restore, "", fmt.Errorf("TCP paces its sends (%s); run as root, or: sysctl -w net.ipv4.tcp_congestion_control=cubic (%w)", now, err)
	}
	return func() error { return os.WriteFile(congestionFile, []byte(now), 0) },
		fmt.Sprintf("TCP congestion control: cubic in place of %s, which paces, until the end of the run", now), nil
}
