package run

import (
	"os"
	"strconv"
	"strings"
)

// cpuWait returns for how many nanoseconds so far the calling thread was ready to run and waited for a CPU: the second number of
// Linux's schedstat. 0 where the kernel does not tell.
func cpuWait() int64 {
	b, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	n, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		return 0
	}
	return n
}
