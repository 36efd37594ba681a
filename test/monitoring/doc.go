// Package monitoring checks the dashboard and the alerting rules under examples/monitoring with Prometheus' own engine: each query is parsed, may name only
// metrics and labels that the table of metrics has, and is evaluated on what a running gateway says. It is a module of its own because the engine's
// dependencies belong in no other go.mod.
package monitoring
