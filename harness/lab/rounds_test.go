package lab

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Every scenario that is measured in rounds has as many as the profile says, and those of the profiles are enough for an interval of 95 %.
func TestRoundsOfEveryScenario(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	l.Profile.Pairs = 2
	for _, name := range []string{"h1-static", "idle-10k", "idle-10k-tls", "h1-slo", "h2-slo", "h1-attack-none", "scaling"} {
		s := scenario(t, name)
		s.tls, s.h2 = false, false // the stand-in speaks neither, and the number of rounds depends on neither
		out, err := l.Run(context.Background(), s)
		require.NoError(t, err, name)
		rounds := map[string]int{}
		for _, sm := range out.Result.Samples {
			assert.Empty(t, sm.Invalid)
			rounds[sm.Target+" "+string(sm.Phase)+" "+strconv.Itoa(sm.Workers)+" "+strconv.FormatFloat(sm.Rate, 'f', 0, 64)]++
		}
		require.NotEmpty(t, rounds, name)
		for what, n := range rounds {
			assert.Equal(t, 2, n, "%s: %s", name, what)
		}
	}
	for _, name := range []string{"quick", "full"} {
		p, err := ProfileByName(name)
		require.NoError(t, err)
		ones := slices.Repeat([]float64{1}, p.Pairs)
		iv, err := stat.Ratio(ones, ones, 0.95)
		require.NoError(t, err)
		assert.False(t, iv.Short, "%s: %d rounds", name, p.Pairs)
		assert.GreaterOrEqual(t, p.ColdStarts, p.Pairs)
	}
}

// The first search of a target begins anywhere, the next one a little below what was found. The stand-in takes fewer loads then.
func TestSearchesBeginNearWhatIsKnown(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	l.Profile.Pairs = 3
	out, err := l.Run(context.Background(), scenario(t, "h1-slo"))
	require.NoError(t, err)
	require.Len(t, out.Result.Samples, 6)
	for _, sm := range out.Result.Samples {
		want := 2
		if sm.Round == 0 {
			want = 5
		}
		assert.Equal(t, want, sm.Search.Probes, "%s, round %d", sm.Target, sm.Round)
	}

	b := beginnings{}
	begins := func(want, step, chance float64) {
		t.Helper()
		from, factor := b.of("a", chance)
		assert.InDelta(t, want, from, 0.001)
		assert.InDelta(t, step, factor, 0)
	}
	begins(findFrom, firstFactor, 0.5)
	b.found("a", nil)
	begins(findFrom, firstFactor, 0.5)
	b.found("a", &result.Search{Rate: 10000, FailedAt: 11000})
	begins(10000, nextFactor, 0)
	begins(10000/nextFactor, nextFactor, 1)
	b.found("a", &result.Search{FailedAt: 3000})
	begins(1500, nextFactor, 0)
	b.found("a", &result.Search{})
	begins(1500, nextFactor, 0)
	b.found("a", &result.Search{FailedAt: 1})
	begins(1, nextFactor, 0)
	from, _ := b.of("other", 0)
	assert.EqualValues(t, findFrom, from)
}

// An attack goes on for as long as the load that is looked at, whatever its window.
func TestAttacksOutlastTheLoad(t *testing.T) {
	for mode := range attacks {
		for _, d := range []time.Duration{700 * time.Millisecond, 10 * time.Second, 5 * time.Minute} {
			args := attackArgs(mode, "127.0.0.1:1", "/", d)
			i := slices.Index(args, "-l")
			require.GreaterOrEqual(t, i, 0)
			seconds, err := strconv.Atoi(args[i+1])
			require.NoError(t, err)
			assert.Greater(t, time.Duration(seconds)*time.Second, attackLead+d, "%s for %v", mode, d)
		}
	}
}
