package server

import (
	"context"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/proxy/admin"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// Status is the answer of /status.
type Status struct {
	Process
	State       State        `json:"state"`
	Started     time.Time    `json:"started"`
	Now         time.Time    `json:"now"`
	Engine      string       `json:"engine"`
	Workers     int          `json:"workers"`
	Predecessor *Predecessor `json:"predecessor,omitempty"`
	// Connections and requests now; all requests so far; bytes to and from clients so far.
	Connections int64  `json:"connections"`
	Active      int64  `json:"active"`
	Requests    uint64 `json:"requests"`
	Failed      uint64 `json:"failed"`
	BytesIn     uint64 `json:"bytes_in"`
	BytesOut    uint64 `json:"bytes_out"`
	Reloads     uint64 `json:"reloads"`
	Refused     uint64 `json:"reloads_refused"`
	// Percentiles of the durations of all requests that matched a route, in ms.
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

func (s *Server) status(ctx context.Context, _ *admin.Request) admin.Response {
	samples := s.collect(ctx)
	c, all := samples.Total(), samples.AllRoutes()
	return asJSON(Status{
		Process: s.process(), State: s.State(), Started: s.started, Now: time.Now(), Engine: s.info.Engine, Workers: len(s.workers), Predecessor: s.predecessor.Load(),
		Connections: c.DownstreamActive, Active: c.RequestsActive, Requests: c.RequestsTotal, Failed: c.Responses[0] + c.Responses[5],
		BytesIn: c.DownstreamBytesIn, BytesOut: c.DownstreamBytesOut, Reloads: s.registry.Config.Reloads.Load(), Refused: s.registry.Config.Failures.Load(),
		P50: inMS(all.At(50)), P99: inMS(all.At(99)),
	})
}

func (s *Server) collect(ctx context.Context) *telemetry.Samples {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return s.registry.Collect(ctx)
}

// Counted is what has been counted under a name: requests by class of status ("none": no response), and percentiles in ms.
type Counted struct {
	Requests uint64            `json:"requests"`
	Classes  map[string]uint64 `json:"classes"`
	P50      float64           `json:"p50_ms"`
	P90      float64           `json:"p90_ms"`
	P99      float64           `json:"p99_ms"`
	P999     float64           `json:"p99_9_ms"`
	Retries  uint64            `json:"retries"`
}

func counted(list []*telemetry.Series) map[string]*Counted {
	out := make(map[string]*Counted, len(list))
	for _, x := range list {
		c := &Counted{Requests: x.Total(), Classes: map[string]uint64{}, Retries: x.Retries}
		for i, n := range x.Requests {
			if n > 0 {
				c.Classes[[]string{"none", "1xx", "2xx", "3xx", "4xx", "5xx"}[i]] = n
			}
		}
		c.P50, c.P90, c.P99, c.P999 = inMS(x.At(50)), inMS(x.At(90)), inMS(x.At(99)), inMS(x.At(99.9))
		out[x.Name()] = c
	}
	return out
}

// inMS is a duration in ns in ms, with whole microseconds.
func inMS(ns int64) float64 { return float64(ns/1000) / 1000 }

// RouteStatus is one route in the answer of /routes.
type RouteStatus struct {
	Name    string   `json:"name"`
	Host    string   `json:"host,omitempty"`
	Path    string   `json:"path"`
	Methods []string `json:"methods,omitempty"`
	Cluster string   `json:"cluster,omitempty"`
	// To says in words where its requests go.
	To string `json:"to"`
	*Counted
}

func (s *Server) routes(ctx context.Context, _ *admin.Request) admin.Response {
	snap := s.snap.Load()
	by := counted(s.collect(ctx).Routes())
	out := struct {
		Routes []RouteStatus `json:"routes"`
		Other  *Counted      `json:"other"`
	}{Routes: make([]RouteStatus, 0, len(snap.Actions)), Other: by[telemetry.OtherName]}
	for i := range snap.Actions {
		a := &snap.Actions[i]
		st := RouteStatus{Name: a.Name, To: a.Destination(), Counted: by[a.Name]}
		st.Host, st.Path, st.Methods = snap.RouteText(i)
		if a.Cluster != nil {
			st.Cluster = a.Cluster.Name
		}
		out.Routes = append(out.Routes, st)
	}
	return asJSON(out)
}

// ClusterStatus is one cluster in the answer of /clusters.
type ClusterStatus struct {
	ClusterReport
	*Counted
}

func (s *Server) clusters(ctx context.Context, _ *admin.Request) admin.Response {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	by := counted(s.registry.Collect(ctx).Clusters())
	out := []ClusterStatus{}
	for _, c := range s.Clusters(ctx) {
		out = append(out, ClusterStatus{ClusterReport: c, Counted: by[c.Name]})
	}
	return asJSON(out)
}

// ConnectionStatus is one connection in the answer of /connections.
type ConnectionStatus struct {
	Worker   int     `json:"worker"`
	Listener string  `json:"listener"`
	Client   string  `json:"client,omitempty"`
	State    string  `json:"state"`
	Age      float64 `json:"age_s"`
	Requests int     `json:"requests"`
	Route    string  `json:"route,omitempty"`
	Endpoint string  `json:"endpoint,omitempty"`
}

func (s *Server) connections(ctx context.Context, r *admin.Request) admin.Response {
	limit := maxListed
	if v := r.Param("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLimit {
			return text(400, "expected limit to be a number from 1 to "+strconv.Itoa(maxLimit))
		}
		limit = n
	}
	out := []ConnectionStatus{}
	for i, list := range askAll(ctx, s, func(w *worker.Worker) []ConnectionStatus {
		var l []ConnectionStatus
		for _, c := range w.Connections(limit) {
			l = append(l, ConnectionStatus{Listener: c.Listener, Client: c.Client, State: c.State, Age: c.Age.Seconds(), Requests: c.Requests, Route: c.Route, Endpoint: c.Endpoint})
		}
		return l
	}) {
		for j := range list {
			list[j].Worker = i
		}
		out = append(out, list...)
	}
	total := s.Usage(ctx)
	return asJSON(struct {
		Total       int64              `json:"total"`
		Connections []ConnectionStatus `json:"connections"`
	}{total.Clients, out})
}
