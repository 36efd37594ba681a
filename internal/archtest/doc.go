// Package archtest holds the architecture as a test: which package must never import which and why, what the start of the gateway must not
// pay for, and the habits of the source tree. Nothing imports it; `go test ./internal/archtest` reads the tree and the import graph.
//
//	rules.go   the package map, as a table of what is forbidden
//	graph.go   the import graph from `go list`, for every system we build for
//	check.go   the table applied to a graph
//	tidy.go    habits of source files: comments, length, leftovers
//	docs.go    commands, links and file names in the documents
package archtest
