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
	if f.Source != exchange.FromUpstream || q.on == nil || q.answered && !(q.unjudged && f == exchange.ErrTruncated) {
		return
	}
	q.unjudged = false
	o := endpoint.GatewayError
	if f.Flags&exchange.UpstreamConnectFailure != 0 {
		o = endpoint.ConnectError
	}
	now := q.client.env.Loop.Now()
	q.on.load.Observe(max(now-q.began, failedLatency), now)
	q.count(o)
}

// judgeHead counts an answered attempt by its head. Of a gRPC call that tells all only when it is the whole answer; otherwise the trailers do.
func (q *Request) judgeHead(resp *wire.Response) {
	status := resp.Status
	q.unjudged = false
	if q.x.GRPC && status == 200 {
		code, given := grpcCode(resp.Fields)
		if q.unjudged = !given; given {
			status = grpcAsHTTP(code)
		}
	}
	now := q.client.env.Loop.Now()
	latency := now - q.began
	if status >= 500 {
		latency = max(latency, failedLatency)
	}
	q.on.load.Observe(latency, now)
	if !q.unjudged {
		q.count(outcome(status))
	}
}

// judgeEnd counts a gRPC call by its trailers, if its head did not tell. One without a status is broken
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func (q *Request) judgeEnd(trailers []wire.Field) {
	if !q.unjudged || q.on == nil {
		return
	}
	q.unjudged = false
	status := 500
	if code, given := grpcCode(trailers); given {
		status = grpcAsHTTP(code)
	}
	if status >= 500 {
		q.on.load.Observe(failedLatency, q.client.env.Loop.Now())
	}
	q.count(outcome(status))
}

func outcome(status int) endpoint.Outcome {
	switch {
	case status >= 502 && status <= 504:
		return endpoint.GatewayError
	case status >= 500:
		return endpoint.ServerError
	}
	return endpoint.Success
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
	q.judgeHead(resp)
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
