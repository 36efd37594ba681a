package gate

import (
	"context"
	"errors"
	"time"

	"github.com/blitz-gateway/blitz/harness/lab"
)

// Options of Compare.
type Options struct {
	Profile   Profile
	Scenarios []lab.Scenario
	Waivers   []Waiver
	Seed      uint64
	// Unguarded measures whatever else goes on on the machine.
	Unguarded bool
	Progress  func(string)
}

// Compare runs one gate in a laboratory whose first target is the baseline and whose second is the candidate.
func Compare(ctx context.Context, l *lab.Lab, o Options) (out Outcome, err error) {
	if len(l.Targets) != 2 {
		return out, errors.New("gate: a baseline and a candidate are needed")
	}
	l.Counters = o.Profile.has(Allocs)
	g, err := NewLaboratory(ctx, l, o.Profile, o.Scenarios, l.Targets[0], l.Targets[1])
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, g.Close()) }()
	c := Config{
		Metrics: g.Metrics(), MinPairs: o.Profile.MinPairs, Step: o.Profile.Step, MaxPairs: o.Profile.MaxPairs, Budget: o.Profile.Budget,
		Measure: g.Measure, Waivers: o.Waivers, Order: lab.Schedule, Seed: o.Seed, Now: time.Now, Progress: o.Progress,
	}
	for _, s := range o.Scenarios {
		c.Scenarios = append(c.Scenarios, s.Name)
	}
	var w *Watchman
	if !o.Unguarded {
		if w, err = NewWatchman(l); err != nil {
			return out, err
		}
		c.Guard = w
	}
	if out, err = Run(ctx, c); err != nil {
		return out, err
	}
	out.Notes = append(out.Notes, g.Notes...)
	if w == nil {
		out.Notes = append(out.Notes, "Nobody watched for other work on the machine.")
	} else if e := w.Finish(); e != nil {
		out.Verdict = Invalid
		out.Notes = append(out.Notes, e.Error()+".")
	}
	return out, nil
}
