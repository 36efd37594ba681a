package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
)

// Kinds of trouble.
const (
	killed    = "killed"    // SIGKILL, and started again
	stopped   = "stopped"   // SIGSTOP and SIGCONT: connections are accepted by the kernel and nothing answers
	slow      = "slow"      // answers begin 400 ms late
	resetting = "resetting" // connections are reset in place of answers
	flapping  = "flapping"  // killed and started three times
	cutOff    = "cut off"   // its packets go nowhere; only the last endpoint can be
)

// chaosEndpoints is how many endpoints there are. One at a time is in trouble: the others are enough to answer every request.
const chaosEndpoints = 3

// How long a trouble lasts, and how long everything is well afterwards, in which an endpoint that was left out comes back.
const (
	minTrouble = 300 * time.Millisecond
	maxTrouble = 1500 * time.Millisecond
	minPeace   = 1100 * time.Millisecond
	maxPeace   = 1600 * time.Millisecond
)

// script is what goes wrong when, the same for every target of a run. Each kind comes once before any comes again.
func script(seed uint64, length time.Duration, withCut bool) (out []result.Trouble) {
	chance := rng(seed, "script of troubles")
	kinds := []string{killed, stopped, slow, resetting, flapping}
	if withCut {
		kinds = append(kinds, cutOff)
	}
	between := func(lo, hi time.Duration) time.Duration {
		return (lo + time.Duration(chance.Int64N(int64(hi-lo)))).Round(time.Millisecond)
	}
	order := slices.Clone(kinds)
	for at, n := 500*time.Millisecond, 0; ; n++ {
		if n%len(kinds) == 0 {
			chance.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		tr := result.Trouble{Kind: order[n%len(kinds)], Endpoint: chance.IntN(chaosEndpoints), AtSeconds: at.Seconds()}
		if tr.Kind == cutOff {
			tr.Endpoint = chaosEndpoints - 1
		}
		d := between(minTrouble, maxTrouble)
		tr.Seconds = d.Seconds()
		if at+d > length {
			return out
		}
		out = append(out, tr)
		at += d + between(minPeace, maxPeace)
	}
}

// endpoint is one origin process, here or in the far namespace.
type endpoint struct {
	l       *Lab
	through []string
	addr    string
	dir     string
	body    int64
	p       *proc.Process
}

// startEndpoints starts all of them.
func (l *Lab) startEndpoints(s Scenario, a *arena) (out []*endpoint, err error) {
	for i := range chaosEndpoints {
		e := &endpoint{l: l, body: s.bodyBytes, through: a.through(a.near)}
		port, err := FreePort()
		if err != nil {
			return out, err
		}
		host := "127.0.0.1"
		if i == chaosEndpoints-1 && a.far != nil {
			e.through, host = a.through(a.far), farAddr
		}
		e.addr = net.JoinHostPort(host, strconv.Itoa(port))
		if e.dir, err = l.dir("endpoint"); err != nil {
			return out, err
		}
		if err := e.start(); err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (e *endpoint) start() (err error) {
	args := slices.Concat(e.through, []string{e.l.Blitzload, "origin", "--address", e.addr, "--body-size", strconv.FormatInt(e.body, 10)})
	e.p, err = e.l.Set.Start(proc.Spec{Path: args[0], Args: args[1:], Dir: e.dir, CPUs: e.l.Machine.Roles.Origin, Log: filepath.Join(e.dir, "log")})
	return err
}

// kill ends the process at once.
func (e *endpoint) kill() error {
	if e.p == nil {
		return nil
	}
	_ = e.p.Signal(proc.Kill) // it may be dead already
	return e.p.Stop(0)
}

// begin and end of a trouble; the other half of flapping lies between them.
func (e *endpoint) begin(kind string, a *arena) error {
	switch kind {
	case killed, flapping:
		return e.kill()
	case stopped:
		return e.p.Signal(proc.Pause)
	case slow:
		return e.p.Signal(proc.User1)
	case resetting:
		return e.p.Signal(proc.User2)
	case cutOff:
		return a.cut(true)
	}
	return fmt.Errorf("no trouble %q", kind)
}

func (e *endpoint) end(kind string, a *arena) error {
	switch kind {
	case killed, flapping:
		return e.start()
	case stopped:
		return e.p.Signal(proc.Continue)
	case slow:
		return e.p.Signal(proc.User1)
	case resetting:
		return e.p.Signal(proc.User2)
	case cutOff:
		return a.cut(false)
	}
	return nil
}

// play makes the troubles happen. What has begun is put right also when ctx ends.
func play(ctx context.Context, began time.Time, troubles []result.Trouble, es []*endpoint, a *arena) error {
	until := func(sec float64) bool {
		t := time.NewTimer(time.Until(began.Add(time.Duration(sec * float64(time.Second)))))
		defer t.Stop()
		select {
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	for _, tr := range troubles {
		if !until(tr.AtSeconds) {
			return nil
		}
		e := es[tr.Endpoint]
		if err := e.begin(tr.Kind, a); err != nil {
			return fmt.Errorf("%s: %w", tr.Kind, err)
		}
		if tr.Kind == flapping {
			for i := range 2 {
				until(tr.AtSeconds + tr.Seconds*float64(2*i+1)/5)
				if err := e.start(); err != nil {
					return err
				}
				until(tr.AtSeconds + tr.Seconds*float64(2*i+2)/5)
				if err := e.kill(); err != nil {
					return err
				}
			}
		}
		until(tr.AtSeconds + tr.Seconds)
		if err := e.end(tr.Kind, a); err != nil {
			return errors.Join(fmt.Errorf("after %s", tr.Kind), err)
		}
	}
	return nil
}
