// Package proc starts, pins, accounts for and ends the programs that the laboratory measures.
//
// It may import the standard library and x/sys only. What flows through: a Spec goes in, a Process comes out; a Process is asked
// for its tree of process IDs, its CPU time and its memory, and is ended through its process group, never by name. Every Process
// belongs to a Set, and closing the Set ends all of them: an interrupted run leaves nothing behind. Should the laboratory itself
// be killed with SIGKILL, a Watcher (a small process of its own that notices the closed pipe) ends them instead.
//
// Process accounting and pinning need Linux; on other systems the package compiles and answers ErrUnsupported.
package proc
