package slo

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

func TestObjectives(t *testing.T) {
	o, err := ParseObjective("p99<1ms, p99.9<5ms,errors<0.1%")
	require.NoError(t, err)
	assert.Equal(t, "p99<1ms,p99.9<5ms,errors<0.1%", o.String())
	require.Len(t, o.terms, 3)
	assert.Equal(t, 99.9, o.terms[1].percentile)
	assert.InDelta(t, 0.001, o.terms[2].share, 1e-12)
	for _, bad := range []string{"", "p99", "p99<", "p99<1", "p99<0s", "p100<1ms", "q99<1ms", "errors<5ms", "errors<0%", "errors<101%", "p99<1ms,", "pNaN<1ms"} {
		_, err := ParseObjective(bad)
		assert.Error(t, err, bad)
	}
}

func TestRequestsWithoutAResponseAreSlow(t *testing.T) {
	o, err := ParseObjective("p99<1ms,errors<1%")
	require.NoError(t, err)
	h := hdr.New()
	for range 985 {
		h.Record(int64(100 * time.Microsecond))
	}
	assert.Empty(t, o.violations(runfmt.Counts{Requests: 985, Completed: 985}, runfmt.Errors{}, h))
	why := o.violations(runfmt.Counts{Requests: 1000, Completed: 985, Unanswered: 15}, runfmt.Errors{}, h)
	require.Len(t, why, 2)
	assert.Contains(t, why[0], "have no response")
	assert.Contains(t, why[1], "15 of 1000")
	h.RecordN(int64(2*time.Millisecond), 20)
	why = o.violations(runfmt.Counts{Requests: 1005, Completed: 1005}, runfmt.Errors{Status: 3}, h)
	require.Len(t, why, 1)
	assert.Contains(t, why[0], "p99<1ms: 2")
	assert.Len(t, o.violations(runfmt.Counts{}, runfmt.Errors{}, hdr.New()), 2)
}

var options = Options{From: 100, To: 1e7, Resolution: 0.05, Confirm: 3, Budget: time.Hour}

// server holds up to a capacity, with so many failures by bad luck.
func server(capacity, flaw float64, rng *rand.Rand) Prober {
	return func(_ context.Context, rate float64) (runfmt.Probe, error) {
		p := runfmt.Probe{Rate: rate, Held: rate <= capacity && rng.Float64() >= flaw}
		if !p.Held {
			p.Why = []string{"slow"}
		}
		return p, nil
	}
}

func complete(s *runfmt.Search) *runfmt.Search {
	s.Schema, s.Objective = runfmt.SearchSchema, "p99<1ms"
	return s
}

// Capacities from far below the beginning to far above it are found to within the resolution.
func TestCapacityIsFound(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, capacity := range []float64{1.5, 7, 99, 100, 101, 3333, 250_000, 9_000_000} {
		s, err := Find(context.Background(), server(capacity, 0, rng), options)
		require.NoError(t, err)
		require.NoError(t, complete(s).Check())
		assert.True(t, s.Complete)
		assert.LessOrEqual(t, s.Rate, capacity)
		assert.Greater(t, s.FailedAt, capacity)
		assert.LessOrEqual(t, s.FailedAt/s.Rate, 1.06, "%v", capacity)
		assert.GreaterOrEqual(t, s.Confirmed, 3)
		assert.Less(t, len(s.Probes), 50)
	}
}

// A search that begins near the answer takes 15 loads at most.
func TestLoadsOfASearch(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	o := options
	o.From, o.Resolution = 20000, 0.1
	for range 500 {
		capacity := o.From * math.Exp2(6*rng.Float64()-3) // an eighth to eight times
		s, err := Find(context.Background(), server(capacity, 0, rng), o)
		require.NoError(t, err)
		require.NoError(t, complete(s).Check())
		assert.True(t, s.Complete)
		assert.LessOrEqual(t, len(s.Probes), 15, "%v", capacity)
		assert.LessOrEqual(t, s.FailedAt/s.Rate, 1.11)
	}
}

// What is found does not depend on where a search begins, nor on its first step: with a server of a certain capacity the answers of all beginnings lie within one
// resolution below it; with one whose loads hold by chance, the less likely the higher the rate, their means differ by less than half of that.
func TestTheBeginningDecidesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	const capacity = 20000.0
	o := options
	o.Resolution = 0.1
	var least, most float64
	for _, o.Factor = range []float64{0, 1.25, 4} {
		for _, part := range []float64{1. / 16, 0.3, 0.8, 0.95, 1, 1.1, 3, 16} {
			o.From = part * capacity
			s, err := Find(context.Background(), server(capacity, 0, rng), o)
			require.NoError(t, err)
			assert.True(t, s.Complete)
			assert.LessOrEqual(t, s.Rate, capacity, "from %v", o.From)
			assert.Greater(t, s.Rate, capacity/1.11, "from %v", o.From)

			const searches = 400
			sum := 0.0
			for range searches {
				at := o
				at.From *= math.Pow(1.1, rng.Float64()) // so that all beginnings do not try the same rates
				s, err := Find(context.Background(), chancy(capacity, rng), at)
				require.NoError(t, err)
				require.True(t, s.Complete)
				sum += math.Log(s.Rate)
			}
			mean := math.Exp(sum / searches)
			if least == 0 {
				least, most = mean, mean
			}
			least, most = min(least, mean), max(most, mean)
		}
	}
	assert.Less(t, most/least, 1.05, "means from %.0f to %.0f", least, most)
}

// chancy holds half of all loads at its middle rate, three in four at 10 % below it, one in four at 10 % above.
func chancy(middle float64, rng *rand.Rand) Prober {
	return func(_ context.Context, rate float64) (runfmt.Probe, error) {
		p := runfmt.Probe{Rate: rate, Held: rng.Float64() < 1/(1+math.Pow(rate/middle, 11.5))}
		if !p.Held {
			p.Why = []string{"slow"}
		}
		return p, nil
	}
}

// Where the answer is nearly known, a small first step from there saves loads: nine are enough, and an unknown one takes half as many again.
func TestLoadsOfASearchThatBeginsNearTheAnswer(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	near, far := options, options
	near.From, near.Resolution, near.Factor = 20000, 0.1, 1.25
	far.From, far.Resolution = 5000, 0.1
	var loads [2]int
	for range 500 {
		capacity := near.From * math.Pow(1.25, 2*rng.Float64()-1)
		for i, o := range []Options{near, far} {
			s, err := Find(context.Background(), server(capacity, 0, rng), o)
			require.NoError(t, err)
			require.NoError(t, complete(s).Check())
			if i == 0 {
				require.LessOrEqual(t, len(s.Probes), 9)
			}
			loads[i] += len(s.Probes)
		}
	}
	assert.Greater(t, float64(loads[1]), 1.5*float64(loads[0]), "%v", loads)
}

// Where one load in four fails by bad luck nearly every search ends with a rate, most of them within the loads that a budget of 20 s has room for.
func TestNoisyServers(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	o := options
	o.From, o.Resolution, o.Budget = 20000, 0.1, 20*time.Second
	found, whole := 0, 0
	for range 200 {
		now := time.Unix(0, 0)
		o.Now = func() time.Time { return now }
		probe := server(30000, 0.25, rng)
		s, err := Find(context.Background(), func(ctx context.Context, rate float64) (runfmt.Probe, error) {
			now = now.Add(650 * time.Millisecond)
			return probe(ctx, rate)
		}, o)
		require.NoError(t, err)
		require.NoError(t, complete(s).Check())
		assert.LessOrEqual(t, s.Rate, 30000.0)
		if s.Rate > 0 {
			found++
		}
		if s.Complete {
			whole++
		}
	}
	assert.GreaterOrEqual(t, found, 198)
	assert.GreaterOrEqual(t, whole, 180)
}

// The time is used up while the rates that were bisected turn out too high: the highest one that held before is known.
func TestTheTimeIsUsedUpOnTheWayDown(t *testing.T) {
	o := options
	now, n := time.Unix(0, 0), 0
	o.From, o.Resolution, o.Budget, o.Now = 1000, 1, 8*time.Minute, func() time.Time { return now }
	s, err := Find(context.Background(), func(_ context.Context, rate float64) (runfmt.Probe, error) {
		now, n = now.Add(time.Minute), n+1
		// 1000 and 2000 hold, 8000 does not; 4000 holds once and then no more.
		p := runfmt.Probe{Rate: rate, Held: rate <= 2000 || rate == 4000 && n < 6}
		if !p.Held {
			p.Why = []string{"slow"}
		}
		return p, nil
	}, o)
	require.NoError(t, err)
	require.NoError(t, complete(s).Check())
	assert.False(t, s.Complete)
	assert.Contains(t, s.Reason, "time")
	assert.EqualValues(t, 2000, s.Rate, "%+v", s.Probes)
	assert.Greater(t, s.FailedAt, s.Rate)
}

// A hiccup in one load of twenty moves the answer down by a little, not by much, and never above the capacity.
func TestHiccupsAreNoLimit(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	within := 0
	for range 200 {
		s, err := Find(context.Background(), server(5000, 0.05, rng), options)
		require.NoError(t, err)
		require.NoError(t, complete(s).Check())
		assert.LessOrEqual(t, s.Rate, 5000.0)
		if s.Rate > 5000*0.8 {
			within++
		}
	}
	assert.Greater(t, within, 180)
}

func TestSearchesThatEndEarly(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	s, err := Find(context.Background(), server(0, 0, rng), options)
	require.NoError(t, err)
	require.NoError(t, complete(s).Check())
	assert.False(t, s.Complete)
	assert.Zero(t, s.Rate)
	assert.Contains(t, s.Reason, "no rate")

	o := options
	o.To = 300
	s, err = Find(context.Background(), server(1000, 0, rng), o)
	require.NoError(t, err)
	require.NoError(t, complete(s).Check())
	assert.False(t, s.Complete, "the limit was not seen")
	assert.EqualValues(t, 300, s.Rate)
	assert.Zero(t, s.FailedAt)

	// Each load takes a minute of a budget of five: bracketing ends early, and what is known is said.
	o = options
	now := time.Unix(0, 0)
	o.Now, o.Budget = func() time.Time { return now }, 5*time.Minute
	s, err = Find(context.Background(), func(ctx context.Context, rate float64) (runfmt.Probe, error) {
		now = now.Add(time.Minute)
		return server(1e6, 0, rng)(ctx, rate)
	}, o)
	require.NoError(t, err)
	require.NoError(t, complete(s).Check())
	assert.Len(t, s.Probes, 5)
	assert.EqualValues(t, 12800, s.Rate, "100, 200, then four times as much each")
	assert.Equal(t, 1, s.Confirmed)
	assert.Contains(t, s.Reason, "time")

	ctx, cancel := context.WithCancel(context.Background())
	s, err = Find(ctx, func(ctx context.Context, rate float64) (runfmt.Probe, error) {
		if rate > 1000 {
			cancel()
		}
		return server(1e6, 0, rng)(ctx, rate)
	}, options)
	require.NoError(t, err)
	assert.Equal(t, "interrupted", s.Reason)

	for _, spoil := range []func(*Options){
		func(o *Options) { o.From = 0 }, func(o *Options) { o.To = 1 }, func(o *Options) { o.Resolution = 0 }, func(o *Options) { o.Confirm = 0 }, func(o *Options) { o.Budget = 0 },
		func(o *Options) { o.Factor = 1 }, func(o *Options) { o.Factor = 5 }, func(o *Options) { o.Factor = math.NaN() },
	} {
		o := options
		spoil(&o)
		_, err := Find(context.Background(), nil, o)
		assert.Error(t, err)
	}
}
