//go:build !race

package hardening

const taggedDefault = 50_000

const mutations = 3000

const faultSeeds = 100

const memoryIsOurs = true
