package loop

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCalmMonitorSetsTheSlackOfOneThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs CAP_SYS_NICE, which only root is sure to have")
	}
	require.NoError(t, CalmMonitor())
	tasks, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	calm := 0
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%s/timerslack_ns", task.Name()))
		if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(monitorSlack) {
			calm++
		}
	}
	// Threads that the monitor itself starts inherit it.
	require.GreaterOrEqual(t, calm, 1)
	require.Less(t, calm, len(tasks), "not all threads")
}
