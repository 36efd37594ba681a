package config

// ValueMatch is a condition on a header field or a query parameter: at most one of exact, prefix, regex and absent.
type ValueMatch struct {
	// Name of the field, in any case, or of the parameter.
	Name string `yaml:"name" required:"true"`
	// The value is exactly this.
	Exact string `yaml:"exact"`
	// The value begins with this.
	Prefix string `yaml:"prefix"`
	// The whole value matches this regular expression (RE2).
	Regex string `yaml:"regex"`
	// `true`: it is not there. Without this and the others it must be there, whatever its value.
	Absent bool `yaml:"absent"`
}

// SplitPart is one of the clusters that a route divides its requests among.
type SplitPart struct {
	// Name of the cluster.
	Cluster string `yaml:"cluster" required:"true"`
	// Share of the requests relative to the other parts; 0 gets none.
	Weight int `yaml:"weight" min:"0" max:"1000000"`
}

// Mirror is a copy of requests that goes to another cluster. Its answer is thrown away, and the request itself never waits for it.
type Mirror struct {
	// Name of the cluster.
	Cluster string `yaml:"cluster" required:"true"`
	// How many of a hundred requests are copied.
	Percent int `yaml:"percent" min:"1" max:"100"`
	// Requests with a larger body are not copied. Until its end is there, a copy of the body is held in memory.
	MaxBody Size `yaml:"max_body" min:"0B" max:"256KiB"`
	// How long a copy may take in all.
	Timeout Duration `yaml:"timeout" min:"1ms" max:"1h"`
}

// Rewrite changes what the endpoint sees. Of prefix, path and regex at most one. Templates have `{id}` for a parameter of the path, `{*}` for
// what its * stands for, `{1}` or `{name}` for a group of path_regex; `{{` is a brace.
type Rewrite struct {
	// Takes the place of everything before the `*` of the path: with the path `/a/*` and the prefix `/b/`, `/a/x` becomes `/b/x`.
	Prefix string `yaml:"prefix"`
	// Template of the whole path, as in `/users/{id}/posts`.
	Path string `yaml:"path"`
	// Regular expression (RE2); every place of the path that matches it is replaced by `with`.
	Regex string `yaml:"regex"`
	// Template of the replacement, with the groups of `regex`: `{1}`.
	With string `yaml:"with"`
	// Template of the Host that the endpoint sees; the client's stays in X-Forwarded-Host.
	Host string `yaml:"host"`
	// Template of the query, as in `id={id}&{query}`, where `{query}` is the client's.
	Query string `yaml:"query"`
	// `true`: no query.
	DropQuery bool `yaml:"drop_query"`
}

// Redirect is an answer that sends the client elsewhere. What is not given stays as it is in the request.
type Redirect struct {
	// Status code: 301, 302, 303, 307 or 308.
	Status int `yaml:"status" min:"301" max:"308"`
	// Scheme of the new URL.
	Scheme string `yaml:"scheme" enum:"http,https"`
	// Template of the host, with a port if it needs one.
	Host string `yaml:"host"`
	// Template of the path, as for `rewrite`.
	Path string `yaml:"path"`
	// Takes the place of everything before the `*` of the path.
	Prefix string `yaml:"prefix"`
	// `true`: no query; otherwise that of the request.
	DropQuery bool `yaml:"drop_query"`
}

// HeaderEdits changes header fields, in the order remove, set, add. Values are templates with the parts of the path as in `rewrite` and
// `{client_ip}`, `{request_id}`, `{host}`, `{method}`, `{path}`, `{query}`, `{scheme}`, `{route}`, `{listener}` and `{header:NAME}`, a field of the request;
// `{{` is a brace.
type HeaderEdits struct {
	// Names of fields that are taken away.
	Remove []string `yaml:"remove"`
	// Fields that take the place of all others of that name.
	Set Headers `yaml:"set"`
	// Fields that are added to others of that name.
	Add Headers `yaml:"add"`
}

// Tracing is what requests carry to be found again in logs. W3C trace context (traceparent, tracestate) is forwarded in any case.
type Tracing struct {
	// Give requests without X-Request-ID one of 32 random hexadecimal digits. The endpoint and the access log see it.
	RequestID bool `yaml:"request_id"`
	// Give requests without a valid traceparent a new one (W3C Trace Context), marked as sampled.
	TraceContext bool `yaml:"trace_context"`
}
