package main

import (
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
)

// plan is what a reload would change, as `blitz plan --json` prints it.
type plan struct {
	Changes   bool        `json:"changes"`
	Listeners planSection `json:"listeners"`
	Clusters  planSection `json:"clusters"`
	Routes    planSection `json:"routes"`
	Settings  []planKey   `json:"settings"`
	// WorkersLate did not say what they carry.
	WorkersLate int `json:"workers_late,omitempty"`
}

// planSection is one list of the configuration. Unchanged is how many items stay as they are.
type planSection struct {
	Added     []planItem `json:"added"`
	Changed   []planItem `json:"changed"`
	Removed   []planItem `json:"removed"`
	Unchanged int        `json:"unchanged"`
}

// planItem is an item that is added, changed or removed.
type planItem struct {
	Name string    `json:"name"`
	Keys []planKey `json:"keys,omitempty"`
	// Effect is what becomes of its connections: "opens", "kept", "replaced" or "closed".
	Effect string `json:"effect,omitempty"`
	// Load is what it carries now; nil: not known.
	Load *planLoad `json:"load,omitempty"`
	// Gone are endpoints of a changed cluster that it has no more: their connections close after their requests.
	Gone []planEndpoint `json:"endpoints_gone,omitempty"`
}

// Effects of a change on connections.
const (
	effectOpens    = "opens"
	effectKept     = "kept"
	effectReplaced = "replaced"
	effectClosed   = "closed"
)

// planKey is a changed key; Old or New is empty where it is not given.
type planKey struct {
	Key string `json:"key"`
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Restart: a running process cannot change it.
	Restart bool `json:"needs_restart,omitempty"`
}

// planLoad is what a listener or cluster carries. Tunnels are not among the requests.
type planLoad struct {
	Connections int64 `json:"connections"`
	Idle        int64 `json:"idle"`
	Requests    int64 `json:"requests"`
	Tunnels     int64 `json:"tunnels"`
}

// planEndpoint is an endpoint that goes; what it carries is nil when it is not known. Active are requests and tunnels.
type planEndpoint struct {
	Name        string `json:"name"`
	Connections *int64 `json:"connections,omitempty"`
	Active      *int64 `json:"active,omitempty"`
}

// newPlan compares two configurations. load is what the gateway under the first one carries, nil: not known.
func newPlan(now, next *config.Config, load *server.Load) *plan {
	c := config.Diff(now, next)
	p := &plan{Changes: c.Any(), Listeners: section(&c.Listeners), Clusters: section(&c.Clusters), Routes: section(&c.Routes), Settings: []planKey{}}
	for _, k := range c.Settings {
		p.Settings = append(p.Settings, planKey{k.Key, k.Old, k.New, strings.HasPrefix(k.Key, "workers.")})
	}
	for i := range p.Listeners.Added {
		p.Listeners.Added[i].Effect = effectOpens
	}
	for i := range p.Listeners.Changed {
		p.Listeners.Changed[i].Effect = listenerEffect(p.Listeners.Changed[i].Keys)
	}
	for i := range p.Clusters.Changed {
		x := &p.Clusters.Changed[i]
		x.Effect = clusterEffect(x.Keys)
		if x.Effect == effectKept {
			x.Gone = endpointsGone(clusterOf(now, x.Name), clusterOf(next, x.Name), loadOf(load, x.Name))
		}
	}
	for _, s := range []*planSection{&p.Listeners, &p.Clusters} {
		for i := range s.Removed {
			s.Removed[i].Effect = effectClosed
		}
	}
	p.carry(load)
	return p
}

func section(c *config.ItemChanges) planSection {
	s := planSection{Added: []planItem{}, Changed: []planItem{}, Removed: []planItem{}, Unchanged: c.Kept}
	for _, name := range c.Added {
		s.Added = append(s.Added, planItem{Name: name})
	}
	for _, x := range c.Changed {
		item := planItem{Name: x.Name}
		for _, k := range x.Keys {
			item.Keys = append(item.Keys, planKey{Key: k.Key, Old: k.Old, New: k.New})
		}
		s.Changed = append(s.Changed, item)
	}
	for _, name := range c.Removed {
		s.Removed = append(s.Removed, planItem{Name: name})
	}
	return s
}

// carry adds what is affected.
func (p *plan) carry(load *server.Load) {
	if load == nil {
		return
	}
	p.WorkersLate = load.WorkersLate
	listeners, clusters := map[string]*planLoad{}, map[string]*planLoad{}
	for _, l := range load.Listeners {
		listeners[l.Name] = &planLoad{l.Connections, l.Idle, l.Requests, l.Tunnels}
	}
	for _, c := range load.Clusters {
		clusters[c.Name] = &planLoad{c.Connections, c.Idle, c.Requests, c.Tunnels}
	}
	for _, x := range []struct {
		s  *planSection
		by map[string]*planLoad
	}{{&p.Listeners, listeners}, {&p.Clusters, clusters}} {
		for _, list := range [][]planItem{x.s.Changed, x.s.Removed} {
			for i := range list {
				list[i].Load = x.by[list[i].Name]
			}
		}
	}
}

// listenerEffect: another address is another socket. Everything else is for connections that come.
func listenerEffect(keys []planKey) string {
	if slices.ContainsFunc(keys, func(k planKey) bool { return k.Key == "address" }) {
		return effectReplaced
	}
	return effectKept
}

// clusterEffect: what is built into connections replaces them, see cluster.SameConnections.
func clusterEffect(keys []planKey) string {
	for _, k := range keys {
		switch top, _, _ := strings.Cut(k.Key, "."); top {
		case "protocol", "proxy_protocol", "http2", "tls":
			return effectReplaced
		}
	}
	return effectKept
}

func clusterOf(c *config.Config, name string) *config.Cluster {
	for i := range c.Clusters {
		if c.Clusters[i].Name == name {
			return &c.Clusters[i]
		}
	}
	return &config.Cluster{}
}

func loadOf(l *server.Load, name string) *server.ClusterLoad {
	if l == nil {
		return nil
	}
	for i := range l.Clusters {
		if l.Clusters[i].Name == name {
			return &l.Clusters[i]
		}
	}
	return nil
}

// endpointsGone are the endpoints that the configuration lists no more. Those that discovery found stay as long as it is the same; otherwise they go, unless it finds
// them again.
func endpointsGone(now, next *config.Cluster, load *server.ClusterLoad) (gone []planEndpoint) {
	lists := func(c *config.Cluster, name string) bool {
		return slices.ContainsFunc(c.Endpoints, func(e config.Endpoint) bool { return e.Address == name })
	}
	if load == nil {
		for _, e := range now.Endpoints {
			if !lists(next, e.Address) {
				gone = append(gone, planEndpoint{Name: e.Address})
			}
		}
		return gone
	}
	same := now.Discovery != nil && next.Discovery != nil && *now.Discovery == *next.Discovery
	for i := range load.Endpoints {
		e := &load.Endpoints[i]
		if !lists(next, e.Name) && (lists(now, e.Name) || !same) {
			gone = append(gone, planEndpoint{e.Name, &e.Connections, &e.Active})
		}
	}
	return gone
}
