package worker

import (
	"bytes"
	"math/rand/v2"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/rewrite"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// trafficScratch is memory for rewriting, only in use during one Dispatch.
type trafficScratch struct {
	in                 rewrite.Input
	text               []byte // values of fields, host, query, ids
	path, work, source []byte
}

// aux is what ends together with an exchange: its total time limit, and the copy of its request.
type aux struct {
	w     *Worker
	x     *exchange.Exchange
	timer loop.Timer
	tee   *tee
	next  *aux
}

func (w *Worker) aux(x *exchange.Exchange) *aux {
	if a, ok := x.Aux.(*aux); ok {
		return a
	}
	a := w.freeAux
	if a == nil {
		a = &aux{w: w}
		a.timer.Handler = a
	} else {
		w.freeAux = a.next
	}
	a.x, x.Aux = x, a
	return a
}

// ended is called when the exchange is over.
func (a *aux) ended() {
	a.w.loop.Disarm(&a.timer)
	if a.tee != nil {
		a.tee.ended()
	}
	a.x, a.tee = nil, nil
	a.next, a.w.freeAux = a.w.freeAux, a
}

// OnTimer implements loop.TimerHandler: the whole exchange took too long.
func (a *aux) OnTimer(*loop.Timer) {
	x := a.x
	if x == nil {
		return
	}
	down := x.Down
	if up := x.Up; up != nil {
		up.Abort()
	}
	down.Fail(exchange.ErrTotalTimeout)
	down.Flush()
}

// trace gives the request what it has to carry. The fields live in scratch memory until Dispatch returns.
func (w *Worker) trace(r *wire.Request) {
	s := &w.scratch.traffic
	if w.snap.Tracing.RequestID && len(r.Get(wire.FieldXRequestID)) == 0 {
		s.addField(r, nameRequestID, wire.FieldXRequestID, func(b []byte) []byte { return appendHex(b, rand.Uint64(), rand.Uint64()) })
	}
	if w.snap.Tracing.TraceContext && !validTraceparent(r.Get(wire.FieldTraceparent)) {
		remove := exchange.HeadEdit{Kind: exchange.RemoveField, ID: wire.FieldTracestate} // belongs to the parent that is not there
		r.Fields = remove.Apply(r.Fields)
		s.addField(r, nameTraceparent, wire.FieldTraceparent, func(b []byte) []byte {
			b = append(b, "00-"...)
			b = appendHex(b, rand.Uint64()|1, rand.Uint64())
			b = append(b, '-')
			b = appendHex(b, rand.Uint64()|1)
			return append(b, "-01"...)
		})
	}
}

var (
	nameRequestID   = []byte("x-request-id")
	nameTraceparent = []byte("traceparent")
)

// addField puts a field in place of all of its name.
func (s *trafficScratch) addField(r *wire.Request, name []byte, id wire.FieldID, value func([]byte) []byte) {
	at := len(s.text)
	s.text = value(s.text)
	d := exchange.HeadEdit{Kind: exchange.SetField, Name: name, ID: id, Value: s.text[at:len(s.text):len(s.text)]}
	r.Fields = d.Apply(r.Fields)
}

func appendHex(b []byte, words ...uint64) []byte {
	const digits = "0123456789abcdef"
	for _, v := range words {
		for shift := 60; shift >= 0; shift -= 4 {
			b = append(b, digits[v>>shift&15])
		}
	}
	return b
}

// validTraceparent checks version 00 as a whole, and of later versions the part that stays (W3C Trace Context section 4.3).
func validTraceparent(v []byte) bool {
	if len(v) < 55 || v[2] != '-' || v[35] != '-' || v[52] != '-' || len(v) > 55 && v[55] != '-' || v[0] == '0' && v[1] == '0' && len(v) != 55 {
		return false
	}
	zeros := true
	for i, c := range v[:55] {
		switch {
		case i == 2 || i == 35 || i == 52:
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		case i > 2 && i < 35:
			zeros = zeros && c == '0'
		}
	}
	return !zeros && string(v[36:52]) != "0000000000000000" && string(v[:2]) != "ff"
}

// input fills in what templates are made of.
func (w *Worker) input(x *exchange.Exchange, r *wire.Request, path []byte, t *snapshot.Traffic) *rewrite.Input {
	in := &w.scratch.traffic.in
	*in = rewrite.Input{X: x, Request: r, Path: path, Params: &w.scratch.params}
	if t.Regex != nil {
		in.Groups = t.Regex.FindSubmatch(path)
	}
	return in
}

// special serves a request whose route has more to do with it.
func (w *Worker) special(x *exchange.Exchange, r *wire.Request, path []byte, a *snapshot.Action) {
	t := a.Traffic
	if w.snap.Tracing == (snapshot.Tracing{}) { // otherwise trace has begun it
		w.scratch.traffic.text = w.scratch.traffic.text[:0]
	}
	in := w.input(x, r, path, t)
	if t.Response != nil {
		t.Response.Response(in)
	}
	switch {
	case t.Redirect != nil:
		w.redirect(x, in, t)
	case a.Respond != nil:
		w.respond(x, a.Respond)
	case a.Echo:
		w.echo(x, r)
	default:
		w.forward(x, r, path, a, in)
	}
}

// redirect answers with the Location of a redirect.
func (w *Worker) redirect(x *exchange.Exchange, in *rewrite.Input, t *snapshot.Traffic) {
	s := &w.scratch.traffic
	b := append(s.work[:0], "location: "...)
	b = t.Redirect.AppendLocation(b, in)
	b = append(b, "\r\ncontent-length: 0\r\n"...)
	b = rewrite.AppendFields(b, x)
	s.work = b
	x.Down.Reply(t.Redirect.Status, b, nil)
}

// respond answers from the configuration, with fields that depend on the request.
func (w *Worker) respond(x *exchange.Exchange, r *snapshot.Respond) {
	s := &w.scratch.traffic
	s.work = rewrite.AppendFields(append(s.work[:0], r.Head...), x)
	x.Down.Reply(r.Status, s.work, r.Body)
}

// forward sends a request on that its route has more to do with than to forward it as it is.
func (w *Worker) forward(x *exchange.Exchange, r *wire.Request, path []byte, a *snapshot.Action, in *rewrite.Input) {
	t, s := a.Traffic, &w.scratch.traffic
	index := a.ClusterIndex
	if len(t.Split.Parts) > 0 {
		index = t.Split.Part(w.splitNumber(x, r, &t.Split)).Index
		if w.opt.Scope != nil {
			x.ClusterTally = w.opt.Scope.Clusters[index]
		}
	}
	if t.Target != nil && r.Form != wire.FormAuthority {
		var err *wire.Error
		if path, err = w.retarget(x, r, path, t.Target, in); err != nil {
			x.Down.Fail(exchange.ErrRewrite)
			return
		}
	}
	if t.Request != nil {
		s.text = t.Request.Request(in, s.text)
	}
	o := upstream.Options{FirstByteTimeout: a.FirstByteTimeout, IdleTimeout: a.IdleTimeout, ConnectTimeout: t.ConnectTimeout, Buffer: a.BufferRequest, Policy: t.Policy}
	if t.TotalTimeout > 0 {
		w.loop.Arm(&w.aux(x).timer, t.TotalTimeout)
	}
	var copied *tee
	if m := t.Mirror; m != nil && !x.WantsUpgrade && (m.Percent >= 100 || rand.Uint32N(100) < m.Percent) {
		copied = w.mirror(x, r, path, m)
	}
	w.clients[index].Start(x, r, path, o)
	x.Host = nil
	if copied != nil {
		copied.join(x)
	}
}

// retarget changes path, host and query. What it makes lives in scratch memory until Dispatch returns.
func (w *Worker) retarget(x *exchange.Exchange, r *wire.Request, path []byte, t *rewrite.Target, in *rewrite.Input) ([]byte, *wire.Error) {
	s := &w.scratch.traffic
	if t.Host != nil {
		at := len(s.text)
		s.text = t.Host.Append(s.text, in)
		x.Host = s.text[at:len(s.text):len(s.text)]
	}
	if t.ChangesPath() {
		var err *wire.Error
		s.path, s.work, err = t.AppendPath(s.path[:0], s.work, in)
		if err != nil {
			return nil, err
		}
		path = s.path
	}
	switch {
	case t.DropQuery:
		r.Query, r.HasQuery = nil, false
	case t.Query != nil:
		at := len(s.text)
		s.text = t.Query.Append(s.text, in)
		// An empty end is left over when the client's query, put in last, is empty.
		q := bytes.TrimRight(s.text[at:len(s.text):len(s.text)], "&")
		r.Query, r.HasQuery = q, len(q) > 0
	}
	return path, nil
}

// splitNumber is the number that decides about the part of a split.
func (w *Worker) splitNumber(x *exchange.Exchange, r *wire.Request, s *snapshot.Split) uint32 {
	switch s.By {
	case snapshot.SplitBySource:
		return snapshot.Hash(x.Down.Client().IP)
	case snapshot.SplitByHeader:
		for i := range r.Fields {
			if f := &r.Fields[i]; f.ID == s.ID && (f.ID != wire.FieldOther || wire.EqualFold(f.Name, s.Name)) {
				return snapshot.Hash(f.Value)
			}
		}
	case snapshot.SplitByCookie:
		if v := cookie(r, s.Name); v != nil {
			return snapshot.Hash(v)
		}
	}
	return rand.Uint32()
}

// cookie finds the value of a cookie (RFC 6265 section 4.2.1), nil when there is none.
func cookie(r *wire.Request, name []byte) []byte {
	for i := range r.Fields {
		if r.Fields[i].ID != wire.FieldCookie {
			continue
		}
		rest := r.Fields[i].Value
		for len(rest) > 0 {
			pair := rest
			if k := bytes.IndexByte(rest, ';'); k >= 0 {
				pair, rest = rest[:k], rest[k+1:]
			} else {
				rest = nil
			}
			pair = bytes.TrimLeft(pair, " ")
			if len(pair) > len(name) && pair[len(name)] == '=' && bytes.Equal(pair[:len(name)], name) {
				return pair[len(name)+1:]
			}
		}
	}
	return nil
}
