package telemetry

// TLSCounters count the TLS connections of one worker in one role.
type TLSCounters struct {
	// Handshakes that ended well: with a key exchange of their own, and continuing an earlier session.
	Full, Resumed uint64
	// Failures counts handshakes that ended badly and connections that a fault of TLS ended, by code.
	Failures CodeCounts
	// Queued counts handshakes that had to wait for their turn.
	Queued uint64
	// Active is the number of established connections now.
	Active int64
	// HandshakeTime is from the first byte of a handshake to its end: mostly the way there and back.
	HandshakeTime Histogram
}

// Established counts a handshake that took ns nanoseconds.
func (c *TLSCounters) Established(resumed bool, ns int64) {
	if resumed {
		c.Resumed++
	} else {
		c.Full++
	}
	c.Active++
	c.HandshakeTime.Observe(ns)
}

// tlsMetrics are the rows of one role.
func tlsMetrics(side, peers string, of func(*Counters) *TLSCounters) []Metric {
	return []Metric{
		{Name: "blitz_" + side + "_tls_handshakes_total", Kind: KindCounter, Unit: "handshakes", Help: "TLS handshakes with " + peers + " that ended well: full, or resumed from an earlier session.", Labels: []string{"kind"},
			many: func(c *Counters, p put) {
				p(float64(of(c).Full), "full")
				p(float64(of(c).Resumed), "resumed")
			}},
		{Name: "blitz_" + side + "_tls_failures_total", Kind: KindCounter, Unit: "failures", Help: "TLS handshakes with " + peers + " that failed, and connections that a fault of TLS ended, by code.", Labels: []string{"code"},
			many: func(c *Counters, p put) {
				for _, f := range of(c).Failures.counts {
					p(float64(f.n), f.code)
				}
			}},
		{Name: "blitz_" + side + "_tls_handshakes_queued_total", Kind: KindCounter, Unit: "handshakes", Help: "TLS handshakes with " + peers + " that waited because others were under way.",
			one: func(c *Counters) float64 { return float64(of(c).Queued) }},
		{Name: "blitz_" + side + "_tls_connections_active", Kind: KindGauge, Unit: "connections", Help: "Established TLS connections with " + peers + " now.",
			one: func(c *Counters) float64 { return float64(of(c).Active) }},
		{Name: "blitz_" + side + "_tls_handshake_seconds", Kind: KindHistogram, Unit: "seconds", Help: "Duration of TLS handshakes with " + peers + ".",
			durations: func(c *Counters) *Histogram { return &of(c).HandshakeTime }},
	}
}

func init() {
	Table = append(Table, tlsMetrics("downstream", "clients", func(c *Counters) *TLSCounters { return &c.DownstreamTLS })...)
	Table = append(Table, tlsMetrics("upstream", "endpoints", func(c *Counters) *TLSCounters { return &c.UpstreamTLS })...)
}
