// Package gate decides whether a candidate is worse than a baseline. docs/GATE.md explains it to those who read its verdicts.
//
// It may import harness/{lab,machine,proc,report,stat} and what those may; the decision itself (decide.go, gate.go) imports harness/stat only and is driven
// by simulated measurements in its tests. What flows through: a Config with a Measure function goes in, a Verdict for each scenario and metric comes out.
//
// The design is three arms in one interleaving: baseline, candidate, and the baseline again. Baseline against baseline is an A/A run made in the same
// minutes under the same conditions; what it shows is noise, for both are one executable. A metric fails only if
//
//   - the interval of candidate against baseline excludes 'no difference' in the bad direction, with Holm's correction over all scenarios and metrics,
//   - for a quantile, so does the block bootstrap over the merged histograms, and
//   - the effect is larger than the threshold and larger than the noise bound of the A/A run.
//
// It passes only if the whole interval lies below that limit and the noise itself is tolerable. Everything else is inconclusive: more pairs are measured up to
// a budget, and what then is still open stays inconclusive. A run that something disturbed (other processes, the hypervisor, CPUs that became slower) is
// invalid. Neither is ever a silent pass.
package gate
