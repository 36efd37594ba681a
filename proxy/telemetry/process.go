package telemetry

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

// processStats are facts about the whole process. None of them stops the world: that rules out runtime.ReadMemStats.
type processStats struct {
	goroutines, gcCycles int64
	gcPause              float64 // seconds
	mallocs              int64   // objects
	rss                  int64   // bytes, 0: not known here
	cpu                  float64 // seconds, 0: not known here
}

func readProcess() processStats {
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	return processStats{
		goroutines: int64(runtime.NumGoroutine()),
		gcCycles:   gc.NumGC,
		gcPause:    gc.PauseTotal.Seconds(),
		mallocs:    allocatedObjects(),
		rss:        residentBytes(),
		cpu:        cpuSeconds(),
	}
}

// allocatedObjects counts every object ever allocated on the heap, the tiny ones that share a block included, as MemStats.Mallocs does. The runtime
// counts an object when its span is full, so up to one span for each size and processor is missing.
func allocatedObjects() int64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:objects"}, {Name: "/gc/heap/tiny/allocs:objects"}}
	metrics.Read(s)
	var n int64
	for _, m := range s {
		if m.Value.Kind() == metrics.KindUint64 {
			n += int64(m.Value.Uint64())
		}
	}
	return n
}

// residentBytes reads the resident set from Linux (proc(5), statm: its second number, in pages).
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// ticksPerSecond is USER_HZ, which Linux shows to programs on every architecture that the gateway runs on.
const ticksPerSecond = 100

// cpuSeconds is the time in user and in kernel mode of all threads (proc(5), stat: the 14th and 15th field; the second one is the name in brackets,
// which may have spaces).
func cpuSeconds() float64 {
	b, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0
	}
	user, err := strconv.ParseUint(string(f[11]), 10, 64)
	if err != nil {
		return 0
	}
	kernel, err := strconv.ParseUint(string(f[12]), 10, 64)
	if err != nil {
		return 0
	}
	return float64(user+kernel) / ticksPerSecond
}
