package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// yardsticks are measured in their bare form beside those that are measured in both.
var yardsticks = []string{"nginx", "haproxy"}

// lostAtMost is the share of lines that may be missing: more would be a way to be fast.
const lostAtMost = 0.001

// equipped are the targets of a scenario with everything on: each that can have it, in its bare form and behind that in the other one, and the yardsticks.
func equipped(all []Located) (out []Located) {
	for _, t := range all {
		e, can := t.Target.(target.Equipped)
		if t.Sparing || !can && !slices.Contains(yardsticks, t.Name()) {
			continue
		}
		out = append(out, t)
		if can {
			full := t
			full.Target = target.Full(e)
			out = append(out, full)
		}
	}
	return out
}

// afterFull looks whether a target with everything on lost lines of its access log, and removes the log, of which a bench would pile up gigabytes.
func (l *Lab) afterFull(ctx context.Context, t Located, run *target.Running, sm *result.Sample) error {
	e, ok := t.Target.(target.Equipped)
	if !ok || !target.IsFull(t.Name()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	lost, err := e.Lost(ctx, run)
	if err != nil {
		return fmt.Errorf("%s: lost lines of the access log: %w", t.Name(), err)
	}
	if lost > 0 {
		sm.Warnings = append(sm.Warnings, fmt.Sprintf("%d lines of the access log were dropped", lost))
		if float64(lost) > lostAtMost*float64(sm.Load.Responses) {
			sm.Invalid = append(sm.Invalid, fmt.Sprintf("%d lines of the access log were dropped, of %d responses", lost, sm.Load.Responses))
		}
	}
	return os.Truncate(filepath.Join(run.Plan.Dir, target.FullLog), 0)
}
