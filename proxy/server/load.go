package server

import (
	"context"

	"github.com/blitz-gateway/blitz/proxy/admin"
	"github.com/blitz-gateway/blitz/proxy/downstream"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// Load is the answer of /load: what the listeners and clusters in force carry at this moment. It is what a change of them affects.
type Load struct {
	Generation uint64         `json:"generation"`
	Listeners  []ListenerLoad `json:"listeners"`
	Clusters   []ClusterLoad  `json:"clusters"`
	// WorkersLate did not answer in time: what they carry is missing from the sums.
	WorkersLate int `json:"workers_late,omitempty"`
}

// ListenerLoad is what came through one listener and is still there.
type ListenerLoad struct {
	Name string `json:"name"`
	// Connections that are open, and those of them without a request.
	Connections int64 `json:"connections"`
	Idle        int64 `json:"idle"`
	// Requests in flight, and tunnels (WebSockets, CONNECT), which are not among them.
	Requests int64 `json:"requests"`
	Tunnels  int64 `json:"tunnels"`
}

// ClusterLoad is what is at the endpoints of one cluster.
type ClusterLoad struct {
	Name string `json:"name"`
	// Connections to endpoints that are open, and those of them that nobody uses.
	Connections int64 `json:"connections"`
	Idle        int64 `json:"idle"`
	// Requests in flight, and tunnels, which are not among them.
	Requests int64 `json:"requests"`
	Tunnels  int64 `json:"tunnels"`
	// Endpoints in force.
	Endpoints []EndpointLoad `json:"endpoints"`
}

// EndpointLoad is what is at one endpoint. Active are requests and tunnels.
type EndpointLoad struct {
	Name        string `json:"name"`
	Connections int64  `json:"connections"`
	Active      int64  `json:"active"`
}

// Load asks all workers what they carry. Those that do not answer before ctx ends are left out, and counted.
func (s *Server) Load(ctx context.Context) Load {
	snap := s.snap.Load()
	out := Load{Generation: snap.Generation, Listeners: []ListenerLoad{}, Clusters: []ClusterLoad{}}
	listeners, clusters := map[string]*downstream.Load{}, map[string]*downstream.Load{}
	sum := func(to, from map[string]*downstream.Load) {
		for name, l := range from {
			if to[name] == nil {
				to[name] = new(downstream.Load)
			}
			to[name].Add(*l)
		}
	}
	for _, survey := range askAll(ctx, s, func(w *worker.Worker) downstream.Survey { return w.Survey() }) {
		if survey.Listeners == nil {
			out.WorkersLate++
		}
		sum(listeners, survey.Listeners)
		sum(clusters, survey.Clusters)
	}
	for i := range snap.Listeners {
		l := ListenerLoad{Name: snap.Listeners[i].Name}
		if x := listeners[l.Name]; x != nil {
			l.Connections, l.Idle, l.Requests, l.Tunnels = x.Connections, x.Idle, x.Requests, x.Tunnels
		}
		out.Listeners = append(out.Listeners, l)
	}
	for _, r := range s.Clusters(ctx) {
		c := ClusterLoad{Name: r.Name, Endpoints: make([]EndpointLoad, 0, len(r.Endpoints))}
		if x := clusters[c.Name]; x != nil {
			c.Requests, c.Tunnels = x.Requests, x.Tunnels
		}
		for _, e := range r.Endpoints {
			c.Connections += e.Open
			c.Idle += e.Idle
			c.Endpoints = append(c.Endpoints, EndpointLoad{Name: e.Name, Connections: e.Open, Active: e.Active})
		}
		out.Clusters = append(out.Clusters, c)
	}
	return out
}

func (s *Server) load(ctx context.Context, _ *admin.Request) admin.Response {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return asJSON(s.Load(ctx))
}
