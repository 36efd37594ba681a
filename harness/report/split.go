package report

import (
	"slices"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// The names of targets that are not peers: the one that the report is about, and the lower bound that is no proxy.
const (
	subject = "blitz"
	bound   = "floor"
)

// tuned is a result without the targets in their shipped configuration; these never stand in a table with the tuned ones.
func tuned(r *result.Result) *result.Result {
	return pick(r, func(name string) bool { return !target.IsVanilla(name) })
}

// vanillas are the names of a result's targets in their shipped configuration.
func vanillas(r *result.Result) (out []string) {
	for _, t := range r.Targets {
		if target.IsVanilla(t.Name) {
			out = append(out, t.Name)
		}
	}
	return out
}

// pick is a result with some of its targets. The original stays as it is.
func pick(r *result.Result, keep func(name string) bool) *result.Result {
	out := *r
	out.Targets = slices.DeleteFunc(slices.Clone(r.Targets), func(t result.Target) bool { return !keep(t.Name) })
	out.Samples = slices.DeleteFunc(slices.Clone(r.Samples), func(s result.Sample) bool { return !keep(s.Target) })
	out.Groups = slices.DeleteFunc(slices.Clone(r.Groups), func(g result.Group) bool { return !keep(g.Target) })
	out.Scenario.Unsupported = slices.DeleteFunc(slices.Clone(r.Scenario.Unsupported), func(u result.Unsupported) bool { return !keep(u.Target) })
	return &out
}
