package keeper

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// ClusterStatus is one cluster as it stands.
type ClusterStatus struct {
	Name    string `json:"name"`
	Balance string `json:"balance"`
	// Healthy endpoints of all; Panic tells that there are so few that health is ignored, or all requests are refused.
	Healthy   int              `json:"healthy"`
	Panic     bool             `json:"panic"`
	Endpoints []EndpointStatus `json:"endpoints"`
}

// EndpointStatus is one endpoint as it stands.
type EndpointStatus struct {
	Name     string `json:"name"`
	Zone     string `json:"zone,omitempty"`
	Priority int    `json:"priority"`
	Weight   uint32 `json:"weight"`
	// Share of the requests that it is meant to get, 0 to 1.
	Share   float64 `json:"share"`
	Healthy bool    `json:"healthy"`
	// FailsChecks says why, when the last checks failed; Ejected why and EjectedUntil how long, when it is ejected.
	FailsChecks  string     `json:"fails_checks,omitempty"`
	Ejected      string     `json:"ejected,omitempty"`
	EjectedUntil *time.Time `json:"ejected_until,omitempty"`
	// Ejections, Checks and CheckFailures so far.
	Ejections     uint64 `json:"ejections"`
	Checks        uint64 `json:"checks"`
	CheckFailures uint64 `json:"check_failures"`
	// State identifies the endpoint among what workers tell.
	State *endpoint.State `json:"-"`
}

// Status tells how all clusters are, in the order of the configuration.
func (k *Keeper) Status() []ClusterStatus {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]ClusterStatus, 0, len(k.order))
	for _, c := range k.order {
		out = append(out, k.wards[c].status())
	}
	return out
}

func (w *ward) status() ClusterStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := w.first.Latest()
	v := c.View()
	s := ClusterStatus{Name: c.Name, Balance: string(c.Balance), Healthy: v.Healthy, Panic: v.Panic, Endpoints: make([]EndpointStatus, 0, len(c.Endpoints))}
	for _, e := range c.Endpoints {
		x := EndpointStatus{
			Name: e.Name, Zone: e.Zone, Priority: e.Priority, Weight: e.Weight, Share: v.Share(e), Healthy: e.Healthy(), State: e.State,
		}
		if r := w.records[e.State]; r != nil {
			x.Ejections, x.Checks, x.CheckFailures = r.ejections, r.checks, r.checkFailures
			if e.State.Down()&endpoint.FailsChecks != 0 {
				x.FailsChecks = r.lastCheck
			}
			if r.ejected {
				until := r.until
				x.Ejected, x.EjectedUntil = r.reason, &until
			}
		}
		s.Endpoints = append(s.Endpoints, x)
	}
	return s
}
