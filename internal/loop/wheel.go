package loop

import "math/bits"

// The timer wheel: seven levels of 64 slots, four ticks a millisecond. A timer sits on the level of the highest
// base-64 digit in which its deadline differs from the current tick, in the slot of that digit. When time
// reaches the start of a slot above level 0, its timers move down; on level 0 they are due. Because a slot of
// level n is always emptied before digit n+1 changes, no slot ever lies behind the current tick, and the lowest
// occupied level holds the next event: one bit scan finds it.

const (
	wheelBits   = 6
	wheelSlots  = 1 << wheelBits
	wheelLevels = 7
	wheelDue    = wheelSlots * wheelLevels // list of timers that are being fired

	// tickNanos is how late a timer may be for having a slot: short beside the time limits of attempts, which add up in what clients see. A finer wheel
	// wakes nobody more often while nothing is due; timers of the same millisecond may share fewer wake-ups.
	tickNanos = 250_000
	// maxTick bounds deadlines: 34 years after the origin of the clock.
	maxTick = 1<<(wheelBits*wheelLevels) - 1
)

type wheel struct {
	cur      int64 // tick up to which everything has fired
	armed    int64
	occupied [wheelLevels]uint64
	heads    [wheelDue + 1]*Timer // circular lists, head.prev is the tail
}

// init starts the wheel at the given monotonic time.
func (w *wheel) init(now int64) { w.cur = now / tickNanos }

// arm (re)starts t to fire d nanoseconds after now, rounded up to the next tick.
func (w *wheel) arm(t *Timer, now, d int64) {
	if t.armed {
		w.unlink(t)
	} else {
		t.armed = true
		w.armed++
	}
	if d < 0 {
		d = 0
	}
	tick := int64(maxTick)
	if d < (maxTick-1)*tickNanos-now {
		tick = (now + d + tickNanos - 1) / tickNanos
	}
	t.deadline = max(tick, w.cur+1)
	w.insert(t)
}

// disarm stops t; harmless when it is not armed.
func (w *wheel) disarm(t *Timer) {
	if !t.armed {
		return
	}
	w.unlink(t)
	t.armed = false
	w.armed--
}

func (w *wheel) insert(t *Timer) {
	level := 0
	if diff := uint64(t.deadline ^ w.cur); diff >= wheelSlots {
		level = (bits.Len64(diff) - 1) / wheelBits
	}
	slot := int(t.deadline>>(uint(level)*wheelBits)) & (wheelSlots - 1)
	w.occupied[level] |= 1 << uint(slot)
	w.link(t, level*wheelSlots+slot)
}

func (w *wheel) link(t *Timer, pos int) {
	t.pos = uint16(pos)
	head := w.heads[pos]
	if head == nil {
		t.next, t.prev = t, t
		w.heads[pos] = t
		return
	}
	tail := head.prev
	t.next, t.prev = head, tail
	tail.next, head.prev = t, t
}

func (w *wheel) unlink(t *Timer) {
	pos := int(t.pos)
	if t.next == t {
		w.heads[pos] = nil
		if pos != wheelDue {
			w.occupied[pos/wheelSlots] &^= 1 << uint(pos%wheelSlots)
		}
	} else {
		t.prev.next, t.next.prev = t.next, t.prev
		if w.heads[pos] == t {
			w.heads[pos] = t.next
		}
	}
	t.next, t.prev = nil, nil
}

// event finds the next tick at which a slot has to be emptied, and the position of that slot.
func (w *wheel) event() (tick int64, pos int, ok bool) {
	for level := range wheelLevels {
		occ := w.occupied[level]
		if occ == 0 {
			continue
		}
		shift := uint(level) * wheelBits
		slot := bits.TrailingZeros64(occ)
		base := w.cur >> (shift + wheelBits) << (shift + wheelBits)
		return base | int64(slot)<<shift, level*wheelSlots + slot, true
	}
	return 0, 0, false
}

// next is the monotonic time at which the wheel wants to be advanced, 0 when no timer is armed. It may come
// before the next expiry (a slot of a higher level has to be spread), never after it.
func (w *wheel) next() int64 {
	tick, _, ok := w.event()
	if !ok {
		return 0
	}
	return tick * tickNanos
}

// advance fires what is due at the monotonic time now, in the order of the ticks. Handlers may arm and disarm
// any timer, including those that are due.
func (w *wheel) advance(now int64) {
	to := now / tickNanos
	for {
		tick, pos, ok := w.event()
		if !ok || tick > to {
			break
		}
		w.cur = tick
		w.empty(pos)
	}
	w.cur = max(w.cur, to)
}

// empty fires the due timers of a slot and moves the others down.
func (w *wheel) empty(pos int) {
	head := w.heads[pos]
	w.heads[pos] = nil
	w.occupied[pos/wheelSlots] &^= 1 << uint(pos%wheelSlots)
	for t := head; ; {
		next := t.next
		if t.deadline > w.cur {
			w.insert(t)
		} else {
			w.link(t, wheelDue)
		}
		if next == head {
			break
		}
		t = next
	}
	for t := w.heads[wheelDue]; t != nil; t = w.heads[wheelDue] {
		w.disarm(t)
		t.Handler.OnTimer(t)
	}
}
