package config

import "slices"

// Config is a whole configuration file.
type Config struct {
	// Threads of the data plane.
	Workers Workers `yaml:"workers"`
	// Where operators look inside the running gateway.
	Admin Admin `yaml:"admin"`
	// Addresses to accept connections on. At least one.
	Listeners []Listener `yaml:"listeners" required:"true"`
	// Named sets of endpoints that routes forward to.
	Clusters []Cluster `yaml:"clusters"`
	// What happens to a request. The most specific matching route wins, whatever the order in the file: the host first (exact, then the
	// longest wildcard, then any), then the path (exact, then with parameters, then the longest prefix). At least one.
	Routes []*Route `yaml:"routes" required:"true"`
	// One line for each request.
	AccessLog AccessLog `yaml:"access_log"`
	// What requests carry with them to be found again.
	Tracing Tracing `yaml:"tracing"`
	// How long requests in flight may take after SIGTERM before their connections are closed. The default stays under the 30 s after
	// which Kubernetes kills a container.
	DrainTimeout Duration `yaml:"drain_timeout" min:"0s" max:"24h"`
	// How long after SIGTERM connections are still accepted while /readyz says no already, so that load balancers can turn away first.
	DrainDelay Duration `yaml:"drain_delay" min:"0s" max:"1h"`
	// How long a client connection without a request stays open when the gateway drains or a listener is removed, in case that its client is
	// sending one at this moment; the answer then says that the connection ends. 0 closes at once.
	DrainIdle Duration `yaml:"drain_idle" min:"0s" max:"1h"`
	// When the configuration is read again by itself.
	Reload Reload `yaml:"reload"`
	// Further files, as paths or patterns such as `conf.d/*.yaml`, from the folder of this file on, in the order of their names. Their listeners, clusters and
	// routes are added to those here; any other key may be in one of the files only. An included file may include others.
	Include []string `yaml:"include"`

	// refs are the references that values came from, by the address of the field.
	refs map[any]string
	// files are what it was made from.
	files Files
	// literal: it was read from what YAML had written, without the files it names.
	literal bool
	// source is what the next configuration is compared with; nil: nothing.
	source *source
}

// Reload says when the configuration is read again without being asked for.
type Reload struct {
	// `true`: when the configuration file changes, or what it links to, as Kubernetes does with mounted ConfigMaps. SIGHUP and the admin listener
	// work always.
	Watch bool `yaml:"watch"`
}

// Workers shapes the data plane: one worker is one thread with its own ring, sockets and connection pools.
type Workers struct {
	// Number of workers; `auto` is one for each CPU the process may use, or for each CPU in `cpus`.
	Count Count `yaml:"count" max:"1024"`
	// CPUs to pin workers to, one each, as a list of numbers and ranges such as `0-3` or `0,2,4`. Not given: not pinned.
	CPUs CPUs `yaml:"cpus"`
	// How the kernel is asked: `uring` is io_uring, `epoll` the readiness interface, `auto` takes io_uring where it works and says in the log
	// which one runs and why.
	Engine string `yaml:"engine" enum:"auto,uring,epoll" later:"net"`
	// How long a worker spins for new events before it sleeps in the kernel. Lowers latency at the price of CPU; 20us to 30us is plenty.
	BusyPoll Duration `yaml:"busy_poll" min:"0s" max:"10ms"`
	// Which worker gets a new connection: `hash` spreads them evenly; `cpu` gives each to the worker on the CPU that processes the connection's
	// packets, which saves waking another one. It needs `cpus`, Linux 6.2, and a network card whose receive queues are spread over just these CPUs
	// (RSS and IRQ affinity): where one CPU gets all packets, one worker gets all connections.
	Accept string `yaml:"accept" enum:"hash,cpu"`
	// Memory for data in flight, all workers together. When seven eighths are in use, new requests get 503 with Retry-After until there is
	// room again; nothing is allocated before it is needed.
	Buffers Size `yaml:"buffers" min:"16MiB" max:"1TiB"`
}

// Admin is the listener for operators.
type Admin struct {
	// Address of the admin listener, host:port. Not given: none.
	Address string `yaml:"address"`
	// What changes something (reload, log level, a new configuration) needs this secret, as `Authorization: Bearer …`. Not given: nothing can be
	// changed there. At least 16 characters; better kept in a file or the environment than written here.
	Token string `yaml:"token" secret:"true"`
}

// Listener is one address to accept connections on.
type Listener struct {
	// Name for logs and metrics. Default: the address.
	Name string `yaml:"name"`
	// IP address and port (`127.0.0.1:8080`, `[::1]:8080`), a port alone (`:8080`, all IPv4 addresses; `[::]:8080` is IPv6 and IPv4), or `unix:` and the path
	// of a socket. Port 0 is any free port.
	Address string `yaml:"address" required:"true"`
	// Protocols spoken on this address: `h1` is HTTP/1.1 and 1.0, `h2` is HTTP/2, which without TLS a client must know beforehand.
	Protocols []string `yaml:"protocols" enum:"h1,h2" later:"h3"`
	// Limits of HTTP/2 connections.
	HTTP2 HTTP2 `yaml:"http2"`
	// TLS on the same port: the first byte of a connection tells whether it is TLS. Not given: no TLS.
	TLS *ListenerTLS `yaml:"tls"`
	// Largest messages accepted from clients.
	Limits Limits `yaml:"limits"`
	// How long clients may take.
	Timeouts ListenerTimeouts `yaml:"timeouts"`
	// Requests on one connection before it is closed; 0 is no limit.
	MaxRequests int `yaml:"max_requests" min:"0" max:"1000000000"`
	// Open connections of one worker; 0 is no limit. Further ones wait in the backlog.
	MaxConnections int `yaml:"max_connections" min:"0" max:"10000000"`
	// Open connections of one worker from one client address; 0 is no limit. Further ones are closed at once. Behind a proxy that does not
	// speak the PROXY protocol, all clients have one address.
	MaxConnectionsPerSource int `yaml:"max_connections_per_source" min:"0" max:"10000000"`
	// How old a connection may get: after that it is closed with its current response. 0 is no limit.
	MaxAge Duration `yaml:"max_age" min:"0s" max:"8760h"`
	// `true`: every connection begins with a PROXY protocol header, version 1 or 2, which names the client's address. Only where nobody else can
	// connect: the header is believed. A connection without one is closed.
	ProxyProtocol bool `yaml:"proxy_protocol"`
	// Keep X-Forwarded-For, -Proto and -Host of the client and append to them. Only where every client is a trusted proxy:
	// otherwise anybody can pretend to be another address.
	TrustForwarded bool `yaml:"trust_forwarded"`
	// The Server field of answers made here and the pseudonym in Via. Empty: neither is sent.
	ServerName string `yaml:"server_name"`
	// Connections the kernel holds until they are accepted; it caps the number at net.core.somaxconn.
	Backlog int `yaml:"backlog" min:"1" max:"65535"`
}

// Limits bounds what a client may send.
type Limits struct {
	// Whole head of a request: request line and fields (431).
	HeadSize Size `yaml:"head_size" min:"1KiB" max:"256KiB"`
	// Request line (414).
	RequestLine Size `yaml:"request_line" min:"256B" max:"1MiB"`
	// Header fields, and separately trailer fields (431).
	HeaderCount int `yaml:"header_count" min:"1" max:"10000"`
	// Request body (413); 0 is no limit. Bodies are streamed, so a large one takes time but no memory. A route may set its own.
	BodySize Size `yaml:"body_size" min:"0B" max:"1024TiB"`
}

// ListenerTimeouts bounds how long a client may take.
type ListenerTimeouts struct {
	// From the first byte of a request to the end of its head (408).
	Header Duration `yaml:"header" min:"1ms" max:"24h"`
	// A connection without a request.
	Idle Duration `yaml:"idle" min:"1ms" max:"24h"`
	// A pause in a request body, or a client that does not read its response (408, or the connection is closed).
	BodyIdle Duration `yaml:"body_idle" min:"1ms" max:"24h"`
	// Bytes per second that a request body (408), or a client that reads its response slowly, has to keep up on average after the first
	// five seconds; 0 is no limit.
	MinRate Size `yaml:"min_rate" min:"0B" max:"1GiB"`
}

// Cluster is a named set of endpoints that serve the same thing.
type Cluster struct {
	// Name that routes refer to.
	Name string `yaml:"name" required:"true"`
	// Where to send requests. At least one, unless discovery finds them.
	Endpoints []Endpoint `yaml:"endpoints"`
	// Endpoints that are found at run time.
	Discovery *Discovery `yaml:"discovery"`
	// How an endpoint is chosen; all honour weights. `round_robin` takes them in turn, evenly spread; `least_request` the one with the fewest
	// requests in flight; `p2c` the better of two drawn at random; `random` draws; `ewma` takes the better of two by latency and requests in
	// flight; `ring_hash` and `maglev` send requests with the same `hash` to the same endpoint. What is in flight, and how long it takes,
	// each worker knows of its own requests.
	Balance string `yaml:"balance" enum:"round_robin,least_request,p2c,random,ewma,ring_hash,maglev"`
	// Protocol spoken with the endpoints: `h1` is HTTP/1.1, `h2` is HTTP/2, with prior knowledge or, over TLS, by ALPN. `auto`, with TLS only, is
	// what the endpoint chooses by ALPN, for each connection anew; upgrades (WebSocket) then get connections of HTTP/1.1.
	Protocol string `yaml:"protocol" enum:"h1,h2,auto"`
	// HTTP/2 with the endpoints, when that is their protocol.
	HTTP2 ClusterHTTP2 `yaml:"http2"`
	// What `ring_hash` and `maglev` go by. A request without it goes anywhere.
	Hash *Hash `yaml:"hash"`
	// Cookie that binds clients to endpoints, with any balance.
	Sticky *Sticky `yaml:"sticky"`
	// Zone of this gateway. Endpoints of the same zone are preferred.
	Zone string `yaml:"zone"`
	// Share of healthy endpoints by weight, in percent, below which a priority or zone hands a part of its requests on to the next.
	SpillBelow int `yaml:"spill_below" min:"1" max:"100"`
	// What to do when few endpoints are healthy.
	PanicThreshold PanicThreshold `yaml:"panic_threshold"`
	// How long an endpoint that became healthy again, or was added, takes until it gets its whole share; 0: at once.
	SlowStart Duration `yaml:"slow_start" min:"0s" max:"24h"`
	// Regular questions to the endpoints. Not given: none.
	HealthCheck *HealthCheck `yaml:"health_check"`
	// Ejection by the answers to real requests. Not given: none.
	Outlier *Outlier `yaml:"outlier"`
	// Limits of the cluster as a whole.
	CircuitBreaker CircuitBreaker `yaml:"circuit_breaker"`
	// TLS with the endpoints. Not given: plain TCP.
	TLS *ClusterTLS `yaml:"tls"`
	// How long endpoints may take.
	Timeouts ClusterTimeouts `yaml:"timeouts"`
	// Unused connections that one worker keeps to each endpoint; 0 keeps none.
	MaxIdle int `yaml:"max_idle" min:"0" max:"1000000"`
	// Connections that one worker opens to each endpoint; 0 is no limit.
	MaxConnections int `yaml:"max_connections" min:"0" max:"1000000"`
	// Requests of one worker that may wait for a connection when max_connections is reached; further ones get 503.
	MaxPending int `yaml:"max_pending" min:"0" max:"1000000"`
	// Further attempts for a request that failed before any byte of a response, on top of the free one that a kept connection gets when it
	// turns out to be closed.
	Retries int `yaml:"retries" min:"0" max:"10"`
	// When a request is tried again.
	Retry Retry `yaml:"retry"`
	// Second attempts beside slow ones.
	Hedge Hedge `yaml:"hedge"`
	// Tell endpoints the client's address by a PROXY protocol header of this version at the start of every connection. A connection
	// then belongs to one client connection and is not shared: it serves one request.
	ProxyProtocol string `yaml:"proxy_protocol" enum:"off,v1,v2"`
}

// Endpoint is one address of a cluster.
type Endpoint struct {
	// host:port with an IP address or a host name (resolved when the configuration is loaded: the first address, IPv4 before IPv6), or
	// `unix:` and the path of a socket.
	Address string `yaml:"address" required:"true"`
	// Share of the requests relative to the other endpoints.
	Weight int `yaml:"weight" min:"1" max:"1000000"`
	// Where it stands; see the zone of the cluster.
	Zone string `yaml:"zone"`
	// Level: 0 is asked first, the others in their order when too few of the lower ones are healthy.
	Priority int `yaml:"priority" min:"0" max:"100"`
}

// ClusterTimeouts bounds how long an endpoint may take.
type ClusterTimeouts struct {
	// To connect (504; a connection that is refused gives 502).
	Connect Duration `yaml:"connect" min:"1ms" max:"24h"`
	// From the end of the request to the head of the response (504).
	FirstByte Duration `yaml:"first_byte" min:"1ms" max:"24h"`
	// A pause while a body moves in either direction.
	Idle Duration `yaml:"idle" min:"1ms" max:"24h"`
	// How long an unused connection is kept. Stay under the endpoint's own keep-alive time.
	KeepAlive Duration `yaml:"keepalive" min:"1ms" max:"24h"`
}

// Route says what happens to the requests it matches: exactly one of cluster, split, redirect, respond and echo.
type Route struct {
	// Name for logs and metrics. Default: methods, host and path as matched.
	Name string `yaml:"name"`
	// Which requests. Not given: all.
	Match Match `yaml:"match"`
	// Forward to the cluster of this name.
	Cluster string `yaml:"cluster"`
	// Forward to one of several clusters, by weight.
	Split []SplitPart `yaml:"split"`
	// What decides which part of `split` a request goes to: by chance when not given; `source`, `header:NAME` or `cookie:NAME` always sends the same
	// client address, value of that field or cookie to the same cluster.
	SplitBy string `yaml:"split_by"`
	// Answer with a redirect.
	Redirect *Redirect `yaml:"redirect"`
	// Answer at once.
	Respond *Respond `yaml:"respond"`
	// `true`: answer 200 with the request's own body and content type.
	Echo bool `yaml:"echo"`
	// Request body (413) for this route in place of the listener's body_size; 0 keeps the listener's.
	MaxBody Size `yaml:"max_body" min:"0B" max:"1024TiB"`
	// Let protocol upgrades (WebSocket) and CONNECT through. Otherwise Upgrade is removed and the request forwarded as a plain one, and CONNECT gets
	// 403. A CONNECT is routed by its host and the path `/`; the endpoint must be a proxy itself.
	AllowUpgrade bool `yaml:"allow_upgrade"`
	// Receive up to this much of a request body before an endpoint is asked, so that a slow client does not occupy one. A longer body is
	// streamed from there on; 0 streams from the first byte.
	BufferRequest Size `yaml:"buffer_request" min:"0B" max:"256KiB"`
	// Timeouts in place of the cluster's.
	Timeouts RouteTimeouts `yaml:"timeouts"`
	// When and how often a request is tried again, in place of what the cluster says. Not given: as the cluster says.
	Retry *RouteRetry `yaml:"retry"`
	// Change the path, host or query that the endpoint sees.
	Rewrite *Rewrite `yaml:"rewrite"`
	// Change the fields that the endpoint sees.
	RequestHeaders HeaderEdits `yaml:"request_headers"`
	// Change the fields that the client sees, in answers of endpoints, redirects and `respond`; not in those to failures.
	ResponseHeaders HeaderEdits `yaml:"response_headers"`
	// Send a copy of requests to another cluster.
	Mirror *Mirror `yaml:"mirror"`
}

// Match is what a request must look like. All parts that are given must match.
type Match struct {
	// Host name without port, compared without regard to case: `api.example.com`, or `*.example.com` for every name below
	// example.com at any depth, but not example.com itself. Not given or `*`: any.
	Host string `yaml:"host"`
	// Path without the query: `/a` is exactly that, `/a/*` everything below (`/a/` too, `/a` not), `/users/{id}/posts` has any non-empty
	// segment in place of `{id}`. Paths of requests are compared, and forwarded, in their normal form: without `//`, `.` and `..` segments, letters and digits not
	// percent-encoded. Not given: `/*`. Inside of `{…}` YAML wants a path with braces in quotes.
	Path string `yaml:"path"`
	// Regular expression (RE2) for the whole path in its normal form, in place of `path`. All expressions of a host are tried one after the other
	// for every request that no path without a `*` takes, so they are the last resort. Groups are `{1}` or `{name}` in templates.
	PathRegex string `yaml:"path_regex"`
	// Methods, as in `[GET, POST]`. GET includes HEAD, unless another route with the same host and path names HEAD. Not given: any.
	Methods []string `yaml:"methods"`
	// Fields of the request; all of them must match. A field that is there more than once matches when one of its values does.
	Headers []ValueMatch `yaml:"headers"`
	// Parameters of the query, percent-decoded; all of them must match.
	Query []ValueMatch `yaml:"query"`
	// Networks (`10.0.0.0/8`) or addresses of clients. Not given: any.
	Source []string `yaml:"source"`
}

// Equal tells whether both match the same requests.
func (m *Match) Equal(o *Match) bool {
	return m.Host == o.Host && m.Path == o.Path && m.PathRegex == o.PathRegex && slices.Equal(m.Methods, o.Methods) &&
		slices.Equal(m.Headers, o.Headers) && slices.Equal(m.Query, o.Query) && slices.Equal(m.Source, o.Source)
}

// Respond is a response from the configuration itself.
type Respond struct {
	// Status code.
	Status int `yaml:"status" min:"200" max:"599"`
	// Fields of the response, name and value. Content-Type is `text/plain; charset=utf-8` unless given; Content-Length is set by itself.
	Headers Headers `yaml:"headers"`
	// Body of the response.
	Body string `yaml:"body"`
	// File that holds the body, read when the configuration is loaded; at most 16 MiB. A relative path starts at the folder of the configuration file.
	File string `yaml:"file"`

	// content of File.
	content []byte
}

// Content is the body, from wherever it comes. The caller must not change it.
func (r *Respond) Content() []byte {
	if r.File != "" {
		return r.content
	}
	return []byte(r.Body)
}

// RouteTimeouts replaces timeouts of the cluster for one route.
type RouteTimeouts struct {
	// To connect (504). Not given: the cluster's.
	Connect Duration `yaml:"connect" min:"1ms" max:"24h"`
	// From the end of the request to the head of the response (504). Not given: the cluster's.
	FirstByte Duration `yaml:"first_byte" min:"1ms" max:"24h"`
	// A pause while a body, or an upgraded connection, moves in neither direction. Not given: the cluster's.
	Idle Duration `yaml:"idle" min:"1ms" max:"24h"`
	// From the head of the request to the end of the response, all attempts together (504, or the connection is broken off when the
	// response has begun). An upgraded connection is closed after this time as well. Not given: no limit.
	Total Duration `yaml:"total" min:"1ms" max:"24h"`
}

// AccessLog of the data plane.
type AccessLog struct {
	// A file, `stdout` or `stderr`. Not given: no access log.
	Path string `yaml:"path"`
	// Form of a line.
	Format string `yaml:"format" enum:"json,text"`
	// Fields of a line, in this order. In a text line a field without a value is `-`, in JSON it is left out. `tls` (version), `cipher`, `alpn` and `sni` are those of the
	// client's connection, without a value where it has no TLS. Not given: all of them, in a text line without those four.
	Fields []string `yaml:"fields" enum:"time,listener,client,method,host,path,query,protocol,status,flags,bytes_in,bytes_out,duration_us,upstream_us,attempts,route,cluster,endpoint,request_id,user_agent,tls,cipher,alpn,sni,code,detail"`
	// Share of the requests that get a line, from 0 to 1. Failures (5xx, a response flag, no response at all) and slow requests always get one.
	Sample Fraction `yaml:"sample"`
	// A request that takes this long is slow: it is logged whatever the sample. 0: none is.
	Slow Duration `yaml:"slow" min:"0s" max:"24h"`
}
