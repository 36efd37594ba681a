//go:build !race

package hardening

const taggedDefault = 50_000

const faultSeeds = 100
