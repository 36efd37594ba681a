package cluster

import (
	"crypto/tls"
	"time"

	"github.com/blitz-gateway/blitz/proxy/endpoint"
)

// Upkeep is what the control plane does for the endpoints of a cluster. Package keeper does it.
type Upkeep struct {
	// SlowStart is how long an endpoint that became healthy takes to its whole share, 0: it has it at once.
	SlowStart time.Duration
	// Health are active checks, nil: none.
	Health *HealthCheck
	// Outlier ejects endpoints by their answers, nil: it does not.
	Outlier *Outlier
	// Discovery finds the endpoints, nil: the list of the configuration is all.
	Discovery *Discovery
	// ParseList reads the list of endpoints in a file, for discovery of that kind.
	ParseList func([]byte) ([]*endpoint.Endpoint, error)
}

// Protocol of a health check.
type Protocol string

// Protocols of health checks.
const (
	CheckHTTP Protocol = "http"
	CheckTCP  Protocol = "tcp"
	CheckGRPC Protocol = "grpc"
)

// HealthCheck asks endpoints how they are.
type HealthCheck struct {
	Protocol Protocol
	// Interval between checks of one endpoint, moved by up to ±Jitter percent; Timeout of one check.
	Interval, Timeout time.Duration
	Jitter            int
	// Healthy and Unhealthy are how many checks in a row change the state. Until its first check, which decides alone, an endpoint counts as healthy.
	Healthy, Unhealthy int
	// Path, Host, Statuses (pairs of inclusive bounds) and Body, which the answer must contain, are for HTTP.
	Path, Host string
	Statuses   [][2]int
	Body       string
	// Service is what gRPC asks about, "" for the whole server.
	Service string
	// TLS, when not nil, is how to connect. An empty ServerName is replaced by the endpoint's host.
	TLS *tls.Config
	// Port to ask in place of the endpoint's, 0: the same.
	Port uint16
}

// Outlier ejects endpoints because of their answers to real requests.
type Outlier struct {
	// Failures in a row of all workers together: any 5xx or failure, the gateway kinds, connects. 0: does not count.
	ConsecutiveServer, ConsecutiveGateway, ConsecutiveConnect uint32
	// Interval at which success rates are looked at, and at which ejections end.
	Interval time.Duration
	// SuccessRateFactor in thousandths: an endpoint is ejected whose success rate is that many standard deviations below the mean of all that
	// had at least SuccessRateVolume requests in the interval, when there are at least SuccessRateHosts of them. 0: off.
	SuccessRateFactor, SuccessRateVolume, SuccessRateHosts int
	// The n-th ejection lasts BaseEjection·n, at most MaxEjection. n falls by one for each interval without ejection.
	BaseEjection, MaxEjection time.Duration
	// MaxPercent of the endpoints may be ejected at a time; one may always be.
	MaxPercent int
}

// DiscoveryKind says where endpoints are found.
type DiscoveryKind string

// Kinds of discovery.
const (
	DiscoverDNS  DiscoveryKind = "dns"
	DiscoverSRV  DiscoveryKind = "srv"
	DiscoverFile DiscoveryKind = "file"
)

// Discovery finds endpoints, beside those of the configuration.
type Discovery struct {
	Kind DiscoveryKind
	// Name to look up, and Port for names without one; Server to ask (host:port), "" for those of the system.
	Name   string
	Port   uint16
	Server string
	// Path of the file.
	Path string
	// MinTTL and MaxTTL bound how long an answer is used before the next question; a file is looked at every MinTTL.
	MinTTL, MaxTTL time.Duration
	// StaleFor is how long the last answer is used when there is no new one, 0: for ever.
	StaleFor time.Duration
}
