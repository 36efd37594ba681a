// Package envoy holds the configuration that the laboratory renders for Envoy to Envoy's own protobuf definitions, on machines that have no Envoy.
//
// It is a module of its own: those definitions are large, and nothing else needs them.
package envoy
