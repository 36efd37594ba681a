package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// --pairs are the rounds of every scenario; cold starts, which cost little, are never fewer than the profile has.
func TestPairsAreTheRoundsOfAllScenarios(t *testing.T) {
	for _, name := range []string{"quick", "full"} {
		own, err := lab.ProfileByName(name)
		require.NoError(t, err)
		for pairs, want := range map[int][2]int{0: {own.Pairs, own.ColdStarts}, 3: {3, own.ColdStarts}, 9: {9, own.ColdStarts}, 50: {50, 50}} {
			c := benchCmd{Profile: name, Pairs: pairs}
			p, err := c.profile()
			require.NoError(t, err)
			assert.Equal(t, want, [2]int{p.Pairs, p.ColdStarts}, "--pairs %d", pairs)

			// The plan follows: each scenario that is measured in rounds takes longer with more of them.
			all, err := lab.Select([]string{"idle-10k", "idle-10k-tls", "slo", "h1-attack", "scaling", "h1-static"}, true)
			require.NoError(t, err)
			require.Len(t, all, 11)
			for _, s := range all {
				more := p
				more.Pairs += 2
				assert.Greater(t, lab.Expect(more, s, 3), lab.Expect(p, s, 3), s.Name)
			}
		}
	}
}
