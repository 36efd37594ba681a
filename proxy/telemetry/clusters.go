package telemetry

// ClusterSample is what metrics tell about a cluster.
type ClusterSample struct {
	Name      string
	Healthy   int
	Panic     bool
	Endpoints []EndpointSample
}

// EndpointSample is what metrics tell about an endpoint, all workers together.
type EndpointSample struct {
	Name                                                 string
	Healthy                                              bool
	Active, Open                                         int64
	Ejections, Checks, CheckFailures                     uint64
	Attempts, ServerErrors, GatewayErrors, ConnectErrors uint64
}

// maxEndpointSeries bounds the endpoints with series of their own; all others are summed up under the name "other".
const maxEndpointSeries = 256

// clusterMetrics are rows of the table.
var clusterMetrics = []Metric{
	{Name: "blitz_cluster_endpoints", Kind: KindGauge, Unit: "endpoints", Help: "Endpoints of a cluster by whether they get requests.", Labels: []string{"cluster", "state"},
		process: func(s *Samples, p put) {
			for _, c := range s.clusters {
				p(float64(c.Healthy), c.Name, "healthy")
				p(float64(len(c.Endpoints)-c.Healthy), c.Name, "unhealthy")
			}
		}},
	{Name: "blitz_cluster_panic", Kind: KindGauge, Unit: "flag", Help: "1 while fewer endpoints are healthy than panic_threshold says.", Labels: []string{"cluster"},
		process: func(s *Samples, p put) {
			for _, c := range s.clusters {
				p(oneIf(c.Panic), c.Name)
			}
		}},
	{Name: "blitz_endpoint_healthy", Kind: KindGauge, Unit: "endpoints", Help: "1 while the endpoint gets requests. Beyond 256 endpoints the rest is summed up as other, here and in all metrics of endpoints.",
		Labels:  []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return oneIf(e.Healthy) })},
	{Name: "blitz_endpoint_requests_active", Kind: KindGauge, Unit: "requests", Help: "Requests in flight to the endpoint.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.Active) })},
	{Name: "blitz_endpoint_connections_active", Kind: KindGauge, Unit: "connections", Help: "Open connections to the endpoint.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.Open) })},
	{Name: "blitz_endpoint_attempts_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts that were answered or failed.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.Attempts) })},
	{Name: "blitz_endpoint_server_errors_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts answered with a 5xx other than 502, 503 and 504, or a gRPC status that says the same.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.ServerErrors) })},
	{Name: "blitz_endpoint_gateway_errors_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts answered with 502, 503 or 504, or a gRPC status that says the same, or not answered.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.GatewayErrors) })},
	{Name: "blitz_endpoint_connect_errors_total", Kind: KindCounter, Unit: "attempts", Help: "Attempts for which no connection came about.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.ConnectErrors) })},
	{Name: "blitz_endpoint_ejections_total", Kind: KindCounter, Unit: "ejections", Help: "Times that the endpoint was ejected for how it answered requests.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.Ejections) })},
	{Name: "blitz_endpoint_checks_total", Kind: KindCounter, Unit: "checks", Help: "Health checks of the endpoint.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.Checks) })},
	{Name: "blitz_endpoint_check_failures_total", Kind: KindCounter, Unit: "checks", Help: "Health checks that failed.", Labels: []string{"cluster", "endpoint"},
		process: endpoints(func(e *EndpointSample) float64 { return float64(e.CheckFailures) })},
}

func init() { Table = append(Table, clusterMetrics...) }

// endpoints makes a source of one value for each endpoint.
func endpoints(value func(*EndpointSample) float64) func(*Samples, put) {
	return func(s *Samples, p put) {
		n := 0
		for _, c := range s.clusters {
			for i := range c.Endpoints {
				e := &c.Endpoints[i]
				if n++; n > maxEndpointSeries {
					p(value(e), c.Name, "other")
					continue
				}
				p(value(e), c.Name, e.Name)
			}
		}
	}
}

func oneIf(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
