package machine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAssumptionsAreChecked(t *testing.T) {
	const good = `name: x
expect: {cpus: 4, cpu_model: Z80}
roles: {server: "0", load: "1", origin: "1"}
forecast:
  relative_to: y
  core_speed: {from: 0.5, to: 1.5}
  network_cost: {from: 1, to: 1}
  nic_packets: {from: 100, to: 200}
  why: [because]
`
	s, err := parse([]byte(good))
	require.NoError(t, err)
	assert.Equal(t, Range{0.5, 1.5}, s.Forecast.CoreSpeed)
	for want, edit := range map[string][2]string{
		"core_speed":   {"from: 0.5", "from: 2"},
		"network_cost": {"{from: 1, to: 1}", "{from: 0, to: 1}"},
		"nic_packets":  {"to: 200", "to: 1e9"},
		"relative_to":  {"relative_to: y", "relative_to: ''"},
		"why":          {"[because]", "[]"},
		"guess":        {"why:", "guess: 1\n  why:"},
	} {
		_, err := parse([]byte(strings.Replace(good, edit[0], edit[1], 1)))
		assert.ErrorContains(t, err, want)
	}
}
