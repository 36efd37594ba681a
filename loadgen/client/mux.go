package client

import (
	"errors"
	"fmt"
	"io"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
	"github.com/blitz-gateway/blitz/loadgen/recorder"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// mux is the HTTP/2 side of a connection: up to Streams requests at once.
//
// The connection is in a queue of free ones as long as it has room for one more request, also while it is being opened. A request
// that comes before the server's SETTINGS, or when the server allows no more streams, waits in its slot; if the connection ends
// before it was sent, it goes out on the next one. A request that was sent is never sent again, but for one that the server has
// not looked at, as the GOAWAY of an orderly end says (RFC 9113 section 6.8): every client sends it on the next connection, and so
// does this one, once. Its times go on counting.
//
// Everything written during a turn of the loop goes out in one send at its end, or when the send before is done.
type mux struct {
	k     *conn
	h     h2.Conn
	slots []slot
	free  *slot
	// open counts requests that are out, waiting those that are not yet; first and last are the queue of the latter.
	open, waiting int
	first, last   *slot
	// in is the beginning of a frame. spare is the output buffer that the loop holds, or the free one.
	in, spare []byte
	dirty     bool
	// inserted: the fields of the workload are in the server's table.
	inserted, noTable bool
	goaway            bool
	goawayCode        h2.ErrCode
	// kind and cause of the end of the connection, for the requests that end with it.
	kind  recorder.Kind
	cause error
}

// slot is one request.
type slot struct {
	m      *mux
	next   *slot
	stream *h2.Stream // nil: waiting, or free
	// active: the request has no outcome yet. measured: it counts.
	active, measured bool
	// again: it is sent a second time.
	again             bool
	intended, started int64
	req               *workload.Request
	written           int // of the request's body
	status            int
	body              int64
	grpc              grpcAnswer
}

// h2Config is what all connections have in common. A load generator asks for as much as it can get: windows never hold a response up,
// and no number of frames is taken for an attack.
func h2Config(streams int) h2.Config {
	l := h2.DefaultLimits
	l.Streams = streams
	l.StreamWindow, l.MaxStreamWindow, l.ConnWindow = window, window, window
	l.Resets, l.Control, l.Empty, l.SmallData, l.WindowUpdates = endless, endless, endless, endless, endless
	return h2.Config{Client: true, Limits: l}
}

// window is how much a server may send unasked, per stream and in all: more than any body here.
const window = 1 << 30

var endless = h2.Budget{Max: 1 << 30}

func newMux(k *conn) *mux {
	m := &mux{k: k, slots: make([]slot, k.c.cfg.Streams)}
	for i := range m.slots {
		m.slots[i].m = m
		m.slots[i].next, m.free = m.free, &m.slots[i]
	}
	return m
}

// connected begins HTTP/2 on a connection that stands. Requests go out once the server's SETTINGS have come, which say how many
// may, and how large its table is.
func (m *mux) connected() {
	c := m.k.c
	buf := m.h.Out()[:0]
	m.h.Init(&c.h2, m, &c.scratch)
	m.h.SetOut(buf)
	m.h.Start()
	m.inserted, m.noTable, m.goaway = false, false, false
	m.touch()
}

// stand goes on when the SETTINGS have come.
func (m *mux) stand() {
	k := m.k
	c := k.c
	k.state = idle
	first := c.phase == connecting
	switch {
	case first && c.cfg.PerRequest && c.sessions != nil && c.sessions.last == nil:
		k.state, k.started = priming, c.loop.Now()
		c.primed = k.primed
		return
	case first && c.cfg.PerRequest:
		k.close()
	default:
		m.transmitWaiting()
		m.requeue()
	}
	if first {
		c.firstDialed(nil)
	}
}

// begin takes a request.
func (m *mux) begin(req *workload.Request, intended, now int64) {
	k := m.k
	c := k.c
	s := m.free
	m.free = s.next
	*s = slot{m: m, req: req, intended: intended, started: now, active: true, measured: c.measured(intended)}
	c.inflight++
	if s.measured {
		c.rec.Requests++
	}
	if k.state == idle && m.waiting == 0 && m.h.CanOpen() {
		m.transmit(s)
	} else {
		m.wait(s)
	}
	if k.state == down {
		k.dial()
	}
	m.requeue()
}

// wait puts a request at the end of the queue.
func (m *mux) wait(s *slot) {
	m.waiting++
	if m.last != nil {
		m.last.next = s
	} else {
		m.first = s
	}
	m.last = s
}

// requeue puts the connection among the free ones if it has room, and takes it out if not.
func (m *mux) requeue() {
	k := m.k
	room := m.free != nil && (k.state == dialing || k.state == idle && m.waiting == 0 && m.h.CanOpen())
	switch {
	case !room:
		k.unlink()
		k.freeSince = 0
	case k.in == nil:
		if k.freeSince == 0 {
			k.freeSince = k.c.loop.Now()
		}
		k.c.idle.push(k)
	}
}

// transmit writes a request. The first one of a connection puts the fields into the server's table, the later ones point there.
func (m *mux) transmit(s *slot) {
	c := m.k.c
	req := s.req
	block := req.Block
	if m.h.EncoderTable() != hpack.DefaultTableBytes {
		m.inserted, m.noTable = false, true // entries may be gone, and we do not keep track of which
	}
	if req.Indexed != nil && !m.noTable {
		block = req.Indexed
		if !m.inserted {
			m.inserted, block = true, req.Insert
		}
	}
	s.stream = m.h.OpenBlock(req.Method, block, len(req.Body) == 0)
	s.stream.User = s
	m.open++
	if s.measured && !s.again {
		c.rec.Sent++
	}
	if len(req.Body) > 0 {
		m.h.Schedule(s.stream)
		m.write()
	}
	m.touch()
}

func (m *mux) transmitWaiting() {
	for m.waiting > 0 && m.h.CanOpen() {
		s := m.first
		m.first = s.next
		if m.first == nil {
			m.last = nil
		}
		s.next = nil
		m.waiting--
		m.transmit(s)
	}
}

// write writes bodies as far as the server's windows allow.
func (m *mux) write() {
	for st := m.h.Next(); st != nil; st = m.h.Next() {
		s := st.User.(*slot)
		s.written += m.h.WriteData(st, s.req.Body[s.written:], true)
		if s.stream != nil && s.written < len(s.req.Body) {
			m.h.Schedule(st)
		}
	}
}

// touch sees to it that what was written is sent at the end of the turn.
func (m *mux) touch() {
	if !m.dirty {
		m.dirty = true
		m.k.c.dirty = append(m.k.c.dirty, m)
	}
}

func (m *mux) flush() {
	m.dirty = false
	k := m.k
	out := m.h.Out()
	if k.sending || len(out) == 0 || k.state == closing || k.state == down || k.state == resting {
		return
	}
	if now := k.c.loop.Now(); now >= k.c.plan.From && k.c.phase == running {
		k.c.rec.BytesSent += int64(len(out))
	}
	m.h.SetOut(m.spare[:0])
	m.spare = out
	k.sending = true
	k.link.Send(out)
}

// sent: the loop has taken what was sent.
func (m *mux) sent() {
	if len(m.h.Out()) > 0 {
		m.touch()
	}
}

// received takes bytes of the server.
func (m *mux) received(p []byte) {
	k := m.k
	if k.state == closing {
		return
	}
	if k.c.phase == running && k.c.loop.Now() >= k.c.plan.From {
		k.c.rec.BytesReceived += int64(len(p))
	}
	in := p
	if len(m.in) > 0 {
		m.in = append(m.in, p...)
		in = m.in
	}
	n, err := m.h.Feed(in)
	if err != nil {
		m.broken(recorder.Protocol, err)
		return
	}
	if len(m.in) > 0 {
		m.in = m.in[:copy(m.in, m.in[n:])]
	} else if n < len(in) {
		m.in = append(m.in, in[n:]...)
	}
	if k.state == dialing && m.h.Ready() {
		m.stand()
	}
	m.write()
	m.goOn()
}

// goOn does what became possible when something was received or a request ended.
func (m *mux) goOn() {
	k := m.k
	switch {
	case k.state != idle:
	case m.open == 0 && k.c.cfg.PerRequest && m.waiting == 0 && k.in == nil:
		m.h.Drain()
		m.touch()
		m.flush()
		k.close()
		return
	case m.open == 0 && (m.h.Closing() || !m.h.CanOpen() && m.waiting > 0):
		if m.goaway {
			k.c.rec.ClosedByServer++
		}
		k.close()
		return
	default:
		m.transmitWaiting()
		m.requeue()
	}
	if len(m.h.Out()) > 0 {
		m.touch()
	}
}

// ended: nothing more will be received.
func (m *mux) ended(err error) {
	k := m.k
	switch {
	case k.state == priming:
		k.c.primed = nil
		k.close()
		k.c.firstDialed(errNoTicket)
		return
	case k.state == closing:
		return
	case k.state == dialing:
		if err == io.EOF {
			err = errNoSettings
		}
		m.broken(recorder.Protocol, err)
		return
	case m.open == 0 && err == io.EOF:
		k.c.rec.ClosedByServer++
		k.close()
		return
	case err == io.EOF:
		err = errEarlyEnd
	}
	m.broken(endKind(err), err)
}

var errNoSettings = errors.New("the connection ended before the server's SETTINGS: it may not speak HTTP/2")

// broken ends the connection with all requests that are out.
func (m *mux) broken(kind recorder.Kind, err error) {
	k := m.k
	opening := k.state == dialing
	if opening {
		k.c.rec.ConnectFailures++
		k.connectKO = true
		kind = recorder.Connect
	}
	m.touch()
	m.flush() // GOAWAY
	k.failed(kind, err)
	if opening && k.c.phase == connecting {
		k.c.firstDialed(err)
	}
}

// fail gives all requests that are out this outcome, and, when the connection could not be opened, those that wait for it.
func (m *mux) fail(kind recorder.Kind, err error) {
	if m.goaway && m.goawayCode != h2.NoError {
		kind, err = recorder.GoAway, fmt.Errorf("the server ended the connection with %s", m.goawayCode)
	}
	m.kind, m.cause = kind, err
	for i := range m.slots {
		s := &m.slots[i]
		if s.active && (s.stream != nil || m.k.connectKO) {
			m.k.c.settleSlot(s)
			if s.measured && s.again && s.stream == nil {
				m.k.c.rec.Fail(recorder.Refused, errGoAway) // it was sent, and not for want of a connection
			} else if s.measured {
				m.k.c.rec.Fail(kind, err)
			}
		}
	}
	if m.k.connectKO {
		for m.first != nil {
			s := m.first
			m.first = s.next
			s.next, m.free = m.free, s
		}
		m.last, m.waiting = nil, 0
	}
}

// clear makes the connection ready to be opened again. What was out has its outcome.
func (m *mux) clear() {
	m.h.Abort() // frees the slots
	m.in = m.in[:0]
	m.h.SetOut(m.h.Out()[:0])
	m.k.freeSince = 0
}

// expire gives up on requests that have taken too long. Those that were not sent are the next connection's, or are unsent in the end.
func (m *mux) expire(now int64) {
	limit := int64(m.k.c.cfg.Timeout)
	if m.open > 0 && m.k.state == idle {
		for i := range m.slots {
			s := &m.slots[i]
			if s.stream != nil && now-s.started >= limit {
				m.outcome(s, recorder.Timeout, errResponseTimeout)
				m.h.Reset(s.stream, h2.Cancel)
				m.touch()
			}
		}
		m.goOn()
	}
}

// abandon counts what is outstanding when the run ends.
func (m *mux) abandon() {
	for i := range m.slots {
		s := &m.slots[i]
		if !s.active {
			continue
		}
		m.k.c.settleSlot(s)
		switch {
		case !s.measured:
		case s.stream != nil || s.again:
			m.k.c.rec.Unanswered++
		default:
			m.k.c.rec.Unsent++
		}
	}
}

// outcome is the bad outcome of one request.
func (m *mux) outcome(s *slot, kind recorder.Kind, err error) {
	if !s.active {
		return
	}
	m.k.c.settleSlot(s)
	if s.measured {
		m.k.c.rec.Fail(kind, err)
	}
}

func (c *Client) settleSlot(s *slot) {
	s.active = false
	c.inflight--
}
