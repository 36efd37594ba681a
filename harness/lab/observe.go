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
	// Full is at saturation, Fixed at a given rate; nil when not asked for.
	Full, Fixed *result.Sample
	// Tail holds the response times at the fixed rate: one histogram a second, or one for the whole of a shorter window.
	Tail []*hdr.Histogram
	// Allocations on the heap per request at saturation, by the target's own count; NaN when it does not count.
	Allocations float64
}

// Observe starts a target once and loads it: at saturation for full, then at rate for fixed. A time of 0 leaves that load out.
func (ss *Session) Observe(ctx context.Context, t Located, rate float64, full, fixed time.Duration) (o Observation, err error) {
	l := ss.l
	o.Allocations = math.NaN()
	run, err := l.start(t, ss.s, ss.origin.portOrZero())
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	want := []byte(target.StaticBody)
	if ss.origin != nil {
		want = ss.origin.body
	}
	if err := l.ready(ctx, ss.s, t, run, want); err != nil {
		return o, err
	}
	now := func() time.Time { return time.Now().UTC().Round(time.Millisecond) }
	if full > 0 {
		o.Full = &result.Sample{Target: t.Name(), Phase: result.Saturation, Started: now()}
		if o.Allocations, err = l.allocations(ctx, run, func() error {
			_, err := l.loadRunning(ctx, ss.s, t, run, ss.origin, full, o.Full)
			return err
		}); err != nil {
			return o, err
		}
	}
	if fixed > 0 {
		o.Fixed = &result.Sample{Target: t.Name(), Phase: result.FixedRate, Rate: rate, Started: now()}
		hs, err := l.loadRunning(ctx, ss.s, t, run, ss.origin, fixed, o.Fixed)
		if err != nil {
			return o, err
		}
		if o.Tail = hs.intervals; len(o.Tail) == 0 {
			o.Tail = []*hdr.Histogram{hs.response}
		}
	}
	return o, nil
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

// allocations runs a load and divides the growth of the target's allocation counter by that of its requests. Asking costs allocations as well, so it
// is asked three times in the same way: the first two answers show what asking costs.
func (l *Lab) allocations(ctx context.Context, run *target.Running, load func() error) (float64, error) {
	if run.Plan.AdminPort == 0 {
		return math.NaN(), load()
	}
	addr := net.JoinHostPort(run.Plan.Host, strconv.Itoa(run.Plan.AdminPort))
	// The admin listener opens a moment after the workers serve: on a busy CPU the load's first answer can be earlier.
	if err := awaitListener(ctx, addr); err != nil {
		return 0, fmt.Errorf("admin listener of %s: %w; its log: %s", run.Target.Name(), err, run.LogTail())
	}
	var seen [3]map[string]float64
	for i := range seen {
		if i == 2 {
			if err := load(); err != nil {
				return 0, err
			}
		}
		var err error
		if seen[i], err = scrape(ctx, addr); err != nil {
			return 0, fmt.Errorf("ask %s for its counters: %w; its log: %s", run.Target.Name(), err, run.LogTail())
		}
	}
	served := seen[2][requests] - seen[1][requests]
	if _, ok := seen[2][mallocs]; !ok || served <= 0 {
		return math.NaN(), nil
	}
	asking := seen[1][mallocs] - seen[0][mallocs]
	return max(0, seen[2][mallocs]-seen[1][mallocs]-asking) / served, nil
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
