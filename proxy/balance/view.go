package balance

import (
	"cmp"
	"slices"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Options of a View.
type Options struct {
	Kind Kind
	// Zone is where this gateway stands; with one, endpoints of the same zone are preferred within their level.
	Zone string
	// SpillBelow is the share of healthy endpoints, by weight and in percent, below which a level or zone passes part of its
	// requests on to the next; 0 means DefaultSpill.
	SpillBelow int
	// Panic is the share of healthy endpoints in percent below which health is not believed any more; 0: always believed.
	// PanicFail then fails all requests, otherwise they go to all endpoints.
	Panic     int
	PanicFail bool
	// Points of the ring for one endpoint of average weight (0: DefaultPoints), TableSize of Maglev (a prime; 0: DefaultTableSize).
	Points, TableSize int
}

// DefaultSpill is the share that Envoy's overprovisioning factor of 1.4 stands for.
const DefaultSpill = 72

// Usable says whether an endpoint may get requests, and how much of its weight it has by now: 1, or less while it starts slowly.
type Usable func(*endpoint.Endpoint) (ok bool, scale float64)

// Healthy is the Usable that asks the endpoint's state and nothing else.
func Healthy(e *endpoint.Endpoint) (bool, float64) { return e.Healthy(), 1 }

// View is what can be picked from. It is immutable; the caller keeps the endpoints unchanged.
type View struct {
	// All endpoints of the cluster, healthy or not.
	All []*endpoint.Endpoint
	// Healthy is how many of them may be used. Panic tells that there were too few and health is ignored.
	Healthy int
	Panic   bool

	items  []item
	total  uint64 // sum of the weights of items
	equal  bool   // all weights are the same
	alias  []cell
	ring   []point
	table  []uint16
	tokens map[string]*endpoint.Endpoint
}

// item is an endpoint with its effective weight: configured weight, share of its level and zone, slow start.
type item struct {
	*endpoint.Endpoint
	weight uint32
}

// Len is the number of endpoints that can be picked.
func (v *View) Len() int { return len(v.items) }

// Share is the part of all requests that e is meant to get, 0 to 1.
func (v *View) Share(e *endpoint.Endpoint) float64 {
	for _, it := range v.items {
		if it.State == e.State {
			return float64(it.weight) / float64(v.total)
		}
	}
	return 0
}

// ByToken returns the usable endpoint that a sticky cookie names, nil when there is none.
func (v *View) ByToken(token []byte) *endpoint.Endpoint { return v.tokens[string(token)] }

// Build makes a View of all endpoints.
func Build(all []*endpoint.Endpoint, usable Usable, o Options) *View {
	v := &View{All: all}
	scales := make([]float64, len(all))
	for i, e := range all {
		if ok, scale := usable(e); ok {
			scales[i] = scale
			v.Healthy++
		}
	}
	if o.Panic > 0 && v.Healthy*100 < o.Panic*len(all) {
		v.Panic = true
		if o.PanicFail {
			return v
		}
		for i := range scales {
			scales[i] = 1
		}
	}
	v.items = weigh(all, scales, o)
	v.equal = true
	for _, it := range v.items {
		v.total += uint64(it.weight)
		v.equal = v.equal && it.weight == v.items[0].weight
		if it.Token != "" {
			if v.tokens == nil {
				v.tokens = make(map[string]*endpoint.Endpoint, len(v.items))
			}
			v.tokens[it.Token] = it.Endpoint
		}
	}
	if len(v.items) == 0 {
		return v
	}
	switch o.Kind {
	case RingHash:
		v.ring = makeRing(v.items, cmp.Or(o.Points, DefaultPoints))
	case Maglev:
		v.table = makeTable(v.items, cmp.Or(o.TableSize, DefaultTableSize))
	}
	v.alias = makeAlias(v.items, v.total)
	return v
}

// group is the endpoints of one level, or of one level that are in or not in the gateway's zone.
type group struct {
	priority int
	away     bool
	members  []int
}

// weigh gives each usable endpoint its effective weight. Levels are filled in the order of their priority: each one takes what is left
// times min(1, healthy share / SpillBelow), the zone of the gateway before the others.
func weigh(all []*endpoint.Endpoint, scales []float64, o Options) []item {
	groups := groupsOf(all, o.Zone)
	plain := len(groups) == 1
	for _, s := range scales {
		plain = plain && (s == 0 || s == 1)
	}
	if plain {
		var out []item
		for i, e := range all {
			if scales[i] > 0 {
				out = append(out, item{e, e.Weight})
			}
		}
		return out
	}
	spill := float64(cmp.Or(o.SpillBelow, DefaultSpill)) / 100
	shares := make([]float64, len(groups))
	left, sum := 1.0, 0.0
	for i, g := range groups {
		healthy, whole := 0.0, 0.0
		for _, m := range g.members {
			whole += float64(all[m].Weight)
			if scales[m] > 0 {
				healthy += float64(all[m].Weight)
			}
		}
		shares[i] = left * min(1, healthy/whole/spill)
		left -= shares[i]
		sum += shares[i]
	}
	const unit = 1 << 20 // of a weight: the whole of all requests
	var out []item
	for i, g := range groups {
		within := 0.0
		for _, m := range g.members {
			within += float64(all[m].Weight) * scales[m]
		}
		if within == 0 || shares[i] == 0 {
			continue
		}
		for _, m := range g.members {
			if scales[m] > 0 {
				w := float64(all[m].Weight) * scales[m] / within * shares[i] / sum * unit
				out = append(out, item{all[m], max(1, uint32(w+0.5))})
			}
		}
	}
	return out
}

func groupsOf(all []*endpoint.Endpoint, zone string) []group {
	var groups []group
	for i, e := range all {
		away := zone != "" && e.Zone != zone
		at := slices.IndexFunc(groups, func(g group) bool { return g.priority == e.Priority && g.away == away })
		if at < 0 {
			at = len(groups)
			groups = append(groups, group{priority: e.Priority, away: away})
		}
		groups[at].members = append(groups[at].members, i)
	}
	slices.SortStableFunc(groups, func(a, b group) int {
		if c := cmp.Compare(a.priority, b.priority); c != 0 || a.away == b.away {
			return c
		}
		if a.away {
			return 1
		}
		return -1
	})
	return groups
}
