package balance

import (
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// DefaultTableSize is the small table of the paper (section 5.3): a prime, large enough that 650 endpoints differ by at most about 1 %.
const DefaultTableSize = 65537

// makeTable is the population algorithm of the Maglev paper (NSDI 2016, section 3.4): endpoints take turns in claiming the next free slot of
// their own permutation; a heavier one has more turns. The order of turns is that of the names, so that all gateways agree.
func makeTable(items []item, size int) []uint16 {
	type claim struct{ offset, skip, next, turns uint64 }
	claims := make([]claim, len(items))
	heaviest := uint32(1)
	for i, it := range items {
		claims[i].offset = xxhash.Sum64String(it.Name) % uint64(size)
		claims[i].skip = mix(xxhash.Sum64String(it.Name+"#"+strconv.Itoa(size)))%uint64(size-1) + 1
		heaviest = max(heaviest, it.weight)
	}
	table := make([]uint16, size)
	taken := make([]bool, size)
	for filled := 0; ; {
		for i := range claims {
			c := &claims[i]
			// A turn in weight/heaviest of all rounds.
			if c.turns += uint64(items[i].weight); c.turns < uint64(heaviest) {
				continue
			}
			c.turns -= uint64(heaviest)
			slot := (c.offset + c.next*c.skip) % uint64(size)
			for taken[slot] {
				c.next++
				slot = (c.offset + c.next*c.skip) % uint64(size)
			}
			c.next++
			taken[slot], table[slot] = true, uint16(i)
			if filled++; filled == size {
				return table
			}
		}
	}
}

// inTable returns the item that a key belongs to. What was tried is passed over by asking for further keys made from the first.
func (v *View) inTable(key uint64, tried *Tried) int {
	first := int(v.table[key%uint64(len(v.table))])
	at := first
	for range 8 * tried.n {
		if !tried.Has(v.items[at].Endpoint) {
			return at
		}
		key = mix(key)
		at = int(v.table[key%uint64(len(v.table))])
	}
	if i := v.untried(first, tried); i >= 0 {
		return i
	}
	return first
}

// mix is the finaliser of MurmurHash3: a bijection of 64 bits that leaves no pattern.
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
