// Package e2e tests the built gateway as an operator meets it: a process with a configuration file, spoken to by curl, wrk, h2load and
// Go's client, watched through its log, its exit code and the kernel's account of its memory. It imports nothing of ours.
package e2e
