package worker

import (
	"bytes"

	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/exchange"
	"github.com/blitz-gateway/blitz/proxy/route"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/upstream"
)

// scratch is memory that is only in use during one Dispatch.
type scratch struct {
	path    []byte
	params  route.Params
	find    route.Request
	allow   []byte
	traffic trafficScratch
}

// allowAny is the Allow of a 405 for TRACE, which no route can have.
var allowAny = []byte("GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS")

// connectPath is the path that a CONNECT, which has none, is routed by: its host decides.
var connectPath = []byte("/")

var methodGet = []byte("GET")

// Dispatch implements downstream.Dispatcher: steps 3 to 6 of the path.
func (w *Worker) Dispatch(x *exchange.Exchange, r *wire.Request) {
	if w.snap.Tracing != (snapshot.Tracing{}) {
		w.scratch.traffic.text = w.scratch.traffic.text[:0]
		w.trace(r)
	}
	if w.opt.Log != nil {
		x.Keep(r)
	}
	x.GRPC = x.Major == 2 && exchange.IsGRPC(r.Get(wire.FieldContentType))
	if w.pool.Pressed() {
		w.count.Shed++
		x.Down.Fail(exchange.ErrOverload)
		return
	}
	path := r.Path
	switch r.Form {
	case wire.FormAuthority:
		path = connectPath
	case wire.FormOrigin, wire.FormAbsolute:
		norm, _, err := wire.NormalizePath(w.scratch.path[:0], r.Path, wire.NormalizeOptions{})
		if err != nil {
			x.Down.Fail(exchange.FromWire(err))
			return
		}
		path = norm
	}
	if r.Scheme != nil && (len(r.Scheme) == len("https")) != (x.Down.Client().TLS != nil) { // the codecs know http and https only (RFC 9110 section 7.4)
		x.Down.Fail(exchange.ErrSchemeMismatch)
		return
	}
	if r.Method == wire.MethodTrace {
		x.Allow = allowAny
		x.Down.Fail(exchange.ErrTraceNotAllowed)
		return
	}
	method, name := r.Method, r.MethodName
	if x.Extended { // a WebSocket is a GET to whoever writes routes
		method, name = wire.MethodGet, methodGet
	}
	find := &w.scratch.find
	*find = route.Request{Host: r.Host, Path: path, Method: method, MethodName: name, Fields: r.Fields, Query: r.Query}
	if w.snap.Table.NeedsSource() {
		find.Source = x.Down.Client().Peer.Addr()
	}
	id, result := w.snap.Table.Find(find, &w.scratch.params)
	switch result {
	case route.NotFound:
		x.Down.Fail(exchange.ErrNoRoute)
		return
	case route.MethodNotAllowed:
		w.scratch.allow = w.snap.Table.AppendAllow(w.scratch.allow[:0], find)
		x.Allow = w.scratch.allow
		x.Down.Fail(exchange.ErrMethodNotAllowed)
		return
	}
	a := &w.snap.Actions[id]
	x.Route = a.Name
	w.tally(x, id)
	x.WantsUpgrade = a.AllowUpgrade && (upgradable(r) || r.Form == wire.FormAuthority)
	if !x.WantsUpgrade && (r.Form == wire.FormAuthority || x.Extended) {
		x.Down.Fail(exchange.ErrUpgradeNotAllowed)
		return
	}
	if a.MaxBody > 0 {
		x.MaxBody = a.MaxBody
	}
	if x.MaxBody > 0 && r.Body == wire.BodyLength && r.Length > x.MaxBody {
		x.Down.Fail(exchange.ErrBodyTooLarge)
		return
	}
	if a.Traffic != nil {
		w.special(x, r, path, a)
		return
	}
	switch {
	case a.Respond != nil:
		x.Down.Reply(a.Respond.Status, a.Respond.Head, a.Respond.Body)
	case a.Echo:
		w.echo(x, r)
	default:
		w.clients[a.ClusterIndex].Start(x, r, path, upstream.Options{FirstByteTimeout: a.FirstByteTimeout, IdleTimeout: a.IdleTimeout, Buffer: a.BufferRequest})
	}
}

// upgradable tells whether the upgrade that a request asks for may be offered to an upstream. HTTP/2 never is: requests inside of the
// tunnel would get past every route. Nor is one with a body, whose end the two sides could see in different places.
func upgradable(r *wire.Request) bool {
	if r.Upgrade == nil || r.Body != wire.BodyNone {
		return false
	}
	for name := range bytes.SplitSeq(r.Upgrade, comma) {
		name = bytes.Trim(name, " \t")
		if wire.EqualFold(name, h2c) || len(name) >= 4 && wire.EqualFold(name[:4], http) {
			return false
		}
	}
	return true
}

var (
	comma = []byte{','}
	h2c   = []byte("h2c")
	http  = []byte("http")
)

// Ended implements downstream.Dispatcher.
func (w *Worker) Ended(x *exchange.Exchange) {
	if a, ok := x.Aux.(*aux); ok {
		x.Aux = nil
		a.ended()
	}
	now := w.loop.Now()
	w.count.Ended(x.Status, x.Flags, now-x.Start)
	if x.Sent > 0 && x.Answered > x.Sent {
		w.count.UpstreamTime.Observe(x.Answered - x.Sent)
	}
	w.tallied(x, now)
	if w.opt.Log == nil || !w.opt.Log.Wants(x.Status, x.Flags, now-x.Start) {
		return
	}
	e := telemetry.Entry{
		Time: w.loop.Wall(), Method: x.Log.Method, Host: x.Log.Host, Path: x.Log.Path, Query: x.Log.Query,
		UserAgent: x.Log.UserAgent, RequestID: x.Log.RequestID, Major: x.Major, Minor: x.Minor, Status: x.Status, Flags: x.Flags,
		BytesIn: x.BytesIn, BytesOut: x.BytesOut, Duration: now - x.Start, Route: x.Route, Cluster: x.Cluster,
		Endpoint: x.Endpoint, Attempts: x.Attempts, UpstreamTime: -1, Code: x.Code, Detail: x.Detail,
	}
	if x.Sent > 0 && x.Answered > x.Sent {
		e.UpstreamTime = x.Answered - x.Sent
	}
	if c := x.Down.Client(); c != nil {
		e.Client, e.Listener = c.Peer, c.Listener
		if t := c.TLS; t != nil {
			e.TLSVersion, e.TLSSuite, e.ALPN, e.ServerName = t.VersionName(), t.SuiteName(), t.ALPN, t.ServerName
		}
	}
	w.opt.Log.Log(&e)
}
