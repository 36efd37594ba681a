package machine

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHostsAreChecked(t *testing.T) {
	const (
		proxy  = "  - {name: p, address: 10.0.0.1, roles: [proxy], cpus: 0-1}\n"
		load   = "  - {name: l, address: 10.0.0.2, roles: [load], cpus: 0-1, generators: 2}\n"
		origin = "  - {name: o, address: 10.0.0.3, roles: [origin], cpus: 0-1}\n"
		head   = "name: x\nexpect: {cpus: 2}\nhosts:\n"
	)
	s, err := parse([]byte(head + proxy + load + origin))
	require.NoError(t, err)
	assert.True(t, s.Distributed())
	assert.Equal(t, "root@10.0.0.1", s.Hosts[0].Login())
	assert.Len(t, s.With(RoleLoad), 1)
	for want, text := range map[string]string{
		"role proxy, there must be one": head + load + origin,
		"none has the role load":        head + proxy + origin,
		"there twice":                   head + proxy + proxy + load + origin,
		"address":                       head + proxy + load + "  - {name: o, address: here, roles: [origin], cpus: '0'}\n",
		"role \"cache\"":                head + proxy + load + "  - {name: o, address: 10.0.0.3, roles: [cache], cpus: '0'}\n",
		"shares its host with nobody":   head + load + "  - {name: o, address: 10.0.0.3, roles: [origin, proxy], cpus: '0'}\n",
		"CPU 2 does not exist":          head + proxy + load + "  - {name: o, address: 10.0.0.3, roles: [origin], cpus: '2'}\n",
		"roles and cpus must be given":  head + proxy + load + "  - {name: o, address: 10.0.0.3, roles: [origin]}\n",
		"each says its own roles":       head + proxy + load + origin + "roles: {server: '0'}\n",
		"tuning.smt is \"maybe\"":       head + proxy + load + origin + "tuning: {smt: maybe}\n",
		"nic.interface must be given":   head + proxy + load + origin + "nic: {queues: 4}\n",
		"is not a version":              head + proxy + load + origin + "tuning: {kernel: new}\n",
		"unknown field \"colour\"":      head + proxy + load + origin + "colour: red\n",
		"generators within":             head + proxy + origin + "  - {name: l, address: 10.0.0.2, roles: [load], cpus: '0', generators: 65}\n",
	} {
		_, err := parse([]byte(text))
		assert.ErrorContains(t, err, want)
	}
}
