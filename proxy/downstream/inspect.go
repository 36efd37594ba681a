package downstream

import "time"

// Info describes a connection for operators.
type Info struct {
	Listener, Client string
	// State is "idle", "request", "tunnel", "handshake" (nothing was asked yet) or "closing".
	State string
	// Age since the accept; Requests so far.
	Age      time.Duration
	Requests int
	// Route and Endpoint of the request in flight.
	Route, Endpoint string
}

// AppendInfo describes up to limit connections, the newest first. On the loop's thread; it allocates.
func (e *Env) AppendInfo(dst []Info, limit int) []Info {
	now := e.Loop.Now()
	for c := e.live; c != nil && len(dst) < limit; c = c.next {
		i := Info{Listener: c.lst.Name, Age: time.Duration(now - c.started), Requests: c.requests, State: "idle"}
		if client := c.Client(); client.Peer.IsValid() {
			i.Client = client.Peer.String()
		}
		switch x := c.x; {
		case c.closing || c.lingering:
			i.State = "closing"
		case x != nil && x.Tunnel:
			i.State = "tunnel"
		case x != nil, c.h2 != nil && c.h2.open != nil:
			i.State = "request"
		case c.requests == 0:
			i.State = "handshake"
		}
		if c.x != nil {
			i.Route, i.Endpoint = c.x.Route, c.x.Endpoint
		}
		dst = append(dst, i)
	}
	return dst
}
