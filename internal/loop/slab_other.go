//go:build !linux

package loop

// Without an engine to feed, a slab is ordinary memory.

func reserve(n int) ([]byte, error) { return make([]byte, n), nil }

func unreserve([]byte) {}

func discard([]byte) {}
