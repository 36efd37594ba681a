package worker

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// Change is what a reload brings to one worker. Everything in it was made, and can no longer fail, before the worker hears of it.
type Change struct {
	Snapshot *snapshot.Snapshot
	// Sockets by listener of the snapshot, for addresses that the worker does not listen on yet. The worker owns them.
	Sockets [][]int
	// Log replaces the access log when NewLog is set; nil: none. The old one is flushed.
	Log    *telemetry.Writer
	NewLog bool
	// Scope of the snapshot, as in Options.
	Scope *telemetry.Scope
	// Grace for unused connections of listeners that are gone.
	Grace time.Duration
}

// Apply puts a new snapshot in force, on the loop's thread: from the next request on it is the only one. Requests in flight, tunnels among
// them, go on with what they started with: their cluster's client lives as long as they do.
func (w *Worker) Apply(c *Change) {
	if c.NewLog {
		if w.opt.Log != nil {
			w.opt.Log.Close()
		}
		w.opt.Log = c.Log
	}
	w.connectClusters(c.Snapshot)
	w.snap = c.Snapshot
	w.enter(c.Scope)
	if w.draining { // nothing new begins; what is under way may as well end under the new settings
		for _, fds := range c.Sockets {
			for _, fd := range fds {
				loop.CloseListenerFD(fd)
			}
		}
		return
	}
	w.changeListeners(c)
}

// connectClusters makes the clients of a snapshot's clusters. A cluster that is the same object as before keeps its client, and so its
// connections and the picker's state; one of the same name is told what has changed. The clients of those that are gone close what is
// unused, and the rest after its request.
func (w *Worker) connectClusters(s *snapshot.Snapshot) {
	had := make(map[string]int, len(w.clients))
	if w.snap != nil && w.snap != s {
		for i, c := range w.snap.Clusters {
			had[c.Name] = i
		}
	}
	old := w.clients
	w.clients = make([]*upstream.Client, len(s.Clusters))
	for i, c := range s.Clusters {
		j, ok := had[c.Name]
		if !ok {
			w.clients[i] = upstream.NewClient(&w.up, c.Latest())
			continue
		}
		w.clients[i] = old[j]
		if w.snap.Clusters[j] != c {
			w.clients[i].Update(c.Latest())
		}
		delete(had, c.Name)
	}
	for _, j := range had {
		old[j].CloseIdle()
	}
}

// UpdateCluster gives the latest generation of a cluster to its client, on the loop's thread. It does nothing when the snapshot in force does
// not have the cluster (any more).
func (w *Worker) UpdateCluster(c *cluster.Cluster) {
	for i, mine := range w.snap.Clusters {
		if mine.Latest() == c {
			w.clients[i].Update(c)
			return
		}
	}
}

// changeListeners compares listeners by address.
func (w *Worker) changeListeners(c *Change) {
	had := make(map[loop.Addr][]*accepting, len(w.listeners)) // several may have port 0
	for _, a := range w.listeners {
		had[a.address] = append(had[a.address], a)
	}
	w.listeners = make([]*accepting, 0, len(c.Snapshot.Listeners))
	for i := range c.Snapshot.Listeners {
		s := &c.Snapshot.Listeners[i]
		if len(had[s.Address]) == 0 {
			w.listeners = append(w.listeners, w.listen(s, c.Sockets[i]))
			continue
		}
		a := had[s.Address][0]
		had[s.Address] = had[s.Address][1:]
		a.name = s.Name
		next := w.settings(a, s)
		next.Inherit(a.settings)
		a.settings = next
		a.ln.Change(s.MaxConnections, s.Backlog)
		w.listeners = append(w.listeners, a)
	}
	for _, gone := range had {
		for _, a := range gone {
			w.close(a, false)
			w.down.Retire(&a.leaving, c.Grace)
		}
	}
}

// enter counts by the names of another snapshot.
func (w *Worker) enter(s *telemetry.Scope) {
	w.opt.Scope = s
	if w.opt.InScope != nil && s != nil {
		w.opt.InScope(s)
	}
}
