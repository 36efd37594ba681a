package balance

import "github.com/blitz-gateway/blitz/proxy/endpoint"

// Picker chooses endpoints for one worker. The zero value is of no use: see NewPicker.
type Picker struct {
	kind    Kind
	random  uint64
	cursor  int
	current []int64 // of the smooth weighted round-robin, by Endpoint.Index
	loads   []*Load // by Endpoint.Index
}

// NewPicker makes a picker. seed should differ between workers, or they would all begin with the same endpoint; with 0 the first one of
// the list comes first.
func NewPicker(k Kind, seed uint64) *Picker {
	return &Picker{kind: k, random: mix(seed + 0x9e3779b97f4a7c15), cursor: int(seed)}
}

// Reset tells the picker that the endpoints have changed: loads has one entry for each, by Index. The picker keeps loads.
func (p *Picker) Reset(loads []*Load) {
	p.loads = loads
	p.current = make([]int64, len(loads))
}

// Pick chooses from v for a request with the key (0: none, and hashing kinds draw one). It returns nil when there is nothing to
// pick from, and an endpoint that was tried only when there is no other. now is the worker's time in ns.
func (p *Picker) Pick(v *View, key uint64, tried *Tried, now int64) *endpoint.Endpoint {
	n := len(v.items)
	switch n {
	case 0:
		return nil
	case 1:
		return v.items[0].Endpoint
	}
	at := 0
	switch p.kind {
	case LeastRequest:
		at = p.leastRequest(v, tried)
	case P2C:
		at = p.betterOf(v, tried, func(a, b *item) bool {
			return p.loads[b.Index].Active*int64(a.weight) < p.loads[a.Index].Active*int64(b.weight)
		})
	case EWMA:
		at = p.betterOf(v, tried, func(a, b *item) bool {
			return p.loads[b.Index].cost(now)*float64(a.weight) < p.loads[a.Index].cost(now)*float64(b.weight)
		})
	case Random:
		at = p.drawOther(v, tried, -1)
	case RingHash, Maglev:
		if key == 0 {
			key = p.next()
		}
		if p.kind == RingHash {
			at = v.onRing(key, tried)
		} else {
			at = v.inTable(key, tried)
		}
	default:
		at = p.roundRobin(v, tried)
	}
	return v.items[at].Endpoint
}

// roundRobin is the smooth weighted round-robin of nginx (commit 52327e0627, 2012): each pick adds its weight to
// every candidate's current value, takes the largest and subtracts the sum of weights from it. Among equals that is a
// plain rotation, which costs the same for any number of them.
func (p *Picker) roundRobin(v *View, tried *Tried) int {
	n := len(v.items)
	if v.equal {
		at := p.cursor % n
		if tried.n > 0 { // another attempt does not take the next request's turn
			if i := v.untried(at, tried); i >= 0 {
				return i
			}
		}
		p.cursor = at + 1
		return at
	}
	best, total := -1, int64(0)
	for i := range v.items {
		it := &v.items[i]
		if tried.Has(it.Endpoint) {
			continue
		}
		w := int64(it.weight)
		p.current[it.Index] += w
		total += w
		if best < 0 || p.current[it.Index] > p.current[v.items[best].Index] {
			best = i
		}
	}
	if best < 0 {
		return p.draw(v)
	}
	p.current[v.items[best].Index] -= total
	return best
}

// leastRequest looks at all; equals are drawn by weight, so that an idle cluster is used by weight too.
func (p *Picker) leastRequest(v *View, tried *Tried) int {
	best, tied := -1, uint64(0)
	for i := range v.items {
		it := &v.items[i]
		if tried.Has(it.Endpoint) {
			continue
		}
		w := uint64(it.weight)
		if best >= 0 {
			b := &v.items[best]
			mine, its := p.loads[it.Index].Active*int64(b.weight), p.loads[b.Index].Active*int64(it.weight)
			if mine > its {
				continue
			}
			if mine == its {
				if tied += w; (p.next()>>32)*tied>>32 < w {
					best = i
				}
				continue
			}
		}
		best, tied = i, w
	}
	if best < 0 {
		return p.draw(v)
	}
	return best
}

// betterOf draws two by weight and takes the second if better says so. Equals stay with the first draw: an idle cluster is used by weight.
func (p *Picker) betterOf(v *View, tried *Tried, better func(a, b *item) bool) int {
	a := p.drawOther(v, tried, -1)
	b := p.drawOther(v, tried, a)
	if a != b && !tried.Has(v.items[b].Endpoint) && better(&v.items[a], &v.items[b]) {
		return b
	}
	return a
}

// drawOther draws an item that was not tried and is not but, if it can.
func (p *Picker) drawOther(v *View, tried *Tried, but int) int {
	first := p.draw(v)
	at := first
	for range 4 {
		if at != but && !tried.Has(v.items[at].Endpoint) {
			return at
		}
		at = p.draw(v)
	}
	if but >= 0 {
		first = (but + 1) % len(v.items)
	}
	if i := v.untried(first, tried); i >= 0 {
		return i
	}
	return first
}

func (p *Picker) draw(v *View) int { return v.draw(p.next()) }

// untried returns the first item from start on that was not tried, -1 when all were.
func (v *View) untried(start int, tried *Tried) int {
	for i := range v.items {
		if at := (start + i) % len(v.items); !tried.Has(v.items[at].Endpoint) {
			return at
		}
	}
	return -1
}

// next is SplitMix64 (Steele, Lea, Flood 2014).
func (p *Picker) next() uint64 {
	p.random += 0x9e3779b97f4a7c15
	z := p.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Random is for others on the worker who need chance: 64 random bits.
func (p *Picker) Random() uint64 { return p.next() }
