//go:build race

package hardening

// The race detector makes everything ten times slower; what it looks for shows in fewer requests, too.
const taggedDefault = 15_000

const mutations = 1000

const faultSeeds = 25

// memoryIsOurs: the race detector keeps what it knows about memory that was given back.
const memoryIsOurs = false
