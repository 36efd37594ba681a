package telemetry

import (
	"slices"
	"sync"
)

// maxNames bounds how many routes, and how many clusters, have series of their own: each costs memory on each worker and, in the exposition, some
// thirty lines. What is beyond counts as OtherName.
const maxNames = 256

// OtherName is the name of what has no series of its own.
const OtherName = "other"

// Scope is what one worker counts under names, for one snapshot: a series for each route and each cluster. Different indices may share a series.
type Scope struct {
	Routes, Clusters []*Series

	routes, clusters []*Series // each once; the first is OtherName
}

// scopes keeps the series of one worker from one snapshot to the next. It belongs to the control plane.
type scopes struct {
	mu      sync.Mutex
	current *Scope

	last             sync.Mutex // guards the copies
	routes, clusters []*Series
}

// Scope makes the series for a snapshot with these names; those that the one before had keep what they have counted. The worker is
// to use it from its next turn on, and to tell so with SetScope.
func (w *Worker) Scope(names *Names) *Scope {
	w.scopes.mu.Lock()
	defer w.scopes.mu.Unlock()
	s := new(Scope)
	var oldRoutes, oldClusters []*Series
	if c := w.scopes.current; c != nil {
		oldRoutes, oldClusters = c.routes, c.clusters
	}
	s.Routes, s.routes = names.routes.assign(oldRoutes)
	s.Clusters, s.clusters = names.clusters.assign(oldClusters)
	w.scopes.current = s
	return s
}

// Names says which routes and clusters of a snapshot have series of their own; what is beyond them shares one. It is found out once for all workers.
type Names struct{ routes, clusters shares }

// shares gives each of a list of names one of the series: own[0] is OtherName, and slots[i] the place in own of the i-th name.
type shares struct {
	own   []string
	slots []uint16
}

// NewNames makes the Names of a snapshot with these routes and clusters.
func NewNames(routes, clusters []string) *Names { return &Names{share(routes), share(clusters)} }

// share gives the first names their own; in a storm of changing names those of yesterday give up their place.
func share(names []string) shares {
	s := shares{own: []string{OtherName}, slots: make([]uint16, len(names))}
	seen := map[string]uint16{OtherName: 0}
	for i, name := range names {
		slot, ok := seen[name]
		if !ok && len(s.own) <= maxNames {
			slot = uint16(len(s.own))
			seen[name] = slot
			s.own = append(s.own, name)
		}
		s.slots[i] = slot
	}
	return s
}

// assign finds or makes the series.
func (s *shares) assign(old []*Series) (by, all []*Series) {
	had := make(map[string]*Series, len(old))
	for _, x := range old {
		had[x.name] = x
	}
	all = make([]*Series, len(s.own))
	for i, name := range s.own {
		if all[i] = had[name]; all[i] == nil {
			all[i] = newSeries(name)
		}
	}
	by = make([]*Series, len(s.slots))
	for i, slot := range s.slots {
		by[i] = all[slot]
	}
	return by, all
}

// publishScope copies the series for readers. On the worker's thread.
func (w *Worker) publishScope(s *Scope) {
	w.scopes.last.Lock()
	defer w.scopes.last.Unlock()
	w.scopes.routes = copyAll(s.routes, w.scopes.routes)
	w.scopes.clusters = copyAll(s.clusters, w.scopes.clusters)
}

func copyAll(from, to []*Series) []*Series {
	for len(to) < len(from) {
		to = append(to, newSeries(""))
	}
	to = to[:len(from)]
	for i, s := range from {
		s.copyTo(to[i])
	}
	return to
}

// sumScope adds the copies of one worker to those of the others.
func (w *Worker) sumScope(routes, clusters []*Series) (r, c []*Series) {
	w.scopes.last.Lock()
	defer w.scopes.last.Unlock()
	return sum(routes, w.scopes.routes), sum(clusters, w.scopes.clusters)
}

func sum(all, more []*Series) []*Series {
	for _, s := range more {
		i := slices.IndexFunc(all, func(x *Series) bool { return x.name == s.name })
		if i < 0 {
			i = len(all)
			all = append(all, newSeries(s.name))
		}
		s.addTo(all[i])
	}
	return all
}

// Routes are the series of all routes, summed over the workers.
func (s *Samples) Routes() []*Series { return s.routeSeries }

// AllRoutes is the sum of them.
func (s *Samples) AllRoutes() *Series {
	all := newSeries("")
	for _, x := range s.routeSeries {
		x.addTo(all)
	}
	return all
}

// Clusters are the series of all clusters. Their durations are from the sent request to the head of the response.
func (s *Samples) Clusters() []*Series { return s.clusterSeries }

var scopeTable = []Metric{
	{Name: "blitz_route_requests_total", Kind: KindCounter, Unit: "requests", Labels: []string{"route", "class"},
		Help:    "Ended requests by route and class of status. Beyond 256 routes the rest counts as other.",
		process: func(s *Samples, p put) { classesOf(s.routeSeries, p) }},
	{Name: "blitz_route_duration_seconds", Kind: KindHistogram, Unit: "seconds", Labels: []string{"route"},
		Help:  "First byte of a request to last byte of its response, by route.",
		named: func(s *Samples) []*Series { return s.routeSeries }},
	{Name: "blitz_cluster_requests_total", Kind: KindCounter, Unit: "requests", Labels: []string{"cluster", "class"},
		Help:    "Ended requests by the cluster they went to, and class of status. Beyond 256 clusters the rest counts as other.",
		process: func(s *Samples, p put) { classesOf(s.clusterSeries, p) }},
	{Name: "blitz_cluster_attempts_after_first_total", Kind: KindCounter, Unit: "attempts", Labels: []string{"cluster"},
		Help: "Attempts after the first one, by cluster.",
		process: func(s *Samples, p put) {
			for _, x := range s.clusterSeries {
				p(float64(x.Retries), x.name)
			}
		}},
	{Name: "blitz_cluster_duration_seconds", Kind: KindHistogram, Unit: "seconds", Labels: []string{"cluster"},
		Help:  "Whole request sent to an endpoint until the head of its response, by cluster.",
		named: func(s *Samples) []*Series { return s.clusterSeries }},
	{Name: "blitz_series_other_total", Kind: KindCounter, Unit: "requests", Labels: []string{"kind"},
		Help: "Requests that were counted as other because there are too many routes or clusters for series of their own.",
		process: func(s *Samples, p put) {
			for kind, list := range map[string][]*Series{"route": s.routeSeries, "cluster": s.clusterSeries} {
				for _, x := range list {
					if x.name == OtherName {
						p(float64(x.Total()), kind)
					}
				}
			}
		}},
}

func classesOf(list []*Series, p put) {
	for _, x := range list {
		for i, n := range x.Requests {
			if n > 0 {
				p(float64(n), x.name, classes[i])
			}
		}
	}
}
