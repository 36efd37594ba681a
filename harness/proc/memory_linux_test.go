package proc

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A tree's memory alone does not depend on who else runs the same program; its PSS does.
func TestMemoryAloneDoesNotDependOnOthers(t *testing.T) {
	const tree = "sleep 600 & sleep 600 & sleep 600"
	whole := func(p *Process) {
		eventually(t, "the tree", func() bool {
			pids, err := p.PIDs()
			if err != nil || len(pids) < 4 {
				return false
			}
			m, err := p.Memory()
			return err == nil && m.Alone > 0 && m.RSS > 4<<20 // all have begun to run their own program
		})
	}
	_, p := start(t, tree)
	whole(p)
	one, err := p.Memory()
	require.NoError(t, err)
	for range 4 {
		_, other := start(t, tree)
		whole(other)
	}
	among, err := p.Memory()
	require.NoError(t, err)
	assert.Less(t, float64(among.PSS), 0.9*float64(one.PSS))
	assert.InEpsilon(t, one.Alone, among.Alone, 0.02)
	assert.GreaterOrEqual(t, one.Alone, one.PSS)
	assert.Less(t, one.Alone, one.RSS, "files that the four processes share are counted once")
}

func TestMappings(t *testing.T) {
	const worker = `555555554000-555555556000 r-xp 00001000 08:01 77                         /usr/sbin/server
Rss:                 100 kB
Pss:                  20 kB
Anonymous:             0 kB
555555556000-555555558000 rw-p 00003000 08:01 77                         /usr/sbin/server
Rss:                  40 kB
Pss:                  30 kB
Anonymous:            28 kB
7ffff7a00000-7ffff7b00000 rw-p 00000000 00:00 0
Rss:                 900 kB
Pss:                 500 kB
Anonymous:           900 kB
7ffff7c00000-7ffff7d00000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
Rss:                  64 kB
Pss:                  32 kB
Anonymous:             0 kB
`
	const master = `555555554000-555555556000 r-xp 00001000 08:01 77                         /usr/sbin/server
Rss:                  60 kB
Pss:                  10 kB
Anonymous:             0 kB
7ffff7c00000-7ffff7d00000 rw-s 00000000 00:01 5                          /dev/zero (deleted)
Rss:                  64 kB
Pss:                  32 kB
Anonymous:             0 kB
`
	files := map[string]int64{}
	shared := mappings([]byte(worker), files) + mappings([]byte(master), files)
	assert.EqualValues(t, 64<<10, shared)
	assert.Equal(t, map[string]int64{"08:01 77 00001000": 100 << 10, "08:01 77 00003000": 12 << 10}, files)
}
