package gate

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/blitz-gateway/blitz/harness/stat"
)

func TestADriftIsMoreThanNoise(t *testing.T) {
	m := Metric{Name: "CPU per request", MaxNoise: 0.05}
	outcome := func(lo, hi, bound float64) Outcome {
		return Outcome{Decisions: []Decision{{Scenario: "h1-static", Metric: m, Noise: stat.Interval{Lo: lo, Hi: hi}, Bound: bound}}}
	}
	assert.Empty(t, Drifted(Outcome{}))
	assert.Empty(t, Drifted(outcome(-0.08, 0.09, 0.09)), "wide, but it may be no difference at all")
	assert.Empty(t, Drifted(outcome(0.01, 0.03, 0.03)), "a difference that can be tolerated")
	assert.Contains(t, Drifted(outcome(0.06, 0.09, 0.09)), "CPU per request of h1-static drifted by")
	assert.NotEmpty(t, Drifted(outcome(-0.09, -0.06, 0.09)))
}
