// Package cluster is a named set of endpoints with the policy of using it: balancing, timeouts, connection limits and retries.
// It imports endpoint and balance; it never sees config or a socket.
package cluster

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/balance"
	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Cluster is immutable after it was built, but for the atomics in its endpoints. All workers share it.
type Cluster struct {
	Name      string
	Endpoints []*endpoint.Endpoint
	// Balance is the picker's kind; each worker makes its own picker from it.
	Balance balance.Kind

	// ConnectTimeout bounds the TCP connect, FirstByteTimeout the wait from the end of the request to the head of the response,
	// IdleTimeout a pause while either body moves, KeepAlive how long an unused connection is kept.
	ConnectTimeout, FirstByteTimeout, IdleTimeout, KeepAlive time.Duration
	// MaxIdle is how many unused connections one worker keeps per endpoint; MaxConnections how many it opens at most
	// per endpoint (0: no limit); MaxPending how many requests may wait for one of them.
	MaxIdle, MaxConnections, MaxPending int
	// Retries is how often a request that died before any response byte is tried again on a fresh connection,
	// beyond the one free retry of a stale pooled connection.
	Retries int
	// ProxyProtocol is the header that tells endpoints the client's address; with one, connections are not shared.
	ProxyProtocol ProxyProtocol
}

// ProxyProtocol is a version of the PROXY protocol header, as the configuration spells it.
type ProxyProtocol string

// Versions of the PROXY protocol (https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt).
const (
	ProxyOff ProxyProtocol = "off"
	ProxyV1  ProxyProtocol = "v1"
	ProxyV2  ProxyProtocol = "v2"
)
