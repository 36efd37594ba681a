//go:build race

package server

import "strings"

// allocationsAllowed is the bound per request. A rewrite by an expression takes its machine from a sync.Pool, which under the race detector forgets
// one in four on purpose.
func allocationsAllowed(name string) float64 {
	if strings.Contains(name, "rewritten") {
		return 0.5
	}
	return 0.01
}
