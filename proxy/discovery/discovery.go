// Package discovery finds the endpoints of a cluster: addresses and services in the DNS, and lists in files. It runs on goroutines of the control plane.
// It imports cluster, for the settings, endpoint, and the address type of internal/loop.
package discovery

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Finder finds the endpoints of one cluster, again and again. It belongs to one goroutine.
type Finder struct {
	d     *cluster.Discovery
	parse func([]byte) ([]*endpoint.Endpoint, error)
	dns   resolver

	// The file as it was read last; info is nil when it was not there.
	info os.FileInfo
	text []byte
	last []*endpoint.Endpoint
	// The targets of a service.
	targets map[string]known
}

// freshFor is how long after it was written a file may be written again without a difference in its time, whose steps can be as long as those of the kernel's
// clock.
const freshFor = 50 * time.Millisecond

// ErrUnchanged says that there is nothing new.
var ErrUnchanged = errors.New("unchanged")

// New makes a finder. parse reads the list in a file.
func New(d *cluster.Discovery, parse func([]byte) ([]*endpoint.Endpoint, error)) *Finder {
	return &Finder{d: d, parse: parse, dns: resolver{server: d.Server}}
}

// Find looks once. next is when to look again. Without an error, or with ErrUnchanged for a file that was not touched, found is
// the current list, sorted and without duplicates. With any other error the caller decides how long the last list is good enough.
func (f *Finder) Find(ctx context.Context) (found []*endpoint.Endpoint, next time.Duration, err error) {
	switch f.d.Kind {
	case cluster.DiscoverFile:
		return f.file()
	case cluster.DiscoverSRV:
		found, next, err = f.srv(ctx)
	case cluster.DiscoverDNS:
		found, next, err = f.addresses(ctx, f.d.Name, f.d.Port)
	}
	if err == nil && len(found) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		return nil, f.d.MinTTL, err
	}
	return sorted(found), min(max(next, f.d.MinTTL), f.d.MaxTTL), nil
}

func sorted(list []*endpoint.Endpoint) []*endpoint.Endpoint {
	slices.SortStableFunc(list, func(a, b *endpoint.Endpoint) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(list, func(a, b *endpoint.Endpoint) bool { return a.Name == b.Name })
}

// file reads the file when it has changed.
func (f *Finder) file() ([]*endpoint.Endpoint, time.Duration, error) {
	info, err := os.Stat(f.d.Path)
	if err != nil {
		f.info = nil
		return nil, f.d.MinTTL, err
	}
	was := f.info
	if was != nil && os.SameFile(was, info) && info.ModTime().Equal(was.ModTime()) && info.Size() == was.Size() && time.Since(info.ModTime()).Abs() > freshFor+f.d.MinTTL {
		return f.last, f.d.MinTTL, ErrUnchanged
	}
	b, err := os.ReadFile(f.d.Path)
	if err != nil {
		return nil, f.d.MinTTL, err
	}
	f.info = info
	if was != nil && bytes.Equal(b, f.text) {
		return f.last, f.d.MinTTL, ErrUnchanged
	}
	f.text = b
	list, err := f.parse(b)
	if err != nil {
		return nil, f.d.MinTTL, err
	}
	f.last = sorted(list)
	return f.last, f.d.MinTTL, nil
}

func at(ip netip.Addr, port uint16, weight uint32) *endpoint.Endpoint {
	a := netip.AddrPortFrom(ip.Unmap(), port)
	return endpoint.New(a.String(), loop.Addr{TCP: a}, weight)
}

// addresses asks for A and AAAA. One of them may fail or be empty as long as the other is not.
func (f *Finder) addresses(ctx context.Context, name string, port uint16) (found []*endpoint.Endpoint, ttl time.Duration, err error) {
	ips, ttl, err := f.dns.addresses(ctx, name)
	for _, ip := range ips {
		found = append(found, at(ip, port, 1))
	}
	return found, ttl, err
}

// known is what a name had last.
type known struct {
	ips []netip.Addr
	at  time.Time
}

// srv asks for the records of a service, then for the addresses of their targets (RFC 2782). Priorities are levels; a weight of 0 counts as 1. A target
// that nobody tells the addresses of keeps those it had, as long as an answer may be stale; one that does not exist has none.
func (f *Finder) srv(ctx context.Context) (found []*endpoint.Endpoint, ttl time.Duration, err error) {
	records, ttl, err := f.dns.services(ctx, f.d.Name)
	if err != nil {
		return nil, 0, err
	}
	var errs error
	now := map[string]known{}
	for _, r := range records {
		ips, t, err := f.dns.addresses(ctx, r.target)
		switch before, ok := f.targets[r.target]; {
		case err == nil:
			now[r.target] = known{ips, time.Now()}
		case errors.Is(err, errNoName), !ok, f.d.StaleFor > 0 && time.Since(before.at) > f.d.StaleFor:
			errs = errors.Join(errs, err)
			continue
		default:
			ips, t = before.ips, 0 // ask again soon
			now[r.target] = before
		}
		ttl = min(ttl, t)
		for _, ip := range ips {
			e := at(ip, r.port, max(1, uint32(r.weight)))
			e.Priority = int(r.priority)
			found = append(found, e)
		}
	}
	if len(found) == 0 && errs != nil {
		return nil, 0, errs
	}
	f.targets = now
	return found, ttl, nil
}
