package config

// RouteRetry says for one route when and how often a request is tried again, in place of the cluster's retries and retry: what is not given here has its
// default, not the cluster's value. The budget and the limits stay those of the cluster.
type RouteRetry struct {
	// Further attempts; 0: none but the free one that a kept connection gets when it turns out to be closed.
	Retries int `yaml:"retries" min:"0" max:"10"`
	// Reasons, as in the cluster's retry.
	On []string `yaml:"when" enum:"connect,reset,timeout,refused,status"`
	// Statuses for the reason `status`.
	Statuses []int `yaml:"statuses" min:"400" max:"599"`
	// Statuses of gRPC for the reason `status`, as in the cluster's retry.
	GRPCStatuses []string `yaml:"grpc_statuses" enum:"cancelled,unknown,invalid_argument,deadline_exceeded,not_found,already_exists,permission_denied,resource_exhausted,failed_precondition,aborted,out_of_range,unimplemented,internal,unavailable,data_loss,unauthenticated"`
	// `true`: repeat POST, PATCH and other methods too of which a repetition may do harm.
	NonIdempotent bool `yaml:"non_idempotent"`
	// How long one attempt may take until the head of its response when there is another attempt to make. Not given: as long as first_byte.
	PerTry Duration `yaml:"per_try" min:"1ms" max:"24h"`
	// Upper end of the random pause before the first retry; it doubles with each one.
	Backoff Duration `yaml:"backoff" min:"0s" max:"1h"`
	// Longest upper end of that pause.
	MaxBackoff Duration `yaml:"max_backoff" min:"0s" max:"1h"`
	// Longest Retry-After that is waited for.
	MaxRetryAfter Duration `yaml:"max_retry_after" min:"0s" max:"1h"`
	// `false`: no second attempt beside a slow one, whatever the cluster's hedge says.
	Hedge bool `yaml:"hedge"`
}

// Retry is the policy as the one of a cluster; the budget is empty.
func (r *RouteRetry) Retry() *Retry {
	return &Retry{
		On: r.On, Statuses: r.Statuses, GRPCStatuses: r.GRPCStatuses, NonIdempotent: r.NonIdempotent, PerTry: r.PerTry,
		Backoff: r.Backoff, MaxBackoff: r.MaxBackoff, MaxRetryAfter: r.MaxRetryAfter,
	}
}

// setRouteRetryDefaults starts from what a cluster starts from.
func setRouteRetryDefaults(p *RouteRetry) {
	var r Retry
	SetDefaults(&r)
	*p = RouteRetry{Retries: 1, On: r.On, Statuses: r.Statuses, Backoff: r.Backoff, MaxBackoff: r.MaxBackoff, MaxRetryAfter: r.MaxRetryAfter, Hedge: true}
}

// checkRetry looks at the policy r, which stands at path. firstByte is the time limit that bounds an attempt anyway, 0: not known.
func (d *decoder) checkRetry(r *Retry, firstByte Duration, path ...any) {
	at := func(key string) []any { return append(append([]any(nil), path...), key) }
	if contains(r.On, "status") && len(r.Statuses)+len(r.GRPCStatuses) == 0 {
		d.report("retries by status need statuses", "expected some, as in [502, 503]", at("statuses")...)
	}
	if len(r.GRPCStatuses) > 0 && !contains(r.On, "status") {
		d.report("grpc_statuses without the reason status", "expected status in when", at("grpc_statuses")...)
	}
	if len(r.Statuses) > 0 && d.given(at("statuses")...) && !contains(r.On, "status") && !contains(r.On, "") { // "": a word that was refused
		d.report("statuses without the reason status", "expected status in when", at("statuses")...)
	}
	if r.Backoff > r.MaxBackoff && d.given(at("backoff")...) {
		d.report("backoff "+r.Backoff.String()+" is longer than max_backoff "+r.MaxBackoff.String(), "expected it to be at most that", at("backoff")...)
	}
	if d.given(at("per_try")...) && firstByte > 0 && r.PerTry > firstByte {
		d.report("per_try "+r.PerTry.String()+" is longer than the timeout first_byte "+firstByte.String(), "expected a shorter one", at("per_try")...)
	}
}
