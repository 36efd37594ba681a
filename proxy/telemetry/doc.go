// Package telemetry is what the data plane tells about itself: the counters of each worker, the metric table that gives them names, the
// text exposition that Prometheus reads, and the access log.
//
// It may import proxy/exchange (for flags and failures), internal/loop (for its statistics) and nothing else of ours.
//
// What flows through:
//
//	worker ── plain increments ──▶ Counters ── Registry.Collect: each worker copies its own ──▶ Samples ──▶ AppendText ──▶ admin
//	worker ── Writer.Log(*Entry) ──▶ its buffer ── full, or 250 ms old ──▶ one goroutine ──▶ file, stdout, stderr
//
// Nothing here blocks a worker. Counters are ordinary fields that only their worker touches, also for reading: a scrape posts
// the copying into each loop. A log that cannot be written fast enough loses lines, and counts them.
package telemetry
