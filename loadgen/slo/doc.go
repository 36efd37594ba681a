// Package slo seeks the highest rate at which a server keeps a service level objective.
//
// It may import loadgen/run, internal/hdr and internal/runfmt. What flows through: an Objective is parsed, Find asks a Prober for loads at one rate after another, and a
// runfmt.Search comes out. Loads are open loops, so the response time counts from the moment at which a request was due, and a request that never got
// an answer counts as slower than any limit.
package slo
