package downstream

import "github.com/blitz-gateway/blitz/proxy/exchange"

// Load is how much is under way somewhere at one moment.
type Load struct {
	// Connections of clients that are open; Idle are those of them without a request.
	Connections, Idle int64
	// Requests in flight; Tunnels (WebSockets, CONNECT) are not among them.
	Requests, Tunnels int64
}

// Add adds o.
func (l *Load) Add(o Load) {
	l.Connections += o.Connections
	l.Idle += o.Idle
	l.Requests += o.Requests
	l.Tunnels += o.Tunnels
}

func (l *Load) count(x *exchange.Exchange) {
	if x.Tunnel {
		l.Tunnels++
	} else {
		l.Requests++
	}
}

// Survey is what all connections of a worker carry, by the names of the listeners they came through, and of the clusters that their requests are at; of a cluster,
// only Requests and Tunnels are known here.
type Survey struct{ Listeners, Clusters map[string]*Load }

// Survey goes through all connections, on the loop's thread: some ten nanoseconds for each. It allocates.
func (e *Env) Survey() Survey {
	s := Survey{map[string]*Load{}, map[string]*Load{}}
	for c := e.live; c != nil; c = c.next {
		l := loadOf(s.Listeners, c.lst.Name)
		l.Connections++
		busy := false
		if c.x != nil {
			busy = true
			s.exchange(l, &c.x.Exchange)
		}
		if c.h2 != nil {
			for st := c.h2.open; st != nil; st = st.next {
				if !st.over {
					busy = true
					s.exchange(l, &st.Exchange)
				}
			}
		}
		if !busy {
			l.Idle++
		}
	}
	return s
}

func (s *Survey) exchange(l *Load, x *exchange.Exchange) {
	l.count(x)
	if x.Up != nil {
		loadOf(s.Clusters, x.Cluster).count(x)
	}
}

func loadOf(m map[string]*Load, name string) *Load {
	l := m[name]
	if l == nil {
		l = new(Load)
		m[name] = l
	}
	return l
}
