package stat

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func noise(r *rand.Rand, n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 100 + r.NormFloat64()
		if r.Float64() < 0.05 {
			x[i] += 10 * r.ExpFloat64() // a bad night
		}
	}
	return x
}

func TestChangePointsFalseAlarms(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	const runs = 200
	wrong := 0
	for k := range runs {
		got, err := ChangePoints(noise(r, 30), EDivisive{Permutations: 99, Seed: uint64(k)})
		require.NoError(t, err)
		if len(got) > 0 {
			wrong++
		}
	}
	assert.LessOrEqual(t, float64(wrong)/runs, 0.05+3*math.Sqrt(0.05*0.95/runs))
	assert.Positive(t, wrong, "a test that never errs does not use its level")
}

// A lasting step of three standard deviations is found, near its place, in spite of bad nights; a change back is another one.
func TestChangePointsPower(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	const runs = 40
	one, two := 0, 0
	for k := range runs {
		x := noise(r, 40)
		for i := 20; i < 40; i++ {
			x[i] += 3
		}
		got, err := ChangePoints(x, EDivisive{Permutations: 99, Seed: uint64(k)})
		require.NoError(t, err)
		if len(got) >= 1 && math.Abs(float64(got[0].Index-20)) <= 2 {
			one++
			assert.Less(t, got[0].Before, got[0].After)
		}
		x = noise(r, 45)
		for i := 15; i < 30; i++ {
			x[i] += 4
		}
		if got, err = ChangePoints(x, EDivisive{Permutations: 99, Seed: uint64(k)}); len(got) >= 2 {
			two++
		}
		require.NoError(t, err)
	}
	assert.GreaterOrEqual(t, one, runs*9/10)
	assert.GreaterOrEqual(t, two, runs*9/10)
}

// Not only the level: a series whose spread grows tenfold has changed.
func TestChangeOfSpreadIsFound(t *testing.T) {
	r := rand.New(rand.NewPCG(25, 26))
	x := make([]float64, 80)
	for i := range x {
		x[i] = r.NormFloat64()
		if i >= 40 {
			x[i] *= 10
		}
	}
	got, err := ChangePoints(x, EDivisive{Seed: 1})
	require.NoError(t, err)
	assert.NotEmpty(t, got)
}

// The fast search equals the definition, term by term.
func TestBestSplitEqualsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(27, 28))
	mean := func(a, b []float64, same bool) float64 {
		sum, n := 0.0, 0.0
		for i, v := range a {
			for k, w := range b {
				if same && k <= i {
					continue
				}
				sum += math.Abs(v - w)
				n++
			}
		}
		return sum / n
	}
	for range 50 {
		x := make([]float64, 6+r.IntN(12))
		for i := range x {
			x[i] = r.NormFloat64()
		}
		const least = 3
		wantAt, want := 0, math.Inf(-1)
		for a := least; a <= len(x)-least; a++ {
			for c := a + least; c <= len(x); c++ {
				m, n := float64(a), float64(c-a)
				e := 2*mean(x[:a], x[a:c], false) - mean(x[:a], x[:a], true) - mean(x[a:c], x[a:c], true)
				if q := m * n / (m + n) * e; q > want {
					wantAt, want = a, q
				}
			}
		}
		at, q := bestSplit(x, least)
		assert.Equal(t, wantAt, at)
		assert.InDelta(t, want, q, 1e-9)
	}
}

func TestChangePointsOfLittle(t *testing.T) {
	for _, x := range [][]float64{nil, {1}, {1, 2, 3, 4, 5}, {7, 7, 7, 7, 7, 7, 7, 7, 7}} {
		got, err := ChangePoints(x, EDivisive{})
		require.NoError(t, err)
		assert.Empty(t, got)
	}
	_, err := ChangePoints([]float64{1, math.NaN()}, EDivisive{})
	require.Error(t, err)
	_, err = ChangePoints(make([]float64, MaxHistory+1), EDivisive{})
	require.Error(t, err)
}
