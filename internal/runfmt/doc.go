// Package runfmt is the record of one load run: the JSON file that blitzload writes and blitzlab reads. It is the only thing
// the two programs share.
//
// It may import internal/hdr and the standard library. What flows through: a Record goes in and comes out unchanged, or
// the reader says why it does not believe the file. A record is self-contained: the histograms are embedded, so that
// runs can be merged later, and every summary in it can be recomputed and is, on reading.
//
// # Which requests are counted
//
// A run has a warm-up and a measured window. The measured requests are those whose intended start lies in the window;
// they are followed to their end, also past the end of the window. Counts, Errors and Latency speak of them alone, and
//
//	requests = completed + errors (all kinds but status) + unsent + unanswered
//
// A completed request got a whole, well-framed response; if its status (or size) was not the expected one it is counted in
// errors.status as well. Latency covers completed requests only: the others have no end to measure to, and the warnings say
// how far up the percentiles can still be trusted. AchievedRate counts every response that ended inside the window,
// also of a request of the warm-up: over a steady load that is the throughput.
package runfmt
