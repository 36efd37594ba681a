//go:build !race

package hardening

const taggedDefault = 50_000
