package upstream

// A hedged exchange has two Requests for a while, twins: each with its own endpoint, connection, timers and copy of the bytes. The first
// head wins; whoever fails while the other one lives leaves without a word.

// armHedge plans a second attempt, when the request is one that may be sent twice.
func (q *Request) armHedge() {
	after := q.client.c.Hedge.After
	if after <= 0 || q.policy != nil && q.policy.NoHedge || q.hedged || q.twin != nil || q.answered || !q.finished || q.x.WantsUpgrade || !q.repeatable(true) {
		return
	}
	q.hedge.Kind = waitHedge
	q.client.env.Loop.Arm(&q.hedge, after)
}

// startTwin makes the second attempt.
func (q *Request) startTwin() {
	cl := q.client
	if q.answered || q.twin != nil || q.conn == nil && q.hc == nil || q.on == nil || !q.repeatable(true) || cl.c.View().Len() < 2 {
		return
	}
	if !cl.budget.retry(cl.env.Loop.Now(), &cl.c.Retry) {
		cl.env.Count.RetryBudgetExhausted++
		return
	}
	t := cl.env.request()
	t.client, t.x = cl, q.x
	t.firstByte, t.idle, t.connectTime, t.policy = q.firstByte, q.idle, q.connectTime, q.policy
	t.finished, t.key, t.tried = true, q.key, q.tried
	t.kept, t.empty, t.headLen, t.trailers = q.kept, q.empty, q.headLen, q.trailers
	t.tried.Add(q.on.ep)
	cl.active++
	t.q.Keep()
	if !q.q.CopyKept(&t.q) {
		t.free()
		return
	}
	t.inheritDeadline(q)
	cl.env.Count.Hedges++
	q.hedged = true
	q.twin, t.twin = t, q
	t.attempt()
	if t.twin == q {
		t.Flush()
	}
}

// part makes twins strangers.
func (q *Request) part() {
	q.twin.twin, q.twin = nil, nil
}

// yield leaves the exchange to the twin; false when there is none.
func (q *Request) yield() bool {
	t := q.twin
	if t == nil {
		return false
	}
	q.part()
	t.retriesLeft += q.retriesLeft
	t.freeRetryUsed = t.freeRetryUsed || q.freeRetryUsed
	x := q.x
	q.drop()
	x.Up = t
	if t.on != nil {
		x.Endpoint = t.on.ep.Name
	}
	return true
}
