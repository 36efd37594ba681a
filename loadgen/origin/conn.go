package origin

import (
	"io"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec"
	"github.com/blitz-gateway/blitz/loadgen/secure"
)

const (
	// maxStash is how many unprocessed bytes a connection keeps before it stops receiving.
	maxStash = 64 << 10
	// maxEcho is the largest body that /echo keeps.
	maxEcho = 16 << 20
	// keepBuffer is the largest buffer an idle connection holds on to.
	keepBuffer = 4 << 10
	// linger is how long a connection waits for the client's FIN after its own.
	linger = 2 * time.Second
)

// conn is one connection. Functions stand in the order in which a request meets them.
type conn struct {
	w        *worker
	link     secure.Link
	mux      *mux // HTTP/2, see mux.go
	nextFree *conn
	timer    loop.Timer

	in      []byte // received and not yet processed
	known   bool   // which version of HTTP it is
	stopped bool   // receiving is off, because in is full
	eof     bool   // the client has sent its last byte

	plan   plan
	inBody bool // between the head of a request and the end of its body
	body   h1.Body
	kept   []byte // of the body for /echo, of the head for /headers
	tooBig bool

	out     []byte // built answer; the loop's while sending
	sending bool
	more    int64 // bytes of the body that follow from the filler, at offset
	offset  int64
	chunks  bool // … in chunks
	waiting bool // for a delay, or for ever
	due     bool // the answer waits for 100 Continue to be sent
	closing bool // after the answer in hand the connection ends
	shut    bool // our FIN is out
}

// blocked tells whether the connection is busy with an answer.
func (k *conn) blocked() bool { return k.sending || k.waiting || k.due || k.more > 0 || k.closing }

// OnRecv implements loop.Handler.
func (k *conn) OnRecv(p []byte) {
	switch {
	case k.shut:
		return // what comes after the end is read and dropped
	case k.mux != nil:
		k.mux.received(p)
		return
	case !k.known && !k.sniff(p):
		return
	}
	if len(k.in) > 0 || k.blocked() {
		k.in = append(k.in, p...)
		if !k.blocked() {
			k.drain()
		}
	} else if n := k.process(p); n < len(p) {
		k.in = append(k.in, p[n:]...)
	}
	if len(k.in) >= maxStash && !k.stopped && k.blocked() {
		k.stopped = true
		k.link.StopRecv()
	}
}

// sniff tells HTTP/2, whose clients begin with a preface, from HTTP/1.1. False: p was taken care of.
func (k *conn) sniff(p []byte) bool {
	all := p
	if len(k.in) > 0 {
		k.in = append(k.in, p...)
		all = k.in
	}
	n := min(len(all), len(h2.Preface))
	switch {
	case string(all[:n]) != h2.Preface[:n]:
		k.known = true
		if len(k.in) == 0 {
			return true
		}
		k.drain()
	case n < len(h2.Preface):
		if len(k.in) == 0 {
			k.in = append(k.in, p...)
		}
	default:
		k.known = true
		k.mux = newMux(k)
		k.mux.received(all)
		k.in = k.in[:0]
	}
	return false
}

// drain goes on with what was stashed.
func (k *conn) drain() {
	n := k.process(k.in)
	k.in = k.in[:copy(k.in, k.in[n:])]
	if len(k.in) == 0 && cap(k.in) > keepBuffer {
		k.in = nil
	}
	if k.stopped && !k.blocked() {
		k.stopped = false
		k.link.StartRecv()
	}
}

// process consumes requests from b until it has to wait for more bytes or for its own answer. It returns how many bytes it
// consumed.
func (k *conn) process(b []byte) (used int) {
	for used < len(b) && !k.blocked() {
		if !k.inBody {
			p, n, err := k.w.parse(b[used:])
			if err != nil {
				k.refuse(err)
				return len(b)
			}
			if n == 0 {
				return used
			}
			if t := Trouble(k.w.trouble.Load()); t != 0 && k.disturb(t, &p) {
				return len(b)
			}
			k.plan = p
			if p.standard {
				used += n
				k.answerStandard()
				continue
			}
			k.begin(b[used : used+n])
			used += n
		}
		n, err := k.readBody(b[used:])
		used += n
		if err != nil {
			k.refuse(err)
			return len(b)
		}
		if k.body.Done() {
			k.inBody = false
			k.answer()
		} else if n == 0 {
			return used
		}
	}
	return used
}

// begin prepares for the body of a request with this head.
func (k *conn) begin(head []byte) {
	k.inBody, k.tooBig = true, false
	k.kept = k.kept[:0]
	if k.plan.action == headers {
		k.kept = append(k.kept, head...)
	}
	k.body.Init(k.plan.body, k.plan.length, nil)
	if k.plan.expect100 && !k.body.Done() {
		k.send([]byte("HTTP/1.1 100 Continue\r\n\r\n"))
	}
}

func (k *conn) readBody(b []byte) (used int, err *wire.Error) {
	for !k.body.Done() {
		data, n, err := k.body.Next(b[used:])
		used += n
		if err != nil || n == 0 {
			return used, err
		}
		if k.plan.action == echo && !k.tooBig {
			if len(k.kept)+len(data) > maxEcho {
				k.tooBig, k.kept = true, nil
				continue
			}
			k.kept = append(k.kept, data...)
		}
	}
	return used, nil
}

// OnRecvEnd implements loop.Handler.
func (k *conn) OnRecvEnd(err error) {
	k.eof = true
	if k.mux != nil {
		k.mux.ended()
		return
	}
	endless := k.waiting && (k.plan.action == never || k.plan.action == stall)
	if err != io.EOF || k.shut || endless || !k.blocked() {
		k.link.Close()
	}
	// Otherwise the answer in hand goes out first: a client may close its half once it has asked.
}

// OnRecvStopped implements loop.Handler.
func (k *conn) OnRecvStopped() {}

// OnConnect implements loop.Handler: the TLS handshake is over.
func (k *conn) OnConnect(err error) {
	if err != nil {
		k.link.Close()
	}
}

// Shaken implements secure.Owner.
func (k *conn) Shaken(*tlsrec.State) error { return nil }

// Waiting implements secure.Owner.
func (k *conn) Waiting() {}

// OnTimer implements loop.TimerHandler: a delay is over, or the client did not close.
func (k *conn) OnTimer(*loop.Timer) {
	if k.shut {
		k.link.Close()
		return
	}
	k.waiting = false
	k.respond()
	k.proceed()
}

// OnClose implements loop.Handler. Everything is reset and the connection goes back to the free list.
func (k *conn) OnClose() {
	w := k.w
	w.loop.Disarm(&k.timer)
	if k.mux != nil {
		k.mux.close()
	}
	*k = conn{w: w, link: k.link, timer: k.timer, in: trim(k.in), out: trim(k.out), kept: trim(k.kept), nextFree: w.free}
	w.free = k
}

func trim(b []byte) []byte {
	if cap(b) > keepBuffer {
		return nil
	}
	return b[:0]
}
