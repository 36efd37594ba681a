package lab

import (
	"fmt"
	"time"
)

// Profile says how long and how often.
type Profile struct {
	Name string
	// Pairs is the number of rounds of all that is measured in rounds: saturation, each fixed rate, idle connections, searches, numbers of workers. Six is the least
	// for a 95 % interval.
	Pairs int
	// Warmup of each load, Saturation and Rate the measured windows.
	Warmup, Saturation, Rate time.Duration
	// HalfRate adds half of the slowest target's saturation also where a scenario has absolute rates.
	HalfRate bool
	// Shares: the shares of a scenario are run, in place of half.
	Shares bool
	// IdleAfter is how long after the last connection was served its memory counts as that of an idle one: programs give memory back
	// when the burst is over, not in the middle of it. RATIONALE.md says how long they take.
	IdleAfter time.Duration
	// ColdStarts per target.
	ColdStarts int
	// Search is the most that a search for the highest rate that holds an objective may take.
	Search time.Duration
	// WorkerCounts is how many numbers of workers scaling has on the machine; 0: not known yet.
	WorkerCounts int
	// Chaos is how long endpoints are in trouble.
	Chaos time.Duration
	// Reload is how long the configuration changes again and again, in sections.
	Reload time.Duration
	// Budget is what a whole bench may take; Fit shortens the windows to it. 0 is no bound.
	Budget time.Duration
	// Connections replaces the scenario's own number if it is not zero. IdleConnections does so for idle-10k.
	Connections, IdleConnections int
}

// idleAfter is longer than any target took to give the memory of its burst back: blitz, which looks every two seconds whether a burst is over, took 3.4 s, and the
// others gave nothing back within 15 s.
const idleAfter = 5 * time.Second

var profiles = map[string]Profile{
	// All scenarios over three targets in under five minutes on two cores.
	"quick": {Name: "quick", Pairs: 6, Warmup: 200 * time.Millisecond, Saturation: 700 * time.Millisecond, Rate: 600 * time.Millisecond, HalfRate: true, IdleAfter: idleAfter, ColdStarts: 20,
		Search: 14 * time.Second, Chaos: 20 * time.Second, Reload: 6 * time.Second},
	// All scenarios over five targets within 45 minutes on two cores: Fit shortens the windows, which are what they are here only for a few scenarios: rounds are not saved on.
	// --duration 60s makes the 1,000 reloads of a minute.
	"full": {Name: "full", Pairs: 6, Warmup: 200 * time.Millisecond, Saturation: 5 * time.Second, Rate: 10 * time.Second, IdleAfter: idleAfter, ColdStarts: 40,
		Search: 14 * time.Second, Chaos: 50 * time.Second, Reload: 15 * time.Second, Budget: 40 * time.Minute},
}

// ProfileByName returns quick or full.
func ProfileByName(name string) (Profile, error) {
	p, ok := profiles[name]
	if !ok {
		return Profile{}, fmt.Errorf("no profile %q; there are quick and full", name)
	}
	return p, nil
}
