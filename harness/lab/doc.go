// Package lab runs scenarios: it starts the targets beside the load generator, loads one at a time, verifies what they answer, measures, and hands
// back results.
//
// It may import harness/{fleet,proc,machine,target,result,stat} and internal/{hdr,runfmt}. What flows through: a Config (machine, located targets, profile)
// goes in; for each scenario a result.Result with its interval logs comes out. blitz and blitzload are executables to it like all the others.
//
// The course of one load scenario:
//
//  1. the origin starts on its CPUs, if the scenario forwards; its body is the one that every target must deliver
//  2. saturation: rounds over all targets; each sample has a process of its own, which is verified, loaded in a closed loop, and stopped. Those of a round run
//     side by side and are loaded by turns, one at a time (turns.go)
//  3. fixed rates: the absolute rates of the scenario and, where the profile says so, shares of what the slowest target managed, in the same way in an open
//     loop
//  4. histograms of a target's samples are merged, never averaged
//
// A sample's CPU time is that of the target's whole process tree inside the load generator's own measured window.
//
// The other kinds of scenario have a file each: idle connections, cold starts, searches for a rate (find.go), numbers of workers (scaling.go), reloads under
// load (reload.go) and endpoints in trouble (chaos.go, trouble.go). distributed.go runs load scenarios over several hosts.
package lab
