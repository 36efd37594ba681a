package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// repeatable tells whether the request is whole at hand and nothing of a response has reached the client. acted says that the endpoint may have
// acted on it, which only idempotent methods allow (RFC 9110 section 9.2.2) unless the operator says otherwise.
func (q *Request) repeatable(acted bool) bool {
	if q.answered || !q.q.Kept() || q.x.Tunnel {
		return false
	}
	return !acted || q.x.Method.IsIdempotent() || q.rules().NonIdempotent
}

// rules say when q is tried again: its route's or the cluster's.
func (q *Request) rules() *cluster.Retry {
	if q.policy != nil {
		return &q.policy.Retry
	}
	return &q.client.c.Retry
}

// mayRetry decides about another attempt after f, and takes it out of what is allowed.
func (q *Request) mayRetry(f *exchange.Failure, stale bool) bool {
	if f.Retry == exchange.RetryNever || !q.repeatable(f.Retry == exchange.RetryIdempotent) || q.twin != nil {
		return false
	}
	if stale && !q.freeRetryUsed {
		q.freeRetryUsed, q.delay = true, 0
		return true
	}
	on := reason(f)
	if q.rules().On&on == 0 || !q.take() {
		return false
	}
	q.delay = q.backoff()
	if (on == cluster.OnConnect || on == cluster.OnTimeout) && q.retries == 1 && q.client.c.View().Len() > 1 {
		// The next one goes elsewhere. After a failed connect nobody was burdened yet. After a time limit there is nothing to spread: attempts that end by it
		// end as far apart as their requests came, and each has waited for long.
		q.delay = 0
	}
	return true
}

// reason is the kind of a failure as the configuration knows it.
func reason(f *exchange.Failure) cluster.On {
	switch {
	case f.Flags&exchange.UpstreamConnectFailure != 0:
		return cluster.OnConnect
	case f == exchange.ErrTryTimeout:
		return cluster.OnTimeout
	case f == exchange.ErrReset || f == exchange.ErrSend || f == errSendNothing:
		return cluster.OnReset
	case f.Retry == exchange.RetryAlways:
		return cluster.OnRefused
	}
	return cluster.OnReset
}

// take takes one retry out of the request's number, the cluster's limit and the budget.
func (q *Request) take() bool {
	cl := q.client
	if q.retriesLeft <= 0 {
		return false
	}
	if b := cl.c.Breaker.Retries; b > 0 && !q.retrying && cl.retrying >= b {
		cl.env.Count.BreakerRetries++
		return false
	}
	if !cl.budget.retry(cl.env.Loop.Now(), &cl.c.Retry) {
		cl.env.Count.RetryBudgetExhausted++
		return false
	}
	q.retriesLeft--
	q.retries++
	if !q.retrying {
		q.retrying = true
		cl.retrying++
	}
	return true
}

// backoff is a random time up to a bound that doubles with each retry (full jitter).
func (q *Request) backoff() time.Duration {
	r := q.rules()
	bound := r.BackoffBase
	for i := 1; i < q.retries && bound < r.BackoffMax; i++ {
		bound *= 2
	}
	bound = min(bound, r.BackoffMax)
	if bound <= 0 {
		return 0
	}
	return time.Duration(q.client.picker.Random() % uint64(bound))
}

// retryStatus decides whether a response is given up for another attempt.
func (q *Request) retryStatus(resp *wire.Response) bool {
	r := q.rules()
	if r.On&cluster.OnStatus == 0 || !lists(r, resp, q.x.GRPC) || q.twin != nil || !q.repeatable(true) {
		return false
	}
	after := retryAfter(resp)
	if after > r.RetryAfterMax || !q.take() {
		return false
	}
	q.delay = max(q.backoff(), after)
	return true
}

// lists tells whether the status of a response is one to try again for. That of a gRPC call stands in its head only where the head is all there is, which is
// how a server refuses a call (Trailers-Only, https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func lists(r *cluster.Retry, resp *wire.Response, grpc bool) bool {
	if resp.Status < len(r.Statuses) && r.Statuses[resp.Status] {
		return true
	}
	if !grpc || r.GRPC == 0 {
		return false
	}
	code, given := grpcCode(resp.Fields)
	return given && code < 32 && r.GRPC>>code&1 != 0
}

// retryAfter is the value of Retry-After (RFC 9110 section 10.2.3), 0 when there is none. A date counts as too long.
func retryAfter(resp *wire.Response) time.Duration {
	v := resp.Get(wire.FieldRetryAfter)
	if v == nil {
		return 0
	}
	const tooLong = 24 * time.Hour
	n := time.Duration(0)
	for _, c := range v {
		if c < '0' || c > '9' || n > tooLong/time.Second {
			return tooLong
		}
		n = n*10 + time.Duration(c-'0')
	}
	return n * time.Second
}

// tryOver ends an attempt that took too long, if there is another one to make. Otherwise it goes on until its other time limits.
func (q *Request) tryOver() {
	c := q.conn
	if c == nil && q.s == nil || q.answered {
		return // it waits for a connection, which has a time limit of its own
	}
	q.judge(exchange.ErrTryTimeout)
	if q.mayRetry(exchange.ErrTryTimeout, false) {
		q.client.env.Count.TryTimeouts++
		if q.s != nil {
			q.hc.repeat(q)
			return
		}
		c.repeat(false)
	}
}

// retry sends the kept bytes again, elsewhere if there is an elsewhere, when the time has come.
func (q *Request) retry(failed *endpoint.Endpoint, stale bool) {
	l := q.client.env.Loop
	q.client.env.Count.UpstreamRetries++
	q.q.Rewind()
	if !stale {
		q.tried.Add(failed) // otherwise the endpoint is not to blame: the connection was idle for too long
	}
	if q.delay > 0 {
		q.try.Kind = waitBackoff
		l.Arm(&q.try, q.delay)
		return
	}
	l.Disarm(&q.try)
	q.attempt()
	q.Flush()
}
