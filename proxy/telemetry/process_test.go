package telemetry

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var sink *[4]uint64

// The counter grows by the objects that were allocated, but for what the runtime has not counted yet: at most a span for each processor.
func TestAllocatedObjects(t *testing.T) {
	const n = 100_000
	before := allocatedObjects()
	for range n {
		sink = new([4]uint64)
	}
	grown := allocatedObjects() - before
	span := int64(8192 / 32 * runtime.GOMAXPROCS(0))
	assert.GreaterOrEqual(t, grown, n-span)
	assert.Less(t, grown, int64(2*n))
}

// What the kernel counts for this process grows while it works.
func TestCPUSeconds(t *testing.T) {
	before := cpuSeconds()
	for end := time.Now().Add(10 * time.Second); cpuSeconds() == before; {
		if time.Now().After(end) {
			t.Fatal("ten seconds of work took no time")
		}
	}
}
