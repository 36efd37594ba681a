package snapshot

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
	"github.com/blitz-gateway/blitz/proxy/config"
)

func http2(c *config.ClusterHTTP2) cluster.HTTP2 {
	return cluster.HTTP2{
		Connections: c.Connections, MaxStreams: c.MaxStreams, MaxRequests: c.MaxRequests, MaxAge: time.Duration(c.MaxAge),
		StreamWindow: int(c.StreamWindow), PingInterval: time.Duration(c.PingInterval), PingTimeout: time.Duration(c.PingTimeout),
	}
}
