// Package balance picks an endpoint for a request: pure functions over endpoints, one picker per worker and cluster, no locks.
package balance

import "github.com/blitz-gateway/blitz/proxy/endpoint"

// Kind names a balancing algorithm as the configuration spells it.
type Kind string

// RoundRobin is weighted round-robin: smooth, so that a heavy endpoint is not hit in bursts.
const RoundRobin Kind = "round_robin"

// Kinds lists what New accepts.
func Kinds() []Kind { return []Kind{RoundRobin} }

// Picker chooses endpoints. It belongs to one worker.
type Picker interface {
	// Pick returns the next endpoint, or nil when no healthy endpoint is left. skip, if not nil, is an endpoint that
	// just failed for this request: it is returned only when it is the only one.
	Pick(skip *endpoint.Endpoint) *endpoint.Endpoint
}

// New makes a picker over eps. The caller keeps eps unchanged.
func New(_ Kind, eps []*endpoint.Endpoint) Picker {
	return &roundRobin{eps: eps, current: make([]int64, len(eps))}
}

// roundRobin is the smooth weighted round-robin of nginx (commit 52327e0627, 2012): each pick adds its weight to
// every candidate's current value, takes the largest and subtracts the sum of weights from it.
type roundRobin struct {
	eps     []*endpoint.Endpoint
	current []int64
}

func (r *roundRobin) Pick(skip *endpoint.Endpoint) *endpoint.Endpoint {
	best, total := -1, int64(0)
	for i, e := range r.eps {
		if e == skip || !e.Healthy() {
			continue
		}
		w := int64(e.Weight)
		r.current[i] += w
		total += w
		if best < 0 || r.current[i] > r.current[best] {
			best = i
		}
	}
	if best < 0 {
		if skip != nil && skip.Healthy() {
			return skip
		}
		return nil
	}
	r.current[best] -= total
	return r.eps[best]
}
