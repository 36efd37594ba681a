package lab

import (
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// sparing is how many of the targets are measured in marked scenarios only.
func sparing(targets []Located) (n int) {
	for _, t := range targets {
		if t.Sparing {
			n++
		}
	}
	return n
}

// withSparing tells the scenarios that are marked for it how many targets they have beyond the others.
func withSparing(all []Scenario, n int) []Scenario {
	out := slices.Clone(all)
	for i := range out {
		if out[i].vanilla {
			out[i].sparing = n
		}
	}
	return out
}

// setsRates are the targets that decide which rates are offered: shipped configurations do not, unless there is nothing else. A proxy that opens a connection for
// each request would otherwise pull the rates of all down to what it stands.
func setsRates(all []Located) (out []Located) {
	for _, t := range all {
		if !target.IsVanilla(t.Name()) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return all
	}
	return out
}

// offered are the targets that a fixed rate is offered to: all but those that are measured sparingly and shipped configurations that would not stand it, by what they
// managed at saturation.
func offered(all []Located, samples []result.Sample, rate float64) (out []Located) {
	rates := setsRates(all)
	for _, t := range all {
		follows := !slices.ContainsFunc(rates, func(r Located) bool { return r.Name() == t.Name() })
		if follows && (!(rate <= stands*median(samples, t.Name())) || t.Sparing) {
			continue
		}
		out = append(out, t)
	}
	return out
}

// installName of a target that was not found: a shipped configuration is of the same executable.
func installName(t target.Target) string { return strings.TrimSuffix(t.Name(), target.VanillaSuffix) }
