package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/stat/distuv"
)

// The effect that the planner calls detectable with a power of 80 % is found about that often by the test itself, also by the fewest pairs that can reach a strict
// level, where a single outcome rejects.
func TestPowerAtTheStatedEffect(t *testing.T) {
	r := rand.New(rand.NewPCG(17, 18))
	for _, alpha := range []float64{0.025, 0.05 / 7, 0.05 / 14} {
		for _, n := range []int{8, 9, 10, 12, 16, 17, 30, 61} {
			const sd, runs = 0.03, 2000
			effect := DetectableEffect(sd, n, alpha, 0.8)
			if math.IsInf(effect, 1) {
				assert.Greater(t, math.Pow(2, -float64(n)), alpha)
				continue
			}
			found := 0
			for range runs {
				d := make([]float64, n)
				for i := range d {
					d[i] = effect + sd*r.NormFloat64()
				}
				if PGreater(d, 0) <= alpha {
					found++
				}
			}
			assert.InDelta(t, 0.8, float64(found)/runs, 0.04, "n=%d alpha=%.4f", n, alpha)
		}
	}
}

// simulateHolm tests families of 14 metrics (two scenarios of seven) of which the last have the effect, with as many pairs as planned for it, and returns how often
// a metric without it was rejected in any way, and how often one with it was.
func simulateHolm(r *rand.Rand, runs, affected int, sd, effect float64) (family, found float64) {
	const m, alpha = 14, 0.05
	n := PairsNeeded(sd, effect, alpha/m, 0.8)
	for range runs {
		p := make([]float64, m)
		for k := range p {
			shift := 0.0
			if k >= m-affected {
				shift = effect
			}
			d := make([]float64, n)
			for i := range d {
				d[i] = shift + sd*r.NormFloat64()
			}
			p[k] = PGreater(d, 0)
		}
		wrong := false
		for k, adjusted := range Holm(p) {
			switch {
			case adjusted > alpha:
			case k < m-affected:
				wrong = true
			default:
				found++
			}
		}
		if wrong {
			family++
		}
	}
	return family / float64(runs), found / float64(runs*max(1, affected))
}

// The whole family raises a false alarm in at most 5 % of runs, whether nothing or half of it has an effect, and the pairs that were planned for an effect find it
// as often as was asked for. Without the adjustment half of the families without any effect would raise one.
func TestHolmOnSimulatedData(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for _, affected := range []int{0, 1, 7} {
		const runs = 1000
		family, found := simulateHolm(r, runs, affected, 0.03, 0.05)
		t.Logf("%d affected: family %.3f, power %.3f", affected, family, found)
		assert.LessOrEqual(t, family, 0.05+2*math.Sqrt(0.05*0.95/runs), "%d affected", affected)
		if affected > 0 {
			assert.GreaterOrEqual(t, found, 0.8-0.04, "%d affected", affected)
		}
	}
}

func TestPlanning(t *testing.T) {
	n := PairsNeeded(0.05, 0.03, 0.025, 0.8)
	assert.LessOrEqual(t, DetectableEffect(0.05, n, 0.025, 0.8), 0.03)
	assert.Greater(t, DetectableEffect(0.05, n-1, 0.025, 0.8), 0.03)
	assert.Equal(t, 6, PairsNeeded(0.001, 0.5, 0.025, 0.8))
	assert.True(t, math.IsInf(DetectableEffect(1, 1, 0.05, 0.8), 1))
	assert.Equal(t, 9, PairsNeeded(0, 0.5, 0.025/7, 0.8), "2^-9 is the first below alpha")
	assert.Equal(t, MaxPairs, PairsNeeded(1, 1e-6, 0.025, 0.8))
	assert.True(t, math.IsInf(DetectableEffect(0, 8, 0.05/14, 0.8), 1), "2^-8 is above alpha: no effect is found")
	// With many pairs it is the normal approximation.
	z := distuv.UnitNormal.Quantile(0.975) + distuv.UnitNormal.Quantile(0.8)
	assert.InEpsilon(t, z*0.05/math.Sqrt(400*3/math.Pi), DetectableEffect(0.05, 400, 0.025, 0.8), 0.01)
}
