package telemetry

import (
	"math/bits"
	"strings"
)

// The geometry of the histograms of routes and clusters, in HdrHistogram's terms: values from lowest to highest ns, two significant digits. A value
// is known to one per cent, which takes 27 KiB for each name and worker.
const (
	hdrLowest  = 1000
	hdrHighest = int64(3600 * 1e9)
	hdrDigits  = 2

	unitMagnitude  = 9 // log2 of lowest, rounded down: counts are of units of 512 ns
	halfMagnitude  = 7 // log2 of half the steps that a power of two is divided into
	halfSteps      = 1 << halfMagnitude
	stepMask       = (2*halfSteps - 1) << unitMagnitude
	powersOfTwo    = 26 // as many as highest needs; TestGeometryIsThatOfHdrHistogram compares
	numSteps       = (powersOfTwo + 1) * halfSteps
	highestCounted = hdrHighest
)

// Series counts what belongs to one name, a route's or a cluster's, on one worker. Only that worker touches it.
type Series struct {
	name string
	// Requests by class of status, as in Counters.Responses.
	Requests [6]uint64
	// Retries are attempts after the first.
	Retries uint64
	// Sum of all durations in ns; lo and hi bound the steps that are in use.
	Sum    uint64
	lo, hi int
	steps  []uint64
}

func newSeries(name string) *Series {
	// The name may be a piece of a configuration's text, which the series outlives.
	return &Series{name: strings.Clone(name), lo: numSteps, steps: make([]uint64, numSteps)}
}

// step finds the place of a duration. It is HdrHistogram's counts index.
func step(ns int64) int {
	ns = min(max(ns, 0), highestCounted)
	power := 64 - bits.LeadingZeros64(uint64(ns)|stepMask) - unitMagnitude - (halfMagnitude + 1)
	return (power+1)<<halfMagnitude + int(ns>>(power+unitMagnitude)) - halfSteps
}

// stepTop is the largest duration of a step in ns.
func stepTop(i int) int64 {
	power := i>>halfMagnitude - 1
	sub := int64(i&(halfSteps-1) + halfSteps)
	if power < 0 {
		sub, power = sub-halfSteps, 0
	}
	return (sub+1)<<(power+unitMagnitude) - 1
}

// Count implements exchange.Tally.
func (s *Series) Count(status int, ns int64, retries int) {
	class := status / 100
	if class < 0 || class >= len(s.Requests) {
		class = 0
	}
	s.Requests[class]++
	s.Retries += uint64(max(retries, 0))
	if ns < 0 {
		return
	}
	i := step(ns)
	s.steps[i]++
	s.Sum += uint64(ns)
	s.lo, s.hi = min(s.lo, i), max(s.hi, i)
}

// addTo adds s to a sum of several workers.
func (s *Series) addTo(sum *Series) {
	for i, n := range s.Requests {
		sum.Requests[i] += n
	}
	sum.Retries += s.Retries
	sum.Sum += s.Sum
	for i := s.lo; i <= s.hi; i++ {
		sum.steps[i] += s.steps[i]
	}
	sum.lo, sum.hi = min(sum.lo, s.lo), max(sum.hi, s.hi)
}

// copyTo makes dst, a series of the same length, a copy. Only steps in use are touched.
func (s *Series) copyTo(dst *Series) {
	dst.name, dst.Requests, dst.Retries, dst.Sum = s.name, s.Requests, s.Retries, s.Sum
	if dst.lo <= dst.hi {
		clear(dst.steps[dst.lo : dst.hi+1])
	}
	dst.lo, dst.hi = s.lo, s.hi
	if s.lo <= s.hi {
		copy(dst.steps[s.lo:s.hi+1], s.steps[s.lo:s.hi+1])
	}
}

// Name of the route or cluster.
func (s *Series) Name() string { return s.name }

// Total is the number of requests.
func (s *Series) Total() (n uint64) {
	for _, c := range s.Requests {
		n += c
	}
	return n
}

// At is the duration in ns that the given percentage of those recorded do not exceed, 0 when there is none.
func (s *Series) At(percent float64) int64 {
	want := max(uint64(percent/100*float64(s.recorded())+0.5), 1)
	var n uint64
	for i := s.lo; i <= s.hi; i++ {
		if n += s.steps[i]; n >= want {
			return stepTop(i)
		}
	}
	return 0
}

// below counts the durations under a power of two of nanoseconds.
func (s *Series) below(bound int64) (n uint64) {
	end := step(bound)
	for i := s.lo; i < end && i <= s.hi; i++ {
		n += s.steps[i]
	}
	return n
}

// recorded is the number of durations.
func (s *Series) recorded() (n uint64) {
	for i := s.lo; i <= s.hi; i++ {
		n += s.steps[i]
	}
	return n
}
