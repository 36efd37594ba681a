package snapshot

import (
	"net/netip"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// parseList reads the endpoints in the content of the file named name.
func parseList(name string) func([]byte) ([]*endpoint.Endpoint, error) {
	return func(b []byte) ([]*endpoint.Endpoint, error) {
		list, err := config.ParseEndpoints(name, b)
		if err != nil {
			return nil, err
		}
		out := make([]*endpoint.Endpoint, 0, len(list))
		for _, e := range list {
			a, err := config.ParseAddress(e.Address)
			if err != nil {
				return nil, err
			}
			addr := loop.Addr{Unix: a.Unix}
			if ip, ok := a.IP(); a.Unix == "" && ok {
				addr.TCP = netip.AddrPortFrom(ip, a.Port)
			}
			x := endpoint.New(e.Address, addr, uint32(e.Weight))
			x.Zone, x.Priority = e.Zone, e.Priority
			out = append(out, x)
		}
		return out, nil
	}
}
