package telemetry

import "sync/atomic"

// ConfigStats tell about the configuration in force and about attempts to change it. They are the control plane's.
type ConfigStats struct {
	// Generation of the configuration in force.
	Generation atomic.Uint64
	// Reloads that came into force, that were refused, and that were asked for while one for the same reason was waiting already.
	Reloads, Failures, Coalesced atomic.Uint64
	// LastReload is when the last one came into force in ns since the Unix epoch, 0: never. LastDuration is how long it took, in ns, from
	// reading the file until every worker had it.
	LastReload, LastDuration atomic.Int64
	// Predecessor is how many client connections the process that this one has replaced still has, as it last said.
	Predecessor atomic.Int64
}

// configSample is what ConfigStats were at one moment.
type configSample struct {
	generation, reloads, failures, coalesced uint64
	lastReload, lastDuration, predecessor    int64
}

func (c *ConfigStats) sample() configSample {
	return configSample{c.Generation.Load(), c.Reloads.Load(), c.Failures.Load(), c.Coalesced.Load(), c.LastReload.Load(), c.LastDuration.Load(), c.Predecessor.Load()}
}

// configTable is the part of Table about them.
var configTable = []Metric{
	{Name: "blitz_config_generation", Kind: KindGauge, Unit: "generation", Help: "Generation of the configuration in force; an upgrade goes on counting.",
		process: func(s *Samples, p put) { p(float64(s.config.generation)) }},
	{Name: "blitz_config_reloads_total", Kind: KindCounter, Unit: "reloads", Help: "Configurations that came into force after the first one.",
		process: func(s *Samples, p put) { p(float64(s.config.reloads)) }},
	{Name: "blitz_config_reload_failures_total", Kind: KindCounter, Unit: "reloads", Help: "Configurations that were refused; the one before stayed in force.",
		process: func(s *Samples, p put) { p(float64(s.config.failures)) }},
	{Name: "blitz_config_reloads_coalesced_total", Kind: KindCounter, Unit: "reloads", Help: "Wishes for a reload that were served together with another one.",
		process: func(s *Samples, p put) { p(float64(s.config.coalesced)) }},
	{Name: "blitz_config_last_reload_seconds", Kind: KindGauge, Unit: "seconds", Help: "When the last reload came into force, since the Unix epoch; 0: never.",
		process: func(s *Samples, p put) { p(float64(s.config.lastReload) / 1e9) }},
	{Name: "blitz_config_last_reload_duration_seconds", Kind: KindGauge, Unit: "seconds", Help: "How long the last reload took, from reading the file until every worker had it.",
		process: func(s *Samples, p put) { p(float64(s.config.lastDuration) / 1e9) }},
	{Name: "blitz_predecessor_connections", Kind: KindGauge, Unit: "connections", Help: "Client connections of the process that this one has replaced in an upgrade, while it drains.",
		process: func(s *Samples, p put) { p(float64(s.config.predecessor)) }},
}
