//go:build race

package server

// underRace: the race detector is on, which makes sync.Pool forget.
const underRace = true
