package upstream

import (
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// failedLatency is what a failed attempt counts as in the moving average of latencies, in ns: otherwise the endpoint that refuses
// fastest would get the most requests.
const failedLatency = 1e9

// judge counts a failed attempt against its endpoint.
func (q *Request) judge(f *exchange.Failure) {
	if f.Source != exchange.FromUpstream || q.on == nil || q.answered {
		return
	}
	o := endpoint.GatewayError
	if f.Flags&exchange.UpstreamConnectFailure != 0 {
		o = endpoint.ConnectError
	}
	now := q.client.env.Loop.Now()
	q.on.load.Observe(max(now-q.began, failedLatency), now)
	q.count(o)
}

// judgeStatus counts an answered attempt.
func (q *Request) judgeStatus(status int) {
	o := endpoint.Success
	now := q.client.env.Loop.Now()
	latency := now - q.began
	switch {
	case status >= 502 && status <= 504:
		o, latency = endpoint.GatewayError, max(latency, failedLatency)
	case status >= 500:
		o, latency = endpoint.ServerError, max(latency, failedLatency)
	}
	q.on.load.Observe(latency, now)
	q.count(o)
}

// count counts an outcome here and, where endpoints are ejected for their failures, for all workers.
func (q *Request) count(o endpoint.Outcome) {
	p := q.on
	p.seen.total++
	switch o {
	case endpoint.Success:
	case endpoint.ServerError:
		p.seen.server++
	case endpoint.GatewayError:
		p.seen.gateway++
	case endpoint.ConnectError:
		p.seen.connect++
	}
	cl := q.client
	out := cl.c.Upkeep.Outlier
	if out == nil {
		return
	}
	n := p.ep.State.Count(o)
	if o == endpoint.Success {
		return
	}
	if out.ConsecutiveServer > 0 && n.Server >= out.ConsecutiveServer ||
		out.ConsecutiveGateway > 0 && n.Gateway >= out.ConsecutiveGateway ||
		out.ConsecutiveConnect > 0 && n.Connect >= out.ConsecutiveConnect {
		cl.c.Trip(p.ep)
	}
}

// accept takes the head of the final response, which came from the endpoint of p. False: the response is not passed on, because
// the request is tried again; the caller closes or resets what it came on and calls retry. Otherwise q is the only
// attempt from here on, and the head may go to the downstream side.
func (q *Request) accept(resp *wire.Response, p *pool) bool {
	if q.on == nil { // the endpoint was let go already
		q.enter(p)
	}
	q.judgeStatus(resp.Status)
	if !q.x.Tunnel && q.retryStatus(resp) {
		return false
	}
	q.answered = true
	q.q.Unkeep()
	if t := q.twin; t != nil {
		q.part()
		t.drop()
		q.x.Up = q
		q.x.Endpoint = p.ep.Name
		if q.hedged {
			q.client.env.Count.HedgesLost++
		} else {
			q.client.env.Count.HedgesWon++
		}
	}
	q.quiet()
	q.x.Answered = q.client.env.Loop.Now()
	if c := p.ep.Cookie; c != nil && (q.want == nil || q.want.State != p.ep.State) {
		resp.Fields = append(resp.Fields, wire.Field{Name: nameSetCookie, Value: c, ID: wire.FieldSetCookie})
	}
	return true
}

var nameSetCookie = []byte("set-cookie")
