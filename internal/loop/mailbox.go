package loop

import (
	"sync"
	"sync/atomic"
)

// mailbox brings functions from other goroutines onto the loop thread. A sender wakes the loop only when it
// sleeps: the loop announces its sleep and then looks into the box once more, the sender fills the box and then
// looks whether the loop sleeps, so at least one of them sees the other.
type mailbox struct {
	full     atomic.Bool // there is something in queue
	sleeping atomic.Bool
	stopping atomic.Bool

	mu     sync.Mutex
	queue  []func()
	spare  []func()
	closed bool
	wake   func() // ends a sleep of the loop; called with mu held, so never after close
}

func (m *mailbox) post(f func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.queue = append(m.queue, f)
	m.full.Store(true)
	m.rouse()
	return true
}

func (m *mailbox) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopping.Store(true)
	if !m.closed {
		m.rouse()
	}
}

func (m *mailbox) rouse() {
	if m.sleeping.Swap(false) {
		m.wake()
	}
}

// maySleep announces a sleep. False when there is mail or a stop: then the loop must not sleep.
func (m *mailbox) maySleep() bool {
	m.sleeping.Store(true)
	if m.full.Load() || m.stopping.Load() {
		m.sleeping.Store(false)
		return false
	}
	return true
}

// awake ends the announcement.
func (m *mailbox) awake() { m.sleeping.Store(false) }

// drain runs what is in the box. What those functions post is left for the next turn.
func (m *mailbox) drain() {
	if !m.full.Load() {
		return
	}
	m.mu.Lock()
	batch := m.queue
	m.queue, m.spare = m.spare[:0], nil
	m.full.Store(false)
	m.mu.Unlock()
	for i, f := range batch {
		batch[i] = nil
		f()
	}
	m.spare = batch[:0]
}

// close makes every later post fail and returns what was posted before.
func (m *mailbox) close() []func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	rest := m.queue
	m.queue, m.spare = nil, nil
	return rest
}
