// Package chaos tests the built gateway in front of three endpoints, real processes, that are killed, stopped, cut off from the network, slow,
// resetting and flapping at random while requests come at a fixed rate. It imports nothing of ours.
//
// `go test ./test/chaos` takes seconds; with BLITZ_CHAOS=5m it goes on for five minutes, with
// BLITZ_CHAOS_ENGINE=epoll on that engine. As root it runs in network namespaces of its own, in which an
// endpoint can be cut off without a word (its address leads to a station that is not there); otherwise that kind of trouble is left out.
package chaos
