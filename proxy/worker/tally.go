package worker

import (
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// tally notes under which names the request is counted, as the snapshot has it that routed the request.
func (w *Worker) tally(x *exchange.Exchange, id route.ID) {
	s := w.opt.Scope
	if s == nil {
		return
	}
	x.RouteTally = s.Routes[id]
	if c := w.snap.Actions[id].ClusterIndex; c >= 0 {
		x.ClusterTally = s.Clusters[c]
	}
}

// tallied counts the request there.
func (w *Worker) tallied(x *exchange.Exchange, now int64) {
	if x.RouteTally != nil {
		x.RouteTally.Count(x.Status, now-x.Start, x.Attempts-1)
	}
	if x.ClusterTally != nil {
		took := int64(-1)
		if x.Sent > 0 && x.Answered > x.Sent {
			took = x.Answered - x.Sent
		}
		x.ClusterTally.Count(x.Status, took, x.Attempts-1)
	}
}
