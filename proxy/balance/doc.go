// Package balance picks an endpoint for a request. It imports endpoint and nothing else of ours.
//
//	[]*endpoint.Endpoint, their health ──▶ Build ──▶ *View      immutable, shared by all workers     view.go, alias.go, ring.go, maglev.go
//	*View + what this worker knows ──────▶ Picker.Pick ──▶ endpoint   one Picker per worker          picker.go, load.go
//
// The control plane builds a View whenever health, weights or the list change, and publishes it by a pointer: tables that take
// milliseconds to compute are never computed by a worker. A pick takes no lock, allocates nothing, and writes only
// memory of its own worker.
package balance

// Kind names a balancing algorithm as the configuration spells it.
type Kind string

// The algorithms.
const (
	// RoundRobin takes endpoints in turn, smoothly weighted, so that a heavy one is not hit in bursts.
	RoundRobin Kind = "round_robin"
	// LeastRequest takes the endpoint with the fewest requests in flight for its weight, of all.
	LeastRequest Kind = "least_request"
	// P2C takes the less loaded one of two drawn at random (Mitzenmacher, The Power of Two Choices, 2001).
	P2C Kind = "p2c"
	// Random draws by weight.
	Random Kind = "random"
	// RingHash maps a key to the next point on a circle (Karger et al., 1997).
	RingHash Kind = "ring_hash"
	// Maglev maps a key through a table (Eisenbud et al., NSDI 2016, section 3.4).
	Maglev Kind = "maglev"
	// EWMA takes the one of two drawn at random with the smaller product of latency and requests in flight; latency is the
	// moving average that jumps up at once and comes down slowly ("peak EWMA").
	EWMA Kind = "ewma"
)

// Kinds lists what Build and NewPicker accept.
func Kinds() []Kind { return []Kind{RoundRobin, LeastRequest, P2C, Random, RingHash, Maglev, EWMA} }

// Hashes tells whether the algorithm chooses by a key of the request.
func (k Kind) Hashes() bool { return k == RingHash || k == Maglev }
