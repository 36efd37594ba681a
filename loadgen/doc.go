// Package loadgen is only the front page of the load generator; the code is in its folders:
//
//	schedule   when each request is meant to start: vegeta's pacers, nothing else
//	workload   what is sent: requests rendered once, before the clock starts
//	client     one thread: its loop, its connections, its share of the schedule
//	secure     TLS between a loop and a connection, for client and origin
//	recorder   what came of it: lock-free per thread, merged per interval
//	run        a whole run: threads, plan, verdict, record, table
//	slo        the highest rate that keeps an objective: one run after another
//	origin     the server to load or to proxy to
//	floor      a bare loop: the least that a server can cost
//	cpuset     CPU lists and pinning
//
// They import internal/* and each other downwards (slo → run → client → schedule, workload, recorder) and nothing of proxy: the two
// share codecs, not connection pools. A load generator must never retry or reuse without a word.
//
// # Why the latencies can be believed
//
// In an open loop the intended start of a request follows from the plan alone. Its response time counts from there, also while
// it waits because all connections are busy, so a stall of the server shows in every request that was due during it
// (the opposite is called coordinated omission). The service time, which counts from the send, is recorded beside it. The
// generator measures its own lateness and declares a run invalid when it was late itself, when it achieved less than 99 % of the offered
// rate, or when more than 1 % of the requests had an error.
package loadgen
