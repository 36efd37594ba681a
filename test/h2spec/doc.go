// Package h2spec runs the conformance tests of github.com/summerwind/h2spec, all sections, in strict mode, against the gateway's executable.
//
// It is a module of its own, so that their dependencies stay out of the gateway's. It imports nothing of ours; nothing imports it.
package h2spec
