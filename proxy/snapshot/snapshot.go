package snapshot

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// Snapshot is immutable.
type Snapshot struct {
	// Generation counts snapshots of this process from 1.
	Generation uint64
	// Table finds the route of a request; Actions is indexed by its route.ID, and so is what Rules returns.
	Table     *route.Table
	Actions   []Action
	Clusters  []*cluster.Cluster
	Listeners []Listener
	Workers   Workers
	AccessLog AccessLog
	Tracing   Tracing
	// Admin is the address for operators; nil: none.
	Admin *loop.Addr
	// AdminToken is the secret that changes at the admin listener need; "": nothing can be changed there.
	AdminToken string
	// Watch: the configuration is read again when its file changes.
	Watch bool
	// DrainTimeout is how long requests in flight may take after SIGTERM. Before that, DrainDelay is how long readiness is false already while
	// new connections are still welcome; DrainIdle is how long an unused connection may still send a request.
	DrainTimeout, DrainDelay, DrainIdle time.Duration

	config *config.Config // what it was built from
	rules  func() []route.Rule
	files  [][]file // of the clusters, as they were read
}

// Config is what the snapshot was built from; nil for no snapshot. It must not be changed.
func (s *Snapshot) Config() *config.Config {
	if s == nil {
		return nil
	}
	return s.config
}

// Action is what happens to a request that matched a route. Exactly one of Cluster, Respond, Echo, Traffic.Split and
// Traffic.Redirect is set.
type Action struct {
	// Name is for logs and metrics.
	Name string
	// Cluster to forward to.
	Cluster *cluster.Cluster
	// ClusterIndex is the position of Cluster in Snapshot.Clusters (-1: none); per-worker tables are indexed by it.
	ClusterIndex int
	// Respond answers at once.
	Respond *Respond
	// Echo answers 200 with the request's own body and content type.
	Echo bool
	// MaxBody is the largest request body in bytes, 0: that of the listener. BodyLimit puts both together.
	MaxBody int64
	// AllowUpgrade lets Upgrade and CONNECT through.
	AllowUpgrade bool
	// BufferRequest is how much of the body is received before an endpoint is asked, in bytes.
	BufferRequest int
	// Timeouts of the route; 0 means the cluster's.
	FirstByteTimeout, IdleTimeout time.Duration
	// Traffic is everything else that is done with a request; nil: nothing.
	Traffic *Traffic
}

// Destination says in words where requests go: a cluster, several with their shares, a redirect's status, an answer's.
func (a *Action) Destination() string {
	switch t := a.Traffic; {
	case a.Cluster != nil:
		return a.Cluster.Name
	case a.Respond != nil:
		return "answers " + strconv.Itoa(a.Respond.Status)
	case t != nil && t.Redirect != nil:
		return "redirects " + strconv.Itoa(t.Redirect.Status)
	case t != nil && len(t.Split.Parts) > 0:
		var parts []string
		below := uint32(0)
		for _, p := range t.Split.Parts {
			parts = append(parts, p.Cluster.Name+" "+strconv.FormatFloat(100*float64(p.Below-below)/float64(t.Split.Total), 'g', 3, 64)+" %")
			below = p.Below
		}
		return strings.Join(parts, ", ")
	}
	return "echoes"
}

// BodyLimit is the largest request body of a request that came through l, in bytes, 0: no limit.
func (a *Action) BodyLimit(l *Listener) int64 {
	if a.MaxBody > 0 {
		return a.MaxBody
	}
	return l.MaxBody
}

// Respond is a response made from configuration. Head is everything between the status line and the empty line, rendered once
// (fields with CRLF each, Content-Length included, without Date, Server and Connection).
type Respond struct {
	Status int
	Head   []byte
	Body   []byte
}

// Listener is one address to accept on.
type Listener struct {
	Name    string
	Address loop.Addr
	// Backlog of listen(2).
	Backlog int
	// Limits of the codec; HeaderTimeout bounds the time from the first byte of a request to the end of its head, IdleTimeout an
	// unused keep-alive connection, BodyIdleTimeout a pause in a request body or of a client that does not read.
	Limits                                      wire.Limits
	HeaderTimeout, IdleTimeout, BodyIdleTimeout time.Duration
	// HTTP1 and HTTP2 are the versions spoken; H2Limits those of the codec.
	HTTP1, HTTP2 bool
	H2Limits     h2.Limits
	// MaxBody is the largest request body in bytes where the route has no limit of its own, 0: no limit.
	MaxBody int64
	// MaxRequests per connection, 0: no limit. MaxConnections per worker, 0: no limit.
	MaxRequests, MaxConnections int
	// MaxPerSource is how many connections one worker takes from one client address, 0: no limit.
	MaxPerSource int
	// MaxAge of a connection, 0: no limit.
	MaxAge time.Duration
	// MinRate in bytes per second that a client has to keep up, 0: none.
	MinRate int64
	// ProxyProtocol: connections begin with a PROXY protocol header.
	ProxyProtocol bool
	// TrustForwarded keeps X-Forwarded-* of the client and appends to it; otherwise they are replaced.
	TrustForwarded bool
	// TLS on the same port, nil: none.
	TLS *TLS
	// ServerName is the Server field of local replies and the pseudonym in Via; "" sends neither.
	ServerName string
}

// Workers shapes the data plane.
type Workers struct {
	// Count is at least 1.
	Count int
	// CPUs has one entry for each worker; empty: not pinned.
	CPUs []int
	// Engine is "auto", "uring" or "epoll".
	Engine string
	// SteerByCPU gives a new connection to the worker on the CPU that processes its packets.
	SteerByCPU bool
	// BusyPoll is how long to spin before sleeping, 0: not at all.
	BusyPoll time.Duration
	// Buffers is the memory for data in flight in bytes, all workers together.
	Buffers int64
}

// AccessLog of the data plane.
type AccessLog struct {
	// Path is a file, "stdout" or "stderr"; "" is off.
	Path string
	// Format is "json" or "text".
	Format string
	// Fields to write, in this order; empty: all.
	Fields []string
	// Sample is the share of ordinary requests that are logged; failures, and requests that take Slow or longer (0: none), always are.
	Sample float64
	Slow   time.Duration
}

// Equal tells whether both write the same lines to the same place.
func (a *AccessLog) Equal(b *AccessLog) bool {
	return a.Path == b.Path && a.Format == b.Format && slices.Equal(a.Fields, b.Fields) && a.Sample == b.Sample && a.Slow == b.Slow
}
