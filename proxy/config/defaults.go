package config

import (
	_ "embed"
	"time"
)

// All defaults stand in this file and, for the parts of a cluster, beside their structs. The decoder starts every struct from them, so that a Config is always complete and a
// zero in it was written by the operator.

const second = time.Second

//go:embed default.yaml
var defaultYAML []byte

// DefaultYAML returns the text of the configuration that `blitz serve` uses without a file. It is the same as examples/default.yaml.
func DefaultYAML() []byte { return append([]byte(nil), defaultYAML...) }

// Default returns that configuration, parsed.
func Default() *Config {
	c, err := Parse("default.yaml", defaultYAML)
	if err != nil {
		panic("the embedded configuration is broken: " + err.Error()) // held by a test
	}
	return c
}

// SetDefaults fills in *p, a pointer to one of the structs of this package, when it has defaults.
func SetDefaults(p any) {
	switch p := p.(type) {
	case *Config:
		p.Workers.Engine = "auto"
		p.Workers.Accept = "hash"
		p.Workers.Buffers = 1 << 30
		p.AccessLog.Format = "json"
		p.AccessLog.Sample = 1
		p.DrainTimeout = Duration(25 * time.Second)
		p.DrainIdle = Duration(time.Second)
	case *Listener:
		p.Protocols = []string{"h1", "h2"}
		p.HTTP2 = defaultHTTP2
		// Head and field count are those of nginx (4 buffers of 8 KiB) and Envoy (100 fields); wire.DefaultLimits is the same, by a test.
		p.Limits = Limits{HeadSize: 32 << 10, RequestLine: 8 << 10, HeaderCount: 100}
		p.Timeouts = ListenerTimeouts{
			Header:   Duration(10 * time.Second),
			Idle:     Duration(75 * time.Second),
			BodyIdle: Duration(30 * time.Second),
			MinRate:  100,
		}
		p.ServerName = "blitz"
		p.Backlog = 4096
	case *ListenerTLS:
		p.MinVersion = "1.2"
		p.Plaintext = "allow"
		p.HandshakeTimeout = Duration(10 * time.Second)
		p.MaxHandshakes = 1024
		p.MaxWaitingHandshakes = 16384
		SetDefaults(&p.ClientAuth)
		SetDefaults(&p.Tickets)
	case *ClientAuth:
		p.Mode = "none"
	case *Tickets:
		p.Enabled = true
		p.Rotate = Duration(12 * time.Hour)
	case *Cluster:
		p.Balance = "round_robin"
		p.Protocol = "h1"
		p.Timeouts = ClusterTimeouts{
			Connect:   Duration(2 * time.Second),
			FirstByte: Duration(30 * time.Second),
			Idle:      Duration(60 * time.Second),
			KeepAlive: Duration(60 * time.Second),
		}
		p.SpillBelow = 72
		SetDefaults(&p.PanicThreshold)
		SetDefaults(&p.Retry)
		p.MaxIdle = 256
		p.MaxPending = 1024
		p.Retries = 1
		p.ProxyProtocol = "off"
		p.HTTP2 = ClusterHTTP2{Connections: 1, MaxStreams: 100, StreamWindow: 256 << 10, PingTimeout: Duration(10 * time.Second)}
	case *ClusterTLS:
		p.Verify, p.SessionReuse, p.MinVersion = true, true, "1.2"
	case *Endpoint:
		p.Weight = 1
	case *Match:
		p.Path = "/*"
	case *Respond:
		p.Status = 200
	case *SplitPart:
		p.Weight = 1
	case *Redirect:
		p.Status = 302
	case *Mirror:
		p.Percent = 100
		p.MaxBody = 32 << 10
		p.Timeout = Duration(5 * time.Second)
	default:
		setClusterDefaults(p)
	}
}
