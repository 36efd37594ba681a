package server

import (
	"context"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/keeper"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// newKeeper makes the keeper of this server's clusters.
func (s *Server) newKeeper() *keeper.Keeper {
	return keeper.New(keeper.Options{Publish: s.updateCluster, Collect: s.seen})
}

// updateCluster gives a new generation of a cluster to all workers. The order of generations is that of the mailboxes.
func (s *Server) updateCluster(c *cluster.Cluster) {
	for _, w := range s.workers {
		w.Post(func() { w.UpdateCluster(c) })
	}
}

// seen sums up what the workers saw.
func (s *Server) seen(ctx context.Context) map[*endpoint.State]keeper.Seen {
	out := map[*endpoint.State]keeper.Seen{}
	for state, x := range s.endpoints(ctx) {
		out[state] = keeper.Seen{Attempts: x.Attempts, Failures: x.ServerErrors + x.GatewayErrors + x.ConnectErrors}
	}
	return out
}

// endpoints asks all workers about their endpoints and adds the answers up. Those that do not answer before ctx ends are left out.
func (s *Server) endpoints(ctx context.Context) map[*endpoint.State]upstream.EndpointStats {
	answers := make(chan []upstream.EndpointStats, len(s.workers))
	asked := 0
	for _, w := range s.workers {
		if w.Post(func() { answers <- w.AppendEndpoints(nil) }) {
			asked++
		}
	}
	out := map[*endpoint.State]upstream.EndpointStats{}
	for ; asked > 0; asked-- {
		select {
		case list := <-answers:
			for _, x := range list {
				sum := out[x.Endpoint.State]
				sum.Endpoint = x.Endpoint
				sum.Active += x.Active
				sum.Open += x.Open
				sum.Idle += x.Idle
				sum.Queued += x.Queued
				sum.Attempts += x.Attempts
				sum.ServerErrors += x.ServerErrors
				sum.GatewayErrors += x.GatewayErrors
				sum.ConnectErrors += x.ConnectErrors
				sum.Latency = max(sum.Latency, x.Latency)
				out[x.Endpoint.State] = sum
			}
		case <-ctx.Done():
			return out
		}
	}
	return out
}

// EndpointReport is an endpoint as the control plane and the workers see it.
type EndpointReport struct {
	keeper.EndpointStatus
	// Requests in flight, open and unused connections, requests that wait for a connection.
	Active int64 `json:"active"`
	Open   int64 `json:"open"`
	Idle   int64 `json:"idle"`
	Queued int64 `json:"queued"`
	// Attempts that ended, and those of them that failed, by kind.
	Attempts      uint64 `json:"attempts"`
	ServerErrors  uint64 `json:"server_errors"`
	GatewayErrors uint64 `json:"gateway_errors"`
	ConnectErrors uint64 `json:"connect_errors"`
	// LatencySeconds is the moving average to the head of the response of the worker where it is worst.
	LatencySeconds float64 `json:"latency_seconds"`
}

// ClusterReport is a cluster as the control plane and the workers see it.
type ClusterReport struct {
	Name      string           `json:"name"`
	Balance   string           `json:"balance"`
	Healthy   int              `json:"healthy"`
	Panic     bool             `json:"panic"`
	Endpoints []EndpointReport `json:"endpoints"`
}

// Clusters reports about all clusters in force. Workers that do not answer before ctx ends are left out of the sums.
func (s *Server) Clusters(ctx context.Context) []ClusterReport {
	seen := s.endpoints(ctx)
	status := s.keeper.Status()
	out := make([]ClusterReport, 0, len(status))
	for _, c := range status {
		r := ClusterReport{Name: c.Name, Balance: c.Balance, Healthy: c.Healthy, Panic: c.Panic, Endpoints: make([]EndpointReport, 0, len(c.Endpoints))}
		for _, e := range c.Endpoints {
			x := seen[e.State]
			r.Endpoints = append(r.Endpoints, EndpointReport{
				EndpointStatus: e, Active: x.Active, Open: x.Open, Idle: x.Idle, Queued: x.Queued, Attempts: x.Attempts,
				ServerErrors: x.ServerErrors, GatewayErrors: x.GatewayErrors, ConnectErrors: x.ConnectErrors, LatencySeconds: x.Latency.Seconds(),
			})
		}
		out = append(out, r)
	}
	return out
}

// clusterSamples is Clusters for the metrics.
func (s *Server) clusterSamples(ctx context.Context) []telemetry.ClusterSample {
	reports := s.Clusters(ctx)
	out := make([]telemetry.ClusterSample, 0, len(reports))
	for _, c := range reports {
		x := telemetry.ClusterSample{Name: c.Name, Healthy: c.Healthy, Panic: c.Panic}
		for _, e := range c.Endpoints {
			x.Endpoints = append(x.Endpoints, telemetry.EndpointSample{
				Name: e.Name, Healthy: e.Healthy, Ejections: e.Ejections, Checks: e.Checks, CheckFailures: e.CheckFailures, Active: e.Active, Open: e.Open,
				Attempts: e.Attempts, ServerErrors: e.ServerErrors, GatewayErrors: e.GatewayErrors, ConnectErrors: e.ConnectErrors,
			})
		}
		out = append(out, x)
	}
	return out
}

// keep makes the clusters of a snapshot the ones that are looked after.
func (s *Server) keep(snap *snapshot.Snapshot) { s.keeper.Set(snap.Clusters) }
