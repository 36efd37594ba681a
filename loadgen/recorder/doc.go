// Package recorder counts what happens to requests, without locks on the path of a request: each thread writes into a part of its
// own, hands the full part over once per interval, and a collector on another thread merges the parts.
//
// It may import internal/hdr. What flows through: events of single requests come in from the loop threads; merged intervals
// go to whoever listens (interval log, progress line), and their sum is the result of the run.
package recorder
