package snapshot

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// resolveTimeout bounds all name look-ups of one Build together.
const resolveTimeout = 10 * time.Second

// usableCPUs is how many CPUs the process may use, the quota of a container included. It is taken before anybody
// changes GOMAXPROCS.
var usableCPUs = runtime.GOMAXPROCS(0)

// Resolver finds the addresses of host names.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Build makes the snapshot of a configuration that config has checked. generation counts from 1. Host names of endpoints are resolved
// by the system's resolver, so Build may take seconds and must not run on a loop thread. The error names every endpoint that could not be resolved.
func Build(c *config.Config, generation uint64) (*Snapshot, error) {
	return BuildWith(c, generation, net.DefaultResolver)
}

// BuildWith is Build with another resolver. With nil no names are looked up and their endpoints get no address: enough for Explain.
func BuildWith(c *config.Config, generation uint64, r Resolver) (*Snapshot, error) {
	return build(c, generation, r, nil)
}

func build(c *config.Config, generation uint64, r Resolver, prev *Snapshot) (*Snapshot, error) {
	s := &Snapshot{
		config:       c,
		Generation:   generation,
		Workers:      workers(&c.Workers),
		AccessLog:    accessLog(&c.AccessLog),
		Tracing:      Tracing{RequestID: c.Tracing.RequestID, TraceContext: c.Tracing.TraceContext},
		DrainTimeout: time.Duration(c.DrainTimeout),
		DrainDelay:   time.Duration(c.DrainDelay),
		AdminToken:   c.Admin.Token,
		Watch:        c.Reload.Watch,
		DrainIdle:    time.Duration(c.DrainIdle),
		rules: sync.OnceValue(func() []route.Rule {
			list, _ := rules(c.Routes, 0) // what is wrong with them has been said when the table was built
			return list
		}),
	}
	var errs []error
	var err error
	s.files = make([][]file, len(c.Clusters))
	for i := range c.Clusters {
		if r != nil { // before they are read
			s.files[i] = look(clusterFiles(&c.Clusters[i])...)
		}
	}
	if s.Clusters, err = clustersFrom(c, r, prev, s.Workers.Count, s.files); err != nil {
		errs = append(errs, err)
	}
	for i := range c.Listeners {
		l, err := listener(&c.Listeners[i])
		if err == nil && r != nil { // without a resolver nothing is read or looked up
			err = secureListener(&l, &c.Listeners[i], prev)
		}
		if err != nil {
			errs = append(errs, err)
		}
		s.Listeners = append(s.Listeners, l)
	}
	if c.Admin.Address != "" {
		a, err := listenAddr(c.Admin.Address)
		if err != nil {
			errs = append(errs, fmt.Errorf("admin: %w", err))
		}
		s.Admin = &a
	}
	if err := s.routesFrom(c, prev); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return s, nil
}

func workers(w *config.Workers) Workers {
	count := int(w.Count)
	if count == 0 {
		count = usableCPUs
		if len(w.CPUs) > 0 {
			count = len(w.CPUs)
		}
	}
	return Workers{Count: count, CPUs: w.CPUs[:min(count, len(w.CPUs))], Engine: w.Engine, SteerByCPU: w.Accept == "cpu", BusyPoll: time.Duration(w.BusyPoll), Buffers: int64(w.Buffers)}
}

func listener(l *config.Listener) (Listener, error) {
	a, err := listenAddr(l.Address)
	if err != nil {
		return Listener{}, fmt.Errorf("listener %s: %w", l.Name, err)
	}
	limits := wire.DefaultLimits
	limits.HeadBytes = int(l.Limits.HeadSize)
	limits.LineBytes = int(l.Limits.RequestLine)
	limits.Fields = l.Limits.HeaderCount
	out := Listener{
		Name: l.Name, Address: a, Backlog: l.Backlog, Limits: limits,
		HeaderTimeout: time.Duration(l.Timeouts.Header), IdleTimeout: time.Duration(l.Timeouts.Idle), BodyIdleTimeout: time.Duration(l.Timeouts.BodyIdle),
		MaxBody: int64(l.Limits.BodySize), MaxRequests: l.MaxRequests, MaxConnections: l.MaxConnections,
		MaxPerSource: l.MaxConnectionsPerSource, MaxAge: time.Duration(l.MaxAge), MinRate: int64(l.Timeouts.MinRate), ProxyProtocol: l.ProxyProtocol,
		TrustForwarded: l.TrustForwarded, ServerName: l.ServerName,
	}
	out.protocols(l)
	return out, nil
}

func listenAddr(s string) (loop.Addr, error) {
	a, err := config.ParseAddress(s)
	if err != nil {
		return loop.Addr{}, fmt.Errorf("address %q: %w", s, err)
	}
	if a.Unix != "" {
		return loop.Addr{Unix: a.Unix}, nil
	}
	ip, ok := a.IP()
	if !ok {
		return loop.Addr{}, fmt.Errorf("address %q: not an IP address", s)
	}
	return loop.Addr{TCP: netip.AddrPortFrom(ip, a.Port)}, nil
}

// clusters makes all clusters. Names are looked up for all of them at once.
func clusters(list []config.Cluster, r Resolver, workers int) ([]*cluster.Cluster, error) {
	var out []*cluster.Cluster
	var pending []lookup
	var errs []error
	for i := range list {
		c := &list[i]
		cl := cluster.Cluster{
			Name: c.Name, Balance: balance.Kind(c.Balance),
			ConnectTimeout: time.Duration(c.Timeouts.Connect), FirstByteTimeout: time.Duration(c.Timeouts.FirstByte),
			IdleTimeout: time.Duration(c.Timeouts.Idle), KeepAlive: time.Duration(c.Timeouts.KeepAlive),
			MaxIdle: c.MaxIdle, MaxConnections: c.MaxConnections, MaxPending: c.MaxPending, Retries: c.Retries,
			ProxyProtocol: cluster.ProxyProtocol(c.ProxyProtocol),
			Protocol:      cluster.Version(c.Protocol), HTTP2: http2(&c.HTTP2),
		}
		if r != nil { // to explain a route, no files are needed
			var err error
			if cl.TLS, err = clusterTLS(c); err != nil {
				errs = append(errs, err)
			}
		}
		for _, e := range c.Endpoints {
			ep := endpoint.New(e.Address, loop.Addr{}, uint32(e.Weight))
			ep.Zone, ep.Priority = e.Zone, e.Priority
			a, err := config.ParseAddress(e.Address)
			ip, isIP := a.IP()
			switch {
			case err != nil:
				errs = append(errs, fmt.Errorf("cluster %s: endpoint %q: %w", c.Name, e.Address, err))
			case a.Unix != "":
				ep.Addr.Unix = a.Unix
			case isIP:
				ep.Addr.TCP = netip.AddrPortFrom(ip, a.Port)
			case r != nil:
				pending = append(pending, lookup{cluster: c.Name, endpoint: ep, host: a.Host, port: a.Port})
			}
			cl.Endpoints = append(cl.Endpoints, ep)
		}
		if err := policies(&cl, c, workers, r != nil); err != nil {
			errs = append(errs, err)
		}
		out = append(out, cluster.New(cl))
	}
	return out, errors.Join(append(errs, resolve(pending, r))...)
}

// lookup is one endpoint whose host name has to be resolved.
type lookup struct {
	cluster  string
	endpoint *endpoint.Endpoint
	host     string
	port     uint16
	err      error
}

// resolve fills in the addresses. An endpoint gets the first address, IPv4 before IPv6: a name such as localhost often has both, and the
// server behind it listens on IPv4.
func resolve(pending []lookup, r Resolver) error {
	if len(pending) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), resolveTimeout)
	defer cancel()
	// A cluster of a thousand names must not open a thousand sockets at once.
	slots := make(chan struct{}, 16)
	done := make(chan struct{})
	for i := range pending {
		go func(p *lookup) {
			slots <- struct{}{}
			defer func() { <-slots; done <- struct{}{} }()
			ips, err := r.LookupNetIP(ctx, "ip", p.host)
			if err == nil && len(ips) == 0 {
				err = errors.New("no address")
			}
			if err != nil {
				p.err = fmt.Errorf("cluster %s: endpoint %s: %w", p.cluster, p.endpoint.Name, err)
				return
			}
			best := ips[0].Unmap()
			for _, ip := range ips {
				if ip.Unmap().Is4() {
					best = ip.Unmap()
					break
				}
			}
			p.endpoint.Addr.TCP = netip.AddrPortFrom(best, p.port)
		}(&pending[i])
	}
	var errs []error
	for range pending {
		<-done
	}
	for i := range pending {
		errs = append(errs, pending[i].err)
	}
	return errors.Join(errs...)
}

// renderRespond renders the fields of a response once for all requests.
func renderRespond(r *config.Respond, t *Traffic) *Respond {
	var b strings.Builder
	typed := false
	headers := r.Headers
	if t != nil {
		headers = editedHeaders(headers, t.Response)
		typed = t.Response.Sets("Content-Type")
	}
	body := r.Content()
	for _, h := range headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
		typed = typed || strings.EqualFold(h.Name, "Content-Type")
	}
	if len(body) > 0 && !typed {
		b.WriteString("content-type: text/plain; charset=utf-8\r\n")
	}
	// RFC 9110 section 8.6: no Content-Length in a 204, and in a 304 only that of the response it stands for, which is not known here.
	if r.Status != 204 && r.Status != 304 {
		b.WriteString("content-length: " + strconv.Itoa(len(body)) + "\r\n")
	}
	return &Respond{Status: r.Status, Head: []byte(b.String()), Body: body}
}
