// Package giouring checks internal/uring against an independent implementation, giouring: every operation that both
// prepare must be the same 64 bytes, and benchmarks set the two rings side by side.
//
// It is a module of its own, because giouring reaches into the runtime and links only with
//
//	go test -ldflags=-checklinkname=0 ./...
//
// which the main module must never need. It imports internal/uring; nothing imports it.
package giouring
