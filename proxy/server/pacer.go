package server

import "time"

// minCost is what a reload is reckoned to cost at least: the workers do their part as well.
const minCost = 2 * time.Millisecond

// maxDebt is how much time reloads may take before they are slowed down: a few one after another are all made at once.
const maxDebt = 500 * time.Millisecond

// maxPause is the most that a reload waits because those before took long.
const maxPause = time.Second

// pacer bounds what reloads cost. It holds what they took, less the time since, and when the last one ended.
type pacer struct {
	debt  time.Duration
	ended time.Time
}

// pause tells how long to wait after a reload that took from start to end before there may be another one. Beyond maxDebt that is as long as it took.
func (p *pacer) pause(start, end time.Time) time.Duration {
	p.debt = max(p.debt-start.Sub(p.ended), 0) + max(end.Sub(start), minCost)
	p.ended = end
	return min(max(p.debt-maxDebt, 0), maxPause)
}
