// Package hdr is the thin layer over hdrhistogram-go that every latency of Blitz goes through: one geometry for all
// histograms (nanoseconds, three significant digits, up to one hour), a summary with fixed percentiles, the interval log
// (.hlog) and the percentile table (.hgrm).
//
// It may import hdrhistogram-go and the standard library only. What flows through: nanoseconds go in one by one; histograms
// are merged by adding their counts; percentiles come out of the merged histogram and are never averaged.
package hdr
