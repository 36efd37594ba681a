package snapshot

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

// policies fills in what says how the endpoints of a cluster are used.
func policies(cl *cluster.Cluster, _ *config.Cluster) {
	cl.Retry = cluster.Retry{
		On:          cluster.OnConnect | cluster.OnReset | cluster.OnTimeout | cluster.OnRefused,
		BackoffBase: 25 * time.Millisecond, BackoffMax: 250 * time.Millisecond,
		BudgetPercent: 20, BudgetMin: 10,
	}
}
