// Package keeper keeps clusters in order, off the loops: it finds endpoints, checks their health, ejects those that fail and lets
// them in again, and publishes what follows as views, which workers read without a lock, and as new generations of clusters, which
// go to workers through their mailboxes. It imports cluster, endpoint, health and discovery.
//
//	Keeper     all clusters of the snapshot in force      keeper.go
//	ward       one cluster: one goroutine decides         ward.go
//	           active checks, one goroutine per endpoint  check.go
//	           ejection                                   outlier.go
//	Status     what it knows, for people and metrics      status.go
package keeper

import (
	"context"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Seen is what all workers together saw of one endpoint: attempts that ended, and how many of those with a failure or a 5xx.
type Seen struct{ Attempts, Failures uint64 }

// Options of a Keeper. Its functions are called from goroutines of the keeper and may block for a while.
type Options struct {
	// Publish gives a new generation of a cluster to all workers.
	Publish func(*cluster.Cluster)
	// Collect asks all workers what they saw, by endpoint; nil when success rates are of no interest.
	Collect func(context.Context) map[*endpoint.State]Seen
}

// Keeper looks after the clusters of one process. Its methods are safe from any goroutine.
type Keeper struct {
	opt Options

	mu    sync.Mutex
	wards map[*cluster.Cluster]*ward // by the first generation, as snapshots hold it
	order []*cluster.Cluster
	done  bool
}

// New makes a keeper of nothing.
func New(o Options) *Keeper { return &Keeper{opt: o, wards: map[*cluster.Cluster]*ward{}} }

// Prime finds the endpoints of clusters that have none yet, all at once, and returns when each search has ended or ctx has. What is not
// found now is found later. Before Set; clusters are those of a snapshot.
func (k *Keeper) Prime(ctx context.Context, clusters []*cluster.Cluster) {
	var wg sync.WaitGroup
	for _, c := range clusters {
		if c.Upkeep.Discovery != nil && len(c.Latest().Found()) == 0 {
			wg.Go(func() { prime(ctx, c) })
		}
	}
	wg.Wait()
}

// Set makes clusters, those of the snapshot in force, the ones that are looked after. A cluster that was before goes on as it is.
func (k *Keeper) Set(clusters []*cluster.Cluster) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.done {
		return
	}
	had := k.wards
	k.wards = make(map[*cluster.Cluster]*ward, len(clusters))
	k.order = clusters
	for _, c := range clusters {
		if w := had[c]; w != nil {
			k.wards[c] = w
			delete(had, c)
		}
	}
	// Those that are gone stop first: their successors share the states.
	byName := make(map[string]*ward, len(had))
	for c, w := range had {
		w.stop()
		byName[c.Name] = w
	}
	for _, c := range clusters {
		if k.wards[c] == nil {
			k.wards[c] = start(c, k.opt, byName[c.Name])
		}
	}
}

// Close ends all goroutines.
func (k *Keeper) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done = true
	for _, w := range k.wards {
		w.stop()
	}
}

// primeTimeout bounds the first search, so that a name server that does not answer does not keep the gateway from starting.
const primeTimeout = 3 * time.Second
