package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// meterEvery is how often CPU clocks are read during a load: often enough that half an interval at each end of the window is nothing, seldom
// enough to cost nothing (two system calls each time, on the load generator's CPU).
const meterEvery = 10 * time.Millisecond

// originProcess is the running origin of a scenario; nil without one.
type originProcess struct {
	*proc.Process
	port int
	body []byte
}

func (o *originProcess) portOrZero() int {
	if o == nil {
		return 0
	}
	return o.port
}

// startOrigin runs `blitzload origin` and fetches what it answers.
func (l *Lab) startOrigin(ctx context.Context, s Scenario) (*originProcess, error) {
	return l.startOriginAt(ctx, s, "127.0.0.1")
}

// startOriginAt does so at an address of this machine.
func (l *Lab) startOriginAt(ctx context.Context, s Scenario, host string) (*originProcess, error) {
	dir, err := l.dir("origin")
	if err != nil {
		return nil, err
	}
	port, err := FreePort()
	if err != nil {
		return nil, err
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	p, err := l.Set.Start(proc.Spec{
		Path: l.Blitzload, Args: []string{"origin", "--address", addr, "--body-size", strconv.FormatInt(s.bodyBytes, 10),
			"--threads", strconv.Itoa(len(l.Machine.Roles.Origin))},
		Dir: dir, CPUs: l.Machine.Roles.Origin, Log: filepath.Join(dir, "log"),
	})
	if err != nil {
		return nil, err
	}
	o := &originProcess{Process: p, port: port}
	deadline := time.Now().Add(10 * time.Second)
	for {
		o.body, err = l.ask(ctx, s, addr)
		if err == nil {
			break
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("the origin ended (%s): %s", p.Exit(), p.LogTail())
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("the origin does not answer: %w: %s", err, p.LogTail()), p.Stop(time.Second))
		}
	}
	want := s.bodyBytes
	if s.grpc {
		want = int64(len(message(int(want))))
	}
	if int64(len(o.body)) != want {
		return nil, errors.Join(fmt.Errorf("the origin answers %d bytes, not %d", len(o.body), s.bodyBytes), p.Stop(time.Second))
	}
	return o, nil
}

// Session holds a load scenario open: the origin runs, targets come and go.
type Session struct {
	l      *Lab
	s      Scenario
	origin *originProcess
}

// Open starts what a load scenario needs beside the target. The caller must Close it.
func (l *Lab) Open(ctx context.Context, s Scenario) (*Session, error) {
	if s.kind != load {
		return nil, fmt.Errorf("%s is not a load scenario", s.Name)
	}
	if l.seen == nil {
		l.seen = map[string]*result.Target{}
	}
	ss := &Session{l: l, s: s}
	if l.Fleet != nil {
		return ss, l.Fleet.open(ctx, s)
	}
	if !s.proxied {
		return ss, nil
	}
	var err error
	ss.origin, err = l.startOrigin(ctx, s)
	return ss, err
}

// Close stops the origin.
func (ss *Session) Close() error {
	if ss.l.Fleet != nil {
		return ss.l.Fleet.stopOrigin()
	}
	if ss.origin == nil {
		return nil
	}
	return ss.origin.Stop(time.Second)
}

// loadScenario fills in samples, groups and logs.
func (l *Lab) loadScenario(ctx context.Context, s Scenario, r *result.Result, logs map[string][]byte) (err error) {
	p := l.Profile
	r.Scenario.WarmupSeconds, r.Scenario.SaturationSeconds, r.Scenario.RateSeconds = p.Warmup.Seconds(), p.Saturation.Seconds(), p.Rate.Seconds()
	ss, err := l.Open(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ss.Close()) }()
	m := newMerger()
	turns := l.Fleet == nil && !s.attacked // an attack goes on beside the whole of a sample
	if turns {
		r.Scenario.SaturationTurns, r.Scenario.RateTurns = turnsOf(p.Saturation), turnsOf(p.Rate)
	}
	phase := func(ph result.Phase, rate float64, d time.Duration) error {
		var samples []result.Sample
		var err error
		if turns {
			samples, err = ss.byTurns(ctx, ph, rate, d, m)
		} else {
			samples, err = l.rounds(ctx, s, p.Pairs, func(t Located, sm *result.Sample) error {
				sm.Phase, sm.Rate = ph, rate
				hs, err := l.loadSample(ctx, s, t, ss.origin, d, sm)
				if err == nil && sm.Valid() {
					m.add(*sm, hs)
				}
				return err
			})
		}
		r.Samples = append(r.Samples, samples...)
		return err
	}
	rates := s.rates
	if !s.attacked {
		if err := phase(result.Saturation, 0, p.Saturation); err != nil {
			return err
		}
		rates, r.Scenario.Skipped = l.rates(s, r.Samples)
	}
	all := l.Targets
	defer func() { l.Targets = all }()
	for _, rate := range rates {
		if !s.attacked {
			l.Targets = offered(all, r.Samples, rate)
		}
		if err := phase(result.FixedRate, rate, p.Rate); err != nil {
			return err
		}
	}
	r.Scenario.Rates = rates
	r.Groups, err = m.groups(all, logs)
	return err
}

// stands is the share of its saturation that a target surely stands.
const stands = 0.8

// rates decides which rates every target is offered: those that the slowest one surely stands, and half of what it managed where the profile says so or
// no other is left.
func (l *Lab) rates(s Scenario, samples []result.Sample) (rates []float64, skipped []string) {
	slowest := math.Inf(1)
	for _, t := range setsRates(l.Targets) {
		slowest = min(slowest, median(samples, t.Name()))
	}
	if math.IsNaN(slowest) || math.IsInf(slowest, 0) {
		return nil, []string{"no valid sample at saturation to derive rates from"}
	}
	for _, r := range s.rates {
		if r > stands*slowest {
			skipped = append(skipped, fmt.Sprintf("%.0f/s: more than 80 %% of what the slowest target managed (%.0f/s)", r, slowest))
			continue
		}
		rates = append(rates, r)
	}
	if len(s.shares) > 0 && l.Profile.Shares {
		for _, share := range s.shares {
			rates = append(rates, RoundRate(share*slowest))
		}
		return rates, skipped
	}
	if half := RoundRate(slowest / 2); len(rates) == 0 || l.Profile.HalfRate && math.Abs(half-rates[0]) > 0.2*rates[0] {
		rates = append(rates, half)
	}
	return rates, skipped
}

// RoundRate rounds down to two significant digits.
func RoundRate(x float64) float64 {
	if x < 10 {
		return max(1, math.Floor(x))
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-1)
	return math.Floor(x/unit) * unit
}

func median(samples []result.Sample, name string) float64 {
	var v []float64
	for _, s := range samples {
		if s.Target == name && s.Valid() && s.Phase == result.Saturation {
			v = append(v, s.Load.RPS)
		}
	}
	return stat.Median(v)
}

// histograms of one sample.
type histograms struct {
	from, to          time.Time
	response, service *hdr.Histogram
	// intervals are the response times second by second, if the laboratory was asked for them and the window is long enough to have some.
	intervals []*hdr.Histogram
}

// loadSample starts a target, loads it and stops it. Only what makes the whole run pointless is an error; what spoils one sample makes it
// invalid.
func (l *Lab) loadSample(ctx context.Context, s Scenario, t Located, origin *originProcess, d time.Duration, sm *result.Sample) (hs histograms, err error) {
	if l.Fleet != nil {
		return l.Fleet.sample(ctx, l, s, t, d, sm)
	}
	run, err := l.start(t, s, origin.portOrZero())
	if err != nil {
		return hs, err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	want := []byte(target.StaticBody)
	if origin != nil {
		want = origin.body
	}
	if err := l.ready(ctx, s, t, run, want); err != nil {
		return hs, err
	}

	if s.attack != "" {
		a, err := l.startAttack(ctx, s.attack, run.Plan.Addr(), s.path, l.Profile.Warmup+d)
		if err != nil {
			return hs, err
		}
		defer func() { err = errors.Join(err, a.Stop(time.Second)) }()
	}
	if hs, err = l.loadRunning(ctx, s, t, run, origin, d, sm); err != nil {
		return hs, err // there is no sample to which lost lines could be held, and the target may be what failed
	}
	return hs, l.afterFull(ctx, t, run, sm)
}

// loadRunning loads a target that runs, in one go, and fills in the sample.
func (l *Lab) loadRunning(ctx context.Context, s Scenario, t Located, run *target.Running, origin *originProcess, d time.Duration, sm *result.Sample) (histograms, error) {
	u, err := l.turn(ctx, s, t, run, origin, l.orderOf(s, run.Plan.Addr(), sm.Rate, d))
	if err != nil {
		return histograms{}, err
	}
	return l.account(sm, s, []turn{u})
}

// blitzload runs the load generator once and reads its record.
func (l *Lab) blitzload(ctx context.Context, s Scenario, o order) (*runfmt.Record, []*hdr.Histogram, error) {
	dir, err := l.dir("load")
	if err != nil {
		return nil, nil, err
	}
	return l.blitzloadIn(ctx, s, o, dir)
}

// blitzloadIn does so in an empty directory; several may run at once.
func (l *Lab) blitzloadIn(ctx context.Context, s Scenario, o order, dir string) (*runfmt.Record, []*hdr.Histogram, error) {
	file := filepath.Join(dir, "run.json")
	args := append(o.args(s, len(l.Machine.Roles.Load)), "--json", file)
	hlog := ""
	if l.Intervals > 0 && o.Duration >= 2*l.Intervals {
		hlog = filepath.Join(dir, "run.hlog")
		args = append(args, "--hlog", hlog, "--interval", l.Intervals.String())
	}
	args = append(args, s.scheme()+o.Addr+s.path)
	var out bytes.Buffer
	args = slices.Concat(l.through, []string{l.Blitzload}, args)
	p, err := l.Set.Start(proc.Spec{Path: args[0], Args: args[1:], Dir: dir, CPUs: l.Machine.Roles.Load, Log: filepath.Join(dir, "log"), Stdout: &out})
	if err != nil {
		return nil, nil, err
	}
	// How it ended is in p.Exit(); an invalid run has its own exit code and a record that says why, and the record decides.
	_ = p.Wait(ctx.Done(), o.longest())
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	rec, err := runfmt.ReadFile(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s left no usable record (%w; %s): %s", p.Command(), err, p.Exit(), p.LogTail())
	}
	intervals, err := readIntervals(hlog)
	return rec, intervals, err
}
