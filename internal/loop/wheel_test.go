package loop

import (
	"math/rand/v2"
	"testing"
	"time"
)

// model is the naive timer list that the wheel is compared with.
type model struct {
	due map[*Timer]int64 // earliest permitted expiry in ns
}

// wheelRig drives a wheel and its model with the same operations.
type wheelRig struct {
	t      *testing.T
	w      wheel
	now    int64
	last   int64 // tick of the last expiry
	model  model
	rearm  map[*Timer]time.Duration // what its handler does on expiry
	victim map[*Timer]*Timer        // timer its handler disarms on expiry
	fired  int
}

func newWheelRig(t *testing.T, start int64) *wheelRig {
	r := &wheelRig{
		t: t, now: start, model: model{due: map[*Timer]int64{}},
		rearm: map[*Timer]time.Duration{}, victim: map[*Timer]*Timer{},
	}
	r.w.init(start)
	return r
}

func (r *wheelRig) arm(t *Timer, d time.Duration) {
	t.Handler = r
	r.w.arm(t, r.now, int64(d))
	r.model.due[t] = r.now + max(int64(d), 0)
}

func (r *wheelRig) disarm(t *Timer) {
	r.w.disarm(t)
	delete(r.model.due, t)
}

func (r *wheelRig) OnTimer(t *Timer) {
	r.fired++
	due, ok := r.model.due[t]
	if !ok {
		r.t.Fatalf("a timer fired that is not armed")
	}
	if r.now < due {
		r.t.Fatalf("a timer fired %d ns early", due-r.now)
	}
	if t.Armed() {
		r.t.Fatalf("a timer is still armed while it fires")
	}
	if t.deadline < r.last {
		r.t.Fatalf("a timer of tick %d fired after one of tick %d", t.deadline, r.last)
	}
	r.last = t.deadline
	delete(r.model.due, t)
	if d, ok := r.rearm[t]; ok {
		delete(r.rearm, t)
		r.arm(t, d)
	}
	if v := r.victim[t]; v != nil {
		r.disarm(v)
	}
}

func (r *wheelRig) advance(d int64) {
	r.now += d
	r.w.advance(r.now)
	for _, due := range r.model.due {
		if r.now >= due+2*tickNanos {
			r.t.Fatalf("a timer is %d ns late and has not fired", r.now-due)
		}
	}
	if int(r.w.armed) != len(r.model.due) {
		r.t.Fatalf("the wheel counts %d armed timers, the model %d", r.w.armed, len(r.model.due))
	}
	if next := r.w.next(); (next == 0) != (len(r.model.due) == 0) {
		r.t.Fatalf("next is %d with %d timers armed", next, len(r.model.due))
	} else if next != 0 && next <= r.now-tickNanos {
		r.t.Fatalf("next is %d, %d ns ago", next, r.now-next)
	}
	for _, due := range r.model.due {
		if r.w.next() >= due+2*tickNanos {
			r.t.Fatalf("next is %d ns after a timer is due", r.w.next()-due)
		}
	}
}

// spread picks durations of all magnitudes.
func spread(r *rand.Rand) time.Duration {
	return time.Duration(r.Int64N(1 << (10 + r.IntN(38))))
}

func runWheel(t *testing.T, seed uint64, steps int) {
	rnd := rand.New(rand.NewPCG(seed, 0))
	r := newWheelRig(t, rnd.Int64N(1<<50))
	timers := make([]Timer, 40)
	for range steps {
		tm := &timers[rnd.IntN(len(timers))]
		switch rnd.IntN(6) {
		case 0, 1:
			r.arm(tm, spread(rnd))
		case 2:
			r.disarm(tm)
		case 3:
			r.rearm[tm] = spread(rnd)
		case 4:
			r.victim[tm] = &timers[rnd.IntN(len(timers))]
		case 5:
			r.advance(int64(spread(rnd)))
		}
	}
	r.advance(1 << 50)
	if len(r.rearm) == 0 && r.w.armed != 0 {
		t.Fatalf("%d timers are left over", r.w.armed)
	}
	if r.fired == 0 {
		t.Fatalf("no timer ever fired: the test tests nothing")
	}
}

func TestWheelAgainstModel(t *testing.T) {
	for seed := range uint64(200) {
		runWheel(t, seed, 400)
	}
}

func FuzzWheel(f *testing.F) {
	f.Add(uint64(1), uint16(100))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) { runWheel(t, seed, 100+int(steps)) })
}

func TestWheelGranularity(t *testing.T) {
	for _, d := range []time.Duration{-1, 0, 1, time.Millisecond - 1, time.Millisecond, time.Millisecond + 1,
		63 * time.Millisecond, 64 * time.Millisecond, 65 * time.Millisecond, 4095 * time.Millisecond,
		4096 * time.Millisecond, 5 * time.Second, time.Minute, 1 << 62, 1<<63 - 1} {
		r := newWheelRig(t, 123_456_789)
		var tm Timer
		r.arm(&tm, d)
		if d > time.Hour {
			if !tm.Armed() || r.w.next() == 0 {
				t.Errorf("%v: not armed", d)
			}
			continue
		}
		for r.fired == 0 { // in steps of a tick: the model checks early and late
			r.advance(tickNanos)
		}
	}
}

func TestWheelSleepsToTheExpiry(t *testing.T) {
	r := newWheelRig(t, 0)
	var tm Timer
	r.arm(&tm, 10*time.Minute)
	wakes := 0
	for r.fired == 0 {
		r.advance(r.w.next() - r.now)
		wakes++
	}
	if wakes > wheelLevels {
		t.Errorf("one timer cost %d wake-ups, want at most one per level (%d)", wakes, wheelLevels)
	}
}

func TestWheelDoesNotAllocate(t *testing.T) {
	r := newWheelRig(t, 0)
	var a, b Timer
	h := countTimer{}
	a.Handler, b.Handler = &h, &h
	n := testing.AllocsPerRun(1000, func() {
		r.w.arm(&a, r.now, int64(time.Second))
		r.w.arm(&b, r.now, int64(time.Millisecond))
		r.now += int64(2 * time.Millisecond)
		r.w.advance(r.now)
		r.w.disarm(&a)
	})
	if n != 0 || h.n == 0 {
		t.Errorf("%v allocations per run, %d expiries", n, h.n)
	}
}

type countTimer struct{ n int }

func (c *countTimer) OnTimer(*Timer) { c.n++ }

func BenchmarkWheelRearm(b *testing.B) {
	var w wheel
	w.init(0)
	timers := make([]Timer, 1024)
	now := int64(0)
	for i := 0; b.Loop(); i++ {
		now += 1000
		w.arm(&timers[i&1023], now, int64(60*time.Second))
	}
}

// A loop that sleeps turns at next and at nothing else. Whatever the moment and the duration, a timer then fires in a turn that is never early and less than a
// tick late, and nobody is woken before more often than once per level.
func TestWheelOfASleeperFiresWithinATick(t *testing.T) {
	const millisecond = int64(time.Millisecond)
	for _, d := range []int64{1, 1000, millisecond, 7*millisecond + 1, 63 * millisecond, 64*millisecond - 1, 200 * millisecond, 250 * millisecond, 1000 * millisecond, 60_000*millisecond + 3} {
		for phase := int64(0); phase < 8*millisecond; phase += 61_803 {
			r := newWheelRig(t, 1<<40+phase)
			var tm Timer
			r.arm(&tm, time.Duration(d))
			due := r.now + d
			turns := 0
			for r.fired == 0 {
				r.now = r.w.next()
				r.w.advance(r.now)
				turns++
			}
			if late := r.now - due; late < 0 || late >= tickNanos || late >= millisecond {
				t.Fatalf("%d ns armed at %d: fired %d ns late", d, due-d, late)
			}
			if turns > wheelLevels {
				t.Fatalf("%d ns armed at %d: %d turns", d, due-d, turns)
			}
			if r.w.next() != 0 {
				t.Fatalf("nothing is armed, and the wheel wants to turn at %d", r.w.next())
			}
		}
	}
}
