package config

// ClusterHTTP2 shapes the HTTP/2 connections to endpoints. All numbers are for one worker and one endpoint.
type ClusterHTTP2 struct {
	// Connections over which requests are spread. One gathers the most requests in each write; more let an endpoint use several threads.
	Connections int `yaml:"connections" min:"1" max:"1000"`
	// Requests that share a connection, if the endpoint allows so many; beyond that further connections are opened, up to max_connections.
	MaxStreams int `yaml:"max_streams" min:"1" max:"100000"`
	// Requests after which a connection is replaced by a new one; 0 is no limit.
	MaxRequests int `yaml:"max_requests" min:"0" max:"1000000000"`
	// Age at which a connection is replaced by a new one, so that load finds new endpoints behind a balancer; 0 is no limit.
	MaxAge Duration `yaml:"max_age" min:"0s" max:"720h"`
	// How much of a response an endpoint may send ahead of a client that does not read.
	StreamWindow Size `yaml:"stream_window" min:"16KiB" max:"16MiB"`
	// How long a connection with requests may be silent before a PING asks whether the endpoint is still there; 0 never asks.
	PingInterval Duration `yaml:"ping_interval" min:"0s" max:"24h"`
	// How long the answer may take before the connection is given up.
	PingTimeout Duration `yaml:"ping_timeout" min:"1s" max:"24h"`
}
