//go:build !unix

package main

import "github.com/blitz-gateway/blitz/loadgen/origin"

// disturb does nothing where there are no such signals.
func disturb(*origin.Server) (stop func()) { return func() {} }
