package config

// Hash says what of a request decides where it goes: exactly one of the four.
type Hash struct {
	// Value of the first request header of this name.
	Header string `yaml:"header"`
	// Value of the cookie of this name.
	Cookie string `yaml:"cookie"`
	// `true`: the client's address, without the port.
	Source bool `yaml:"source"`
	// `true`: the path, without the query.
	Path bool `yaml:"path"`
}

// Sticky binds a client to the endpoint that answered it first, by a cookie that the gateway sets, as long as that endpoint is healthy.
type Sticky struct {
	// Name of the cookie.
	Cookie string `yaml:"cookie" required:"true"`
	// Key of the hash that stands for an endpoint in the cookie. With a secret nobody can tell from a cookie which endpoint it names; gateways
	// that share clients need the same one. Not given: the name of the cluster is the key.
	Secret string `yaml:"secret" secret:"true"`
	// How long browsers keep the cookie. Not given: as long as they run.
	MaxAge Duration `yaml:"max_age" min:"1s" max:"8760h"`
	// Send the cookie over TLS only (attribute Secure).
	Secure bool `yaml:"secure"`
	// Attribute SameSite of the cookie.
	SameSite string `yaml:"same_site" enum:"lax,strict,none"`
}

// PanicThreshold says what to do when so few endpoints are healthy that the health checks themselves may be what is broken.
type PanicThreshold struct {
	// Share of healthy endpoints, in percent, below which the action is taken; 0 is never.
	Percent int `yaml:"percent" min:"0" max:"100"`
	// `use_all` sends requests to all endpoints, healthy or not; `fail` answers all of them with 503, to protect what is left.
	Action string `yaml:"action" enum:"use_all,fail"`
}

// Discovery finds endpoints at run time, in addition to those of the list: exactly one of dns, srv and file. Requests in flight to an endpoint that
// disappears are finished; what stays keeps its connections and its health.
type Discovery struct {
	// Host name and port, as in `api.internal:8080`: one endpoint for each of its IPv4 and IPv6 addresses. A name server is asked, the file of hosts is not read.
	DNS string `yaml:"dns"`
	// Service name, as in `_http._tcp.api.internal`: its SRV records give names, ports, priorities and weights.
	SRV string `yaml:"srv"`
	// File in YAML or JSON with the key `endpoints`, a list as in a cluster but without host names. It is read again when it has changed; a
	// broken file is reported and the last good list stays.
	File string `yaml:"file"`
	// Name server to ask, as in `127.0.0.1:53`. Not given: those of /etc/resolv.conf.
	Server string `yaml:"server"`
	// Shortest time between two questions, whatever the TTL of the answer; also how often the file is looked at.
	MinInterval Duration `yaml:"min_interval" min:"100ms" max:"24h"`
	// Longest time between two questions, whatever the TTL.
	MaxInterval Duration `yaml:"max_interval" min:"100ms" max:"24h"`
	// How long the last answer is used while the name server gives none; 0 is for ever. A name that does not exist counts as no answer too.
	StaleIfError Duration `yaml:"stale_if_error" min:"0s" max:"8760h"`
}

// HealthCheck asks each endpoint regularly how it is. The checks begin at once; until the first one, which decides alone, an endpoint counts as healthy.
type HealthCheck struct {
	// `http` sends a GET, `tcp` only connects, `grpc` asks grpc.health.v1.
	Protocol string `yaml:"protocol" enum:"http,tcp,grpc"`
	// Path to ask for.
	Path string `yaml:"path"`
	// Host field. Not given: the endpoint's address.
	Host string `yaml:"host"`
	// Statuses and ranges of a healthy answer, as in `["200-299", "304"]`.
	Statuses []string `yaml:"statuses"`
	// Text that the first 64 KiB of a healthy answer contain. Not given: the body is not looked at.
	Body string `yaml:"body"`
	// Service for grpc. Not given: the server as a whole.
	Service string `yaml:"service"`
	// `true`: connect with TLS.
	TLS bool `yaml:"tls"`
	// Name that the endpoint's certificate must have. Not given: the host of its address.
	ServerName string `yaml:"server_name"`
	// File with certificates of authorities in PEM. Not given: those of the system.
	CA string `yaml:"ca"`
	// `true`: any certificate will do.
	Insecure bool `yaml:"insecure"`
	// Port to ask in place of the endpoint's; 0 is the same.
	Port int `yaml:"port" min:"0" max:"65535"`
	// Time between two checks of an endpoint.
	Interval Duration `yaml:"interval" min:"10ms" max:"24h"`
	// By how many percent the interval varies at random, so that checks do not come in bursts.
	Jitter int `yaml:"jitter" min:"0" max:"100"`
	// How long a check may take.
	Timeout Duration `yaml:"timeout" min:"1ms" max:"1h"`
	// Passed checks in a row that make an endpoint healthy again.
	Healthy int `yaml:"healthy" min:"1" max:"100"`
	// Failed checks in a row that make it unhealthy.
	Unhealthy int `yaml:"unhealthy" min:"1" max:"100"`
}

// Outlier ejects endpoints because of how they answer real requests, for a while. All workers count together.
type Outlier struct {
	// Answers of 5xx and failures in a row that eject; 0 is off. Calls of gRPC count by their status, in the head or the trailers: UNAVAILABLE as 503,
	// DEADLINE_EXCEEDED as 504, UNKNOWN, INTERNAL, DATA_LOSS and none at all as 500.
	Consecutive5xx int `yaml:"consecutive_5xx" min:"0" max:"1000000"`
	// The same for 502, 503, 504, broken connections and timeouts only.
	ConsecutiveGateway int `yaml:"consecutive_gateway" min:"0" max:"1000000"`
	// The same for connections that did not come about.
	ConsecutiveConnect int `yaml:"consecutive_connect" min:"0" max:"1000000"`
	// How often success rates are compared, and how soon the end of an ejection is noticed.
	Interval Duration `yaml:"interval" min:"10ms" max:"1h"`
	// Standard deviations, in thousandths, below the mean success rate of all endpoints that eject, as in 1900 for 1.9; 0 is off.
	SuccessRateFactor int `yaml:"success_rate_factor" min:"0" max:"10000"`
	// Requests that an endpoint must have had in an interval to be compared.
	SuccessRateVolume int `yaml:"success_rate_volume" min:"1" max:"1000000"`
	// Endpoints that must have had so many for any comparison.
	SuccessRateHosts int `yaml:"success_rate_hosts" min:"2" max:"1000000"`
	// Length of the first ejection. The second in a row is twice as long, and so on.
	BaseEjection Duration `yaml:"base_ejection" min:"10ms" max:"24h"`
	// Longest ejection.
	MaxEjection Duration `yaml:"max_ejection" min:"10ms" max:"24h"`
	// Endpoints that may be ejected at a time, in percent. One always may, unless it is the only one.
	MaxPercent int `yaml:"max_percent" min:"0" max:"100"`
}

// CircuitBreaker limits what goes to a cluster in all, so that a slow one does not take the gateway's memory. Each worker has an equal share of each
// limit, at least 1. 0 is no limit.
type CircuitBreaker struct {
	// Open connections to all endpoints together. A request over it waits for one.
	MaxConnections int `yaml:"max_connections" min:"0" max:"10000000"`
	// Requests that wait for a connection. Further ones get 503.
	MaxPending int `yaml:"max_pending" min:"0" max:"10000000"`
	// Requests in flight. Further ones get 503.
	MaxRequests int `yaml:"max_requests" min:"0" max:"10000000"`
	// Requests in a second or later attempt. Further retries are not made.
	MaxRetries int `yaml:"max_retries" min:"0" max:"10000000"`
}

// Retry says when a request is tried again; `retries` says how often. No request is repeated after a part of a response has reached the client, or
// when its body is larger than 32 KiB.
type Retry struct {
	// Reasons: `connect`, no connection came about; `reset`, the connection ended before the head of the response; `timeout`, per_try was over;
	// `refused`, the endpoint has refused the request unseen (HTTP/2); `status`, one of statuses.
	On []string `yaml:"when" enum:"connect,reset,timeout,refused,status"`
	// Statuses for the reason `status`.
	Statuses []int `yaml:"statuses" min:"400" max:"599"`
	// Statuses of gRPC for the reason `status`, where an endpoint answers a call with nothing else. A call is a POST: it is repeated only with non_idempotent.
	GRPCStatuses []string `yaml:"grpc_statuses" enum:"cancelled,unknown,invalid_argument,deadline_exceeded,not_found,already_exists,permission_denied,resource_exhausted,failed_precondition,aborted,out_of_range,unimplemented,internal,unavailable,data_loss,unauthenticated"`
	// `true`: repeat POST, PATCH and other methods too of which a repetition may do harm. Otherwise they are repeated only when no byte of them was sent.
	NonIdempotent bool `yaml:"non_idempotent"`
	// How long one attempt may take until the head of its response when there is another attempt to make. Not given: as long as first_byte.
	PerTry Duration `yaml:"per_try" min:"1ms" max:"24h"`
	// Before the n-th retry there is a pause of random length between 0 and backoff·2ⁿ⁻¹. The first retry after a failed connect or after per_try goes elsewhere at once.
	Backoff Duration `yaml:"backoff" min:"0s" max:"1h"`
	// Longest upper end of that pause.
	MaxBackoff Duration `yaml:"max_backoff" min:"0s" max:"1h"`
	// Longest Retry-After that is waited for. A response that asks for more is passed on to the client.
	MaxRetryAfter Duration `yaml:"max_retry_after" min:"0s" max:"1h"`
	// Bound of retries in relation to requests.
	Budget RetryBudget `yaml:"budget"`
}

// RetryBudget bounds retries and hedges, so that an endpoint in trouble is not buried under repetitions. Each worker has its own.
type RetryBudget struct {
	// Retries for 100 requests of the last ten seconds.
	Percent int `yaml:"percent" min:"0" max:"1000"`
	// Retries per second of each worker that are allowed in any case.
	Min int `yaml:"min" min:"0" max:"1000000"`
}

// Hedge sends a slow request to a second endpoint; the first answer is taken and the other attempt given up. Only requests that may be repeated, and out of the
// retry budget.
type Hedge struct {
	// How long the first attempt may take until the second one starts. Not given: no second attempt.
	After Duration `yaml:"after" min:"1ms" max:"24h"`
}

// EndpointList is a file of endpoints, for discovery.
type EndpointList struct {
	// Endpoints that are there now, with IP addresses or paths of Unix sockets.
	Endpoints []Endpoint `yaml:"endpoints"`
}

// setClusterDefaults is the part of SetDefaults for the structs of this file.
func setClusterDefaults(p any) {
	switch p := p.(type) {
	case *Sticky:
		p.SameSite = "lax"
	case *PanicThreshold:
		p.Action = "use_all"
	case *Discovery:
		p.MinInterval = Duration(second)
		p.MaxInterval = Duration(60 * second)
	case *HealthCheck:
		p.Protocol, p.Path, p.Statuses = "http", "/", []string{"200-299"}
		p.Interval, p.Timeout, p.Jitter = Duration(5*second), Duration(2*second), 10
		p.Healthy, p.Unhealthy = 2, 3
	case *Outlier:
		p.Consecutive5xx, p.ConsecutiveGateway, p.ConsecutiveConnect = 5, 0, 3
		p.Interval = Duration(10 * second)
		p.SuccessRateVolume, p.SuccessRateHosts = 100, 3
		p.BaseEjection, p.MaxEjection, p.MaxPercent = Duration(30*second), Duration(300*second), 50
	case *Retry:
		p.On = []string{"connect", "reset", "timeout", "refused"}
		p.Statuses = []int{502, 503, 504}
		p.Backoff, p.MaxBackoff, p.MaxRetryAfter = Duration(second/40), Duration(second/4), Duration(second)
		SetDefaults(&p.Budget)
	case *RouteRetry:
		setRouteRetryDefaults(p)
	case *RetryBudget:
		p.Percent, p.Min = 20, 10
	}
}
