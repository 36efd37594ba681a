package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Observation is what one process of a target showed under one load after the other.
type Observation struct {
	// Full are the windows at saturation, Fixed is at a given rate; nil when not asked for.
	Full  []result.Sample
	Fixed *result.Sample
	// Tail holds the response times at the fixed rate: one histogram a second, or one for the whole of a shorter window.
	Tail []*hdr.Histogram
	// Allocations on the heap per request at saturation, by the target's own count; NaN when it does not count.
	Allocations float64
}

// Loads that Together gives to each target: first windows at saturation, then one at a fixed rate.
type Loads struct {
	// Windows at saturation, each so long; 0 for none.
	Windows int
	Window  time.Duration
	// Rate in requests per second of a load of the length Fixed; a length of 0 leaves it out.
	Rate  float64
	Fixed time.Duration
}

// asked are a target's counters before anything was asked and after the first question: their difference is what asking costs.
type asked [2]map[string]float64

// Together starts a process of each target and loads one at a time, the others wait: the windows at saturation by turns, in the order given and then in
// its reverse, over and over, so that what the machine does to one window it does to its neighbours as well. A shared machine changes its speed within
// seconds; windows of some ten milliseconds that lie side by side see the same speed.
func (ss *Session) Together(ctx context.Context, targets []Located, d Loads) (out []Observation, err error) {
	l := ss.l
	all, err := ss.sideBySide(ctx, targets)
	defer func() { err = errors.Join(err, endAll(all)) }()
	if err != nil {
		return nil, err
	}
	out = make([]Observation, len(all))
	before := make([]asked, len(all))
	for k, t := range all {
		out[k].Allocations = math.NaN()
		if before[k], err = l.ask2(ctx, t.Running); err != nil {
			return nil, err
		}
	}
	err = thereAndBack(len(all), d.Windows, func(k, i int) error {
		t := all[k]
		sm := result.Sample{Target: t.Name(), Phase: result.Saturation, Round: i, Started: time.Now().UTC().Round(time.Millisecond)}
		_, err := l.loadRunning(ctx, ss.s, t.Located, t.Running, ss.origin, d.Window, &sm)
		out[k].Full = append(out[k].Full, sm)
		return err
	})
	if err != nil {
		return nil, err
	}
	for k, t := range all {
		if d.Windows > 0 {
			if out[k].Allocations, err = l.allocations(ctx, t.Running, before[k]); err != nil {
				return nil, err
			}
		}
	}
	for k, t := range all {
		if d.Fixed == 0 {
			continue
		}
		o := &out[k]
		o.Fixed = &result.Sample{Target: t.Name(), Phase: result.FixedRate, Rate: d.Rate, Started: time.Now().UTC().Round(time.Millisecond)}
		hs, err := l.loadRunning(ctx, ss.s, t.Located, t.Running, ss.origin, d.Fixed, o.Fixed)
		if err != nil {
			return nil, err
		}
		if o.Tail = hs.intervals; len(o.Tail) == 0 {
			o.Tail = []*hdr.Histogram{hs.response}
		}
	}
	return out, nil
}

// Cold starts a target and returns the time until its first answer.
func (l *Lab) Cold(ctx context.Context, t Located) (time.Duration, error) {
	if l.seen == nil {
		l.seen = map[string]*result.Target{}
	}
	for _, s := range scenarios {
		if s.kind == cold {
			sm := result.Sample{Target: t.Name()}
			err := l.coldSample(ctx, s, t, &sm)
			if err != nil {
				return 0, err
			}
			return time.Duration(sm.Cold.Milliseconds * float64(time.Millisecond)), nil
		}
	}
	return 0, errors.New("there is no scenario of cold starts")
}

// OwnCPU is the CPU time of everything this laboratory has done so far: itself, what it started and collected, and what still runs.
func (l *Lab) OwnCPU() (time.Duration, error) {
	own, err := proc.OwnCPU()
	if err != nil {
		return 0, err
	}
	live, err := l.Set.CPU()
	return own + live, err
}

// The counters of which allocations per request are made.
const (
	mallocs  = "blitz_go_mallocs_total"
	requests = "blitz_requests_total"
)

// ask2 asks a target for its counters twice; nothing when it has no admin listener.
func (l *Lab) ask2(ctx context.Context, run *target.Running) (seen asked, err error) {
	if run.Plan.AdminPort == 0 {
		return seen, nil
	}
	// The admin listener opens a moment after the workers serve: on a busy CPU the load's first answer can be earlier.
	if err := awaitListener(ctx, adminAddr(run)); err != nil {
		return seen, fmt.Errorf("admin listener of %s: %w; its log: %s", run.Target.Name(), err, run.LogTail())
	}
	for i := range seen {
		if seen[i], err = counters(ctx, run); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// allocations divides the growth of the target's allocation counter by that of its requests since it was asked before the loads. Asking costs
// allocations as well; the two questions before the loads show how many.
func (l *Lab) allocations(ctx context.Context, run *target.Running, seen asked) (float64, error) {
	before := seen[1]
	if before == nil {
		return math.NaN(), nil
	}
	now, err := counters(ctx, run)
	if err != nil {
		return 0, err
	}
	served := now[requests] - before[requests]
	if _, ok := now[mallocs]; !ok || served <= 0 {
		return math.NaN(), nil
	}
	asking := before[mallocs] - seen[0][mallocs]
	return max(0, now[mallocs]-before[mallocs]-asking) / served, nil
}

func adminAddr(run *target.Running) string {
	return net.JoinHostPort(run.Plan.Host, strconv.Itoa(run.Plan.AdminPort))
}

func counters(ctx context.Context, run *target.Running) (map[string]float64, error) {
	seen, err := scrape(ctx, adminAddr(run))
	if err != nil {
		return nil, fmt.Errorf("ask %s for its counters: %w; its log: %s", run.Target.Name(), err, run.LogTail())
	}
	return seen, nil
}

// awaitListener waits until somebody listens at addr, for at most 5 s.
func awaitListener(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err == nil {
			return c.Close()
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return err
		}
		if pauseFor(ctx, 10*time.Millisecond) != nil {
			return err
		}
	}
}

// scrape reads the metrics without labels.
func scrape(ctx context.Context, addr string) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tr := &http.Transport{DisableKeepAlives: true}
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	res, err := tr.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	out := map[string]float64{}
	sc := bufio.NewScanner(res.Body)
	for sc.Scan() {
		name, value, ok := strings.Cut(sc.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] = v
		}
	}
	return out, sc.Err()
}

// readIntervals reads the response times of an interval log; nothing for no name.
func readIntervals(name string) ([]*hdr.Histogram, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := hdr.ReadLog(f)
	if err != nil {
		return nil, err
	}
	var out []*hdr.Histogram
	for _, i := range all {
		if i.Tag == "response" && i.Count() > 0 {
			out = append(out, i.Histogram)
		}
	}
	return out, nil
}
