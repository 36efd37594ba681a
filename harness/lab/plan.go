package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// What a sample takes beside its warm-up and window, as measured on two cores: start, verify, connect, stop. Idle samples open 10,000 connections.
// The first search of a target, of which nothing is known yet, takes longer than those that begin near what the last one found.
const (
	sampleOverhead = 210 * time.Millisecond
	idleTime       = 1700 * time.Millisecond
	idleTLSTime    = 5700 * time.Millisecond
	firstSearch    = 8 * time.Second
	nextSearch     = 5200 * time.Millisecond
	coldTime       = 75 * time.Millisecond
	startTime      = 160 * time.Millisecond // and stop, of one that is loaded by turns
	turnOverhead   = 75 * time.Millisecond
	scenarioTime   = 300 * time.Millisecond
)

// The shortest windows that a budget may lead to.
const (
	minSaturation = 500 * time.Millisecond
	minRate       = 500 * time.Millisecond
)

// phases is how many rates, saturation included, a load scenario is measured at, at most.
func (s Scenario) phases(p Profile) int {
	n := len(s.rates)
	switch {
	case s.attacked:
		return n
	case len(s.shares) > 0 && p.Shares:
		n += len(s.shares)
	case len(s.rates) == 0 || p.HalfRate:
		n++
	}
	return n + 1
}

// Expect is how long a scenario takes over so many targets, if no sample has to be repeated.
func Expect(p Profile, s Scenario, targets int) time.Duration {
	n := time.Duration(targets)
	if s.able != 0 {
		n = time.Duration(max(s.able, 0))
	}
	switch {
	case s.kind == idle:
		open := idleTime
		if s.tls {
			open = idleTLSTime
		}
		return scenarioTime + n*time.Duration(p.Pairs)*(open+p.IdleAfter)
	case s.kind == cold:
		return scenarioTime + n*time.Duration(p.ColdStarts)*coldTime
	case s.kind == chaos:
		return scenarioTime + n*(relayTime(p, p.Chaos)+relayTime(p, chaosDead(p.Chaos))+settling+detection+2*time.Second)
	case s.kind == scaling:
		return scenarioTime + n*time.Duration(p.Pairs)*time.Duration(max(p.WorkerCounts, 2))*(p.Warmup+p.Saturation+sampleOverhead)
	case s.kind == reload:
		return scenarioTime + n*reloadExpect(p)
	case s.kind == find:
		return scenarioTime + n*(min(firstSearch, p.Search)+time.Duration(p.Pairs-1)*min(nextSearch, p.Search)+time.Duration(p.Pairs)*sampleOverhead)
	}
	rates := time.Duration(s.phases(p) - 1)
	if s.attacked {
		each := p.Warmup + sampleOverhead + p.Rate
		if s.attack != "" {
			each += attackLead
		}
		return scenarioTime + time.Duration(p.Pairs)*n*(rates+1)*each
	}
	few := time.Duration(s.sparing) // of the shipped configurations that are measured sparingly
	return scenarioTime + time.Duration(p.Pairs)*((n+few)*turnsTime(p, p.Saturation)+n*rates*turnsTime(p, p.Rate))
}

// turnsTime is how long a sample by turns takes.
func turnsTime(p Profile, d time.Duration) time.Duration {
	n := time.Duration(turnsOf(d))
	return startTime + p.Warmup + (n-1)*p.Warmup/laterWarmup + d + n*turnOverhead
}

// Fit shortens the windows, both by the same factor, until everything is expected to fit into the profile's budget; never below what a window needs
// to show something. A profile without a budget stays as it is. total is what is then expected.
func Fit(p Profile, scenarios []Scenario, targets int) (fitted Profile, total time.Duration) {
	sum := func(p Profile) (t time.Duration) {
		for _, s := range scenarios {
			t += Expect(p, s, targets)
		}
		return t
	}
	if p.Budget <= 0 || sum(p) <= p.Budget {
		return p, sum(p)
	}
	lo, hi := 0.0, 1.0
	at := func(f float64) Profile {
		q := p
		scale := func(d, least time.Duration) time.Duration {
			return max(min(d, least), time.Duration(f*float64(d)).Round(50*time.Millisecond))
		}
		q.Saturation, q.Rate = scale(p.Saturation, minSaturation), scale(p.Rate, minRate)
		return q
	}
	for range 20 {
		if mid := (lo + hi) / 2; sum(at(mid)) <= p.Budget {
			lo = mid
		} else {
			hi = mid
		}
	}
	p = at(lo)
	return p, sum(p)
}

// PlanText says what a bench is going to do and how long it is expected to take.
func PlanText(p Profile, scenarios []Scenario, targets []Located, total time.Duration) string {
	var names []string
	for _, t := range targets {
		names = append(names, t.Name())
	}
	var b strings.Builder
	fmt.Fprintf(&b, "plan: %d scenarios over %s; profile %s: %d rounds, %v warm-up, %v at saturation, %v at each fixed rate\n",
		len(scenarios), strings.Join(names, ", "), p.Name, p.Pairs, p.Warmup, p.Saturation, p.Rate)
	for _, s := range scenarios {
		fmt.Fprintf(&b, "  %-22s %5.0f s\n", s.Name, Expect(p, s, len(targets)-sparing(targets)).Seconds())
	}
	fmt.Fprintf(&b, "expected: %s in all", roughly(total))
	if p.Budget > 0 {
		fmt.Fprintf(&b, ", of a budget of %.0f", p.Budget.Minutes())
		if total > p.Budget {
			b.WriteString(": more than that, with the shortest windows; fewer scenarios, targets or pairs would help")
		}
	}
	return b.String()
}

// roughly is in minutes, or in seconds where those say more.
func roughly(d time.Duration) string {
	if d < 5*time.Minute {
		return fmt.Sprintf("%.0f seconds", d.Seconds())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
}

// withAble tells the scenarios that only some targets do how many these are.
func withAble(all []Scenario, targets []Located) []Scenario {
	out := slices.Clone(all)
	for i := range out {
		var can []Located
		switch s := &out[i]; {
		case s.kind == chaos:
			can, _ = balancers(targets)
		case s.kind == reload:
			can, _ = reloaders(targets)
		case s.equipped:
			can = equipped(targets)
		default:
			continue
		}
		out[i].able = len(can)
		if len(can) == 0 {
			out[i].able = -1
		}
	}
	return out
}
