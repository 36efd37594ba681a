package lab

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

type named struct {
	missing
	name string
}

func (n named) Name() string { return n.name }

func namesOf(ts []Located) (out []string) {
	for _, t := range ts {
		out = append(out, t.Name())
	}
	return out
}

// Shipped configurations follow the rates of the others, as far as they stand them, and do not set any.
func TestShippedConfigurationsDoNotSetTheRates(t *testing.T) {
	at := func(name string, rps float64) result.Sample {
		return result.Sample{Target: name, Phase: result.Saturation, Load: &result.Load{RPS: rps}}
	}
	all := []Located{{Target: named{name: "a"}}, {Target: named{name: "b"}}, {Target: named{name: "a-vanilla"}, Sparing: true}, {Target: named{name: "b-vanilla"}}}
	samples := []result.Sample{at("a", 50000), at("b", 40000), at("a-vanilla", 30000), at("b-vanilla", 9000)}
	l := &Lab{Config: Config{Targets: all, Profile: Profile{HalfRate: true}}}
	rates, skipped := l.rates(Scenario{rates: []float64{10000}}, samples)
	assert.Equal(t, []float64{10000, 20000}, rates, "half of b, not of b-vanilla")
	assert.Empty(t, skipped)
	assert.Equal(t, []string{"a", "b"}, namesOf(offered(all, samples, 10000)), "b-vanilla does not stand it; a-vanilla would, and is measured sparingly")
	assert.Equal(t, []string{"a", "b", "b-vanilla"}, namesOf(offered(all, samples, 100)))
	assert.NotContains(t, namesOf(offered(all, samples[:3], 100)), "b-vanilla", "it never managed anything")
	only := all[2:]
	assert.Equal(t, only, setsRates(only), "where there is nothing else they are targets like any other")
}

// In the full profile they take a few minutes of the budget, in three scenarios.
func TestShippedConfigurationsAreMeasuredSparingly(t *testing.T) {
	p, err := ProfileByName("full")
	require.NoError(t, err)
	all, err := Select(nil, true)
	require.NoError(t, err)
	all = withAble(all, five())
	few := withSparing(all, 4)
	fitted, total := Fit(p, few, 5)
	assert.LessOrEqual(t, total, p.Budget)
	var marked []string
	for i, s := range few {
		extra := Expect(fitted, s, 5) - Expect(fitted, all[i], 5)
		if extra > 0 {
			marked = append(marked, s.Name)
		}
	}
	assert.Equal(t, []string{"h1-static", "h1-proxy-1k", "h2-static"}, marked)
	l := &Lab{Config: Config{Targets: []Located{{Target: named{name: "a"}}, {Target: named{name: "a" + target.VanillaSuffix}, Sparing: true}}}}
	for _, s := range all {
		if s.kind == chaos || s.kind == reload || s.equipped {
			continue // for targets that balance, reload or have everything on
		}
		can, cannot := l.supported(s)
		want := 1
		if s.vanilla {
			want = 2
		}
		assert.Len(t, can, want, s.Name)
		assert.Empty(t, cannot, "that it is measured sparingly is no lack of it")
	}
}
