package downstream

import "time"

// rateGrace is how long a client may take to get up to speed.
const rateGrace = int64(5 * time.Second)

// rate watches the pace of one direction of a connection: the defence against a client that sends or reads a byte now and then, which
// no limit on pauses catches (slowloris, slow read).
type rate struct {
	since int64 // loop time, ns
	bytes int64
}

func (r *rate) start(now int64) { r.since, r.bytes = now, 0 }

func (r *rate) add(n int) { r.bytes += int64(n) }

// tooSlow tells whether the average since start is under min bytes per second.
func (r *rate) tooSlow(min, now int64) bool {
	elapsed := now - r.since
	return min > 0 && elapsed > rateGrace && float64(r.bytes) < float64(min)*float64(elapsed)/float64(time.Second)
}
