package gate

import "fmt"

// Drifted says how the same executable came out different from itself, with certainty and by more than can be tolerated; "" if it did not. Noise alone
// makes a gate inconclusive, a drift makes the machine doubtful.
func Drifted(out Outcome) string {
	for _, d := range out.Decisions {
		if d.Bound > d.Metric.MaxNoise && (d.Noise.Lo > 0 || d.Noise.Hi < 0) {
			return fmt.Sprintf("in an A/A run %s of %s drifted by %s", d.Metric.Name, d.Scenario, d.Metric.amount(d.Bound))
		}
	}
	return ""
}
