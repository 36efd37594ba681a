package stat

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestProportionsOfTheLiterature(t *testing.T) {
	for _, c := range []struct {
		k, n   int64
		lo, hi float64
	}{{0, 10, 0, 0.30850}, {3, 10, 0.06674, 0.65245}, {10, 10, 0.69150, 1}, {1, 20, 0.00127, 0.24873}, {0, 300000, 0, 1.22962e-5}} {
		lo, hi := Proportion(c.k, c.n, 0.95)
		assert.InDelta(t, c.lo, lo, 1e-5, c)
		assert.InEpsilon(t, c.hi, hi, 2e-5, c)
	}
	lo, hi := Proportion(0, 0, 0.95)
	assert.Equal(t, []float64{0, 1}, []float64{lo, hi})
}

// By definition, each bound is the probability with which what was seen, or more extreme, has the chance of one tail.
func TestProportionsAreTheTailsOfTheBinomial(t *testing.T) {
	for _, n := range []int64{1, 7, 32, 500} {
		for _, k := range []int64{0, 1, n / 3, n - 1, n} {
			lo, hi := Proportion(k, n, 0.95)
			if k > 0 {
				assert.InDelta(t, 0.025, 1-distuv.Binomial{N: float64(n), P: lo}.CDF(float64(k-1)), 1e-6, "%d of %d", k, n)
			}
			if k < n {
				assert.InDelta(t, 0.025, distuv.Binomial{N: float64(n), P: hi}.CDF(float64(k)), 1e-6, "%d of %d", k, n)
			}
			assert.LessOrEqual(t, lo, float64(k)/float64(n))
			assert.GreaterOrEqual(t, hi, float64(k)/float64(n))
			assert.False(t, math.IsNaN(lo) || math.IsNaN(hi))
		}
	}
}
