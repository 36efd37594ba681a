package loop

import "runtime"

// yieldEvery is how long a running loop keeps away from Go's scheduler, in ns: less than the 10 ms after which the runtime's monitor
// thread takes a goroutine for one that hogs its processor.
//
// A loop never goes through the scheduler by itself, so without this the monitor would find the same scheduler tick for ever, take the
// processor away at every system call it meets, and for having done something poll again after 20 µs in place of 10 ms. On a
// busy core that costs several per cent of it, and each theft costs the loop a slow return from the kernel
// (runtime/proc.go of Go 1.26: sysmon, retake). Handing over the thread and getting it back costs two switches, a hundred times a second.
const yieldEvery = int64(8e6)

// yield lets the scheduler see this goroutine now and then.
func (c *core) yield() {
	if c.now.Mono-c.yielded >= yieldEvery {
		c.yielded = c.now.Mono
		runtime.Gosched()
	}
}
