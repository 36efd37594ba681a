package snapshot

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/cluster"
)

// tries are the attempts that a request of a route may have.
type tries struct {
	retries int
	rule    *cluster.Retry
	noHedge bool
	own     bool           // the route says so, not the cluster
	budget  *cluster.Retry // it is the cluster's in any case; nil: it depends on which one is chosen
}

// triesOf is what holds for a: what the route says in place of what its cluster does. c is nil when the cluster is not known beforehand.
func triesOf(a *Action, c *cluster.Cluster) tries {
	var t tries
	if c != nil {
		t.retries, t.rule, t.budget = c.Retries, &c.Retry, &c.Retry
	}
	if a.Traffic != nil && a.Traffic.Policy != nil {
		p := a.Traffic.Policy
		t.retries, t.rule, t.noHedge, t.own = p.Retries, &p.Retry, p.NoHedge, true
	}
	return t
}

// repeats tells whether a request may be sent again although an endpoint may have acted on it.
func (t *tries) repeats(r *wire.Request) bool { return r.Method.IsIdempotent() || t.rule.NonIdempotent }

// text is when and how often r is tried again; "" when there is nothing to say.
func (t *tries) text(r *wire.Request) string {
	switch {
	case t.retries == 0 && t.own:
		return "is not tried again, by the route's own rule"
	case t.retries == 0:
		return ""
	}
	text := fmt.Sprintf("up to %d retries", t.retries)
	if t.retries == 1 {
		text = "one retry"
	}
	if t.own {
		text += " by the route's own rule"
	}
	text += " (" + strings.Join(reasonTexts(t.rule), ", ") + ")"
	if t.rule.PerTry > 0 {
		text += ", each attempt at most " + t.rule.PerTry.String()
	}
	if t.rule.BackoffMax > 0 {
		text += fmt.Sprintf(", after a random wait of up to %s, doubled each time, at most %s", t.rule.BackoffBase, t.rule.BackoffMax)
	}
	if t.budget != nil && t.budget.BudgetPercent >= 0 {
		text += fmt.Sprintf("; budget: %d %% of requests, and %d a second in any case", t.budget.BudgetPercent, t.budget.BudgetMin)
	}
	if !t.repeats(r) {
		text += "; " + string(r.MethodName) + " is not idempotent, so only what no endpoint can have acted on is tried again"
	}
	return text
}

// reasonTexts are the reasons to try again; in place of that of the status, the statuses.
func reasonTexts(r *cluster.Retry) (when []string) {
	for _, x := range []struct {
		on   cluster.On
		name string
	}{{cluster.OnConnect, "connect"}, {cluster.OnReset, "reset"}, {cluster.OnTimeout, "timeout"}, {cluster.OnRefused, "refused"}} {
		if r.On&x.on != 0 {
			when = append(when, x.name)
		}
	}
	if r.On&cluster.OnStatus == 0 {
		return when
	}
	for status, on := range r.Statuses {
		if on {
			when = append(when, strconv.Itoa(status))
		}
	}
	for code, name := range grpcStatuses {
		if r.GRPC&(1<<code) != 0 {
			when = append(when, "gRPC "+name)
		}
	}
	return when
}
