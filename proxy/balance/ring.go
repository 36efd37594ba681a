package balance

import (
	"cmp"
	"slices"
	"sort"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// DefaultPoints is the number of points of an endpoint of average weight: that of libketama, whose spread of loads is about 1/√160, 8 %.
const DefaultPoints = 160

// maxPoints bounds a ring, whatever the weights.
const maxPoints = 1 << 20

// point is a place on the circle of 64-bit hashes and the item that owns what lies before it.
type point struct {
	hash uint64
	item uint32
}

// makeRing places the items on the circle. The place of an endpoint's k-th point depends on its name and k alone: what comes, goes or changes its
// weight moves no other point.
func makeRing(items []item, points int) []point {
	var total uint64
	for _, it := range items {
		total += uint64(it.weight)
	}
	size := min(points*len(items), max(maxPoints, len(items)))
	ring := make([]point, 0, size+len(items))
	var key []byte
	for i, it := range items {
		n := max(1, int(float64(it.weight)/float64(total)*float64(size)+0.5))
		for k := range n {
			key = strconv.AppendInt(append(append(key[:0], it.Name...), '#'), int64(k), 10)
			ring = append(ring, point{xxhash.Sum64(key), uint32(i)})
		}
	}
	slices.SortFunc(ring, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(items[a.item].Name, items[b.item].Name))
	})
	return ring
}

// onRing returns the item that a key belongs to, passing over what was tried.
func (v *View) onRing(key uint64, tried *Tried) int {
	at := sort.Search(len(v.ring), func(i int) bool { return v.ring[i].hash >= key })
	for i := range v.ring {
		p := v.ring[(at+i)%len(v.ring)]
		if !tried.Has(v.items[p.item].Endpoint) {
			return int(p.item)
		}
	}
	return int(v.ring[at%len(v.ring)].item)
}
