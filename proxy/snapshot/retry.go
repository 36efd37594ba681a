package snapshot

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

var reasons = map[string]cluster.On{
	"connect": cluster.OnConnect, "reset": cluster.OnReset, "timeout": cluster.OnTimeout, "refused": cluster.OnRefused, "status": cluster.OnStatus,
}

// grpcStatuses are the names of the statuses of gRPC by their codes (https://grpc.io/docs/guides/status-codes/). 0 is success.
var grpcStatuses = [...]string{
	"ok", "cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists", "permission_denied", "resource_exhausted",
	"failed_precondition", "aborted", "out_of_range", "unimplemented", "internal", "unavailable", "data_loss", "unauthenticated",
}

func retry(r *config.Retry) cluster.Retry {
	out := cluster.Retry{
		NonIdempotent: r.NonIdempotent, BackoffBase: time.Duration(r.Backoff), BackoffMax: time.Duration(r.MaxBackoff), PerTry: time.Duration(r.PerTry),
		RetryAfterMax: time.Duration(r.MaxRetryAfter), BudgetPercent: r.Budget.Percent, BudgetMin: r.Budget.Min,
	}
	for _, word := range r.On {
		out.On |= reasons[word]
	}
	for _, s := range r.Statuses {
		out.Statuses[s] = true
	}
	for code, name := range grpcStatuses {
		for _, s := range r.GRPCStatuses {
			if s == name {
				out.GRPC |= 1 << code
			}
		}
	}
	return out
}

// routePolicy is how a route has its requests tried again; nil: as its cluster does.
func routePolicy(r *config.RouteRetry) *cluster.RoutePolicy {
	if r == nil {
		return nil
	}
	return &cluster.RoutePolicy{Retries: r.Retries, Retry: retry(r.Retry()), NoHedge: !r.Hedge}
}
