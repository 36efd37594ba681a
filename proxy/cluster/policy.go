package cluster

import "time"

// KeySource is a part of the request.
type KeySource string

// Parts of a request that can decide where it goes.
const (
	KeyNone     KeySource = ""
	KeyHeader   KeySource = "header"
	KeyCookie   KeySource = "cookie"
	KeySourceIP KeySource = "source"
	KeyPath     KeySource = "path"
)

// Key is what a hashing balancer hashes. A request without it goes anywhere.
type Key struct {
	From KeySource
	// Name of the header (compared without regard to case) or of the cookie.
	Name []byte
}

// On is a set of reasons to try again.
type On uint8

// Reasons to try again.
const (
	OnConnect On = 1 << iota // no connection came about
	OnReset                  // the connection ended before the head of the response
	OnTimeout                // PerTry was over
	OnRefused                // the endpoint said that it has not looked at the request (HTTP/2 REFUSED_STREAM, GOAWAY)
	OnStatus                 // a status of the list
)

// Retry says when a request is tried again. Cluster.Retries says how often.
type Retry struct {
	On On
	// Statuses by value; one that is listed is not passed on as long as there are retries.
	Statuses [600]bool
	// GRPC likewise for statuses of gRPC: bit n stands for code n.
	GRPC uint32
	// NonIdempotent allows methods to be repeated that are not idempotent (RFC 9110 section 9.2.2) although an endpoint may have acted on them.
	NonIdempotent bool
	// BackoffBase and BackoffMax: the n-th retry waits a random time between 0 and min(BackoffMax, BackoffBase·2ⁿ) ("full jitter"). The first
	// retry after a failed connect goes to another endpoint at once.
	BackoffBase, BackoffMax time.Duration
	// PerTry bounds one attempt from its start to the head of its response; 0: no bound but FirstByteTimeout.
	PerTry time.Duration
	// RetryAfterMax is the longest Retry-After that is waited for; a response that asks for more is passed on.
	RetryAfterMax time.Duration
	// BudgetPercent is the most retries for 100 requests within the last ten seconds of one worker; BudgetMin are retries per
	// second of one worker that are allowed in any case. BudgetPercent below 0 is no budget.
	BudgetPercent, BudgetMin int
}

// RoutePolicy is how one route has its requests tried again. It does not change.
type RoutePolicy struct {
	// Retries and Retry in place of those of the cluster, but for the budget.
	Retries int
	Retry   Retry
	// NoHedge: no second attempt beside a slow one.
	NoHedge bool
}

// Hedge is a second attempt beside a slow first one.
type Hedge struct {
	// After is how long the first attempt may take until the second one starts; 0: never. Only requests that may be repeated
	// are hedged, only once, and out of the budget of retries.
	After time.Duration
}

// Breaker holds one worker's share of the limits of the whole cluster; 0: no limit.
type Breaker struct {
	Connections, Pending, Requests, Retries int
}
