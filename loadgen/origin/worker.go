package origin

import (
	"bytes"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/internal/wire"
	"github.com/blitz-gateway/blitz/internal/wire/h1"
	"github.com/blitz-gateway/blitz/internal/wire/h2"
)

// inlineBody is the largest body that is sent in one piece with its head. A larger one follows from the shared filler.
const inlineBody = 16 << 10

// filler is what bodies are made of: 16,384 lines of 64 bytes. Bodies beyond its size repeat it.
var filler = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.\n"), 1<<14)

// acceptPause is how long accepting stops after it failed, usually for want of descriptors.
const acceptPause = 50 * time.Millisecond

// worker is one loop with its listener and connections.
type worker struct {
	o     *Options
	loop  loop.Loop
	lid   loop.ID
	timer loop.Timer
	free  *conn // connections to be reused
	// trouble is the server's, see Trouble.
	trouble *atomic.Uint32

	// The answers below are rendered once per second, for the Date field, into fresh memory: older ones may still be on their way.
	rendered int64 // loop time until which they hold
	date     []byte
	standard []byte // head and inline body of the default answer
	head     []byte // of the default answer to HEAD, and before a larger body

	// The last request head and what it meant: the same bytes mean the same.
	last     []byte
	lastPlan plan
	req      wire.Request

	// HTTP/2: what connections share, calls to be used again, and heads that are the same for a second or for ever.
	h2      h2.Config
	scratch h2.Scratch
	calls   *call
	block   []byte
	unary   unary
}

func newWorker(o *Options) (*worker, error) {
	l, err := loop.New(loop.Options{Engine: o.Engine})
	if err != nil {
		return nil, err
	}
	w := &worker{o: o, loop: l}
	w.timer.Handler = w
	w.h2 = h2Config()
	w.unary = newUnary(o.BodySize)
	return w, nil
}

// OnAccept implements loop.Acceptor.
func (w *worker) OnAccept(fd int) {
	k := w.free
	if k != nil {
		w.free, k.nextFree = k.nextFree, nil
	} else {
		k = &conn{w: w}
		k.timer.Handler = k
		k.link.Init(w.loop, k, w.o.TLS)
	}
	k.link.Serve(fd)
}

// OnAcceptError implements loop.Acceptor.
func (w *worker) OnAcceptError(error) { w.loop.Arm(&w.timer, acceptPause) }

// OnTimer implements loop.TimerHandler.
func (w *worker) OnTimer(*loop.Timer) { w.loop.ResumeAccept(w.lid) }

// OnListenClosed implements loop.Acceptor.
func (w *worker) OnListenClosed() {}

// refresh renders the prepared answers when the second has changed.
func (w *worker) refresh() {
	now := w.loop.Now()
	if now < w.rendered {
		return
	}
	wall := w.loop.Wall()
	w.rendered = now + int64(time.Second) - int64(wall.Nanosecond())
	w.date = wall.UTC().AppendFormat(make([]byte, 0, 32), http.TimeFormat)
	size := w.o.BodySize
	w.head = w.appendHead(nil, 200, size, true)
	w.block = w.appendBlock(nil, 200, size)
	if size <= inlineBody {
		w.standard = append(append([]byte(nil), w.head...), filler[:size]...)
	}
}

// appendHead appends the head of an answer. A negative size means chunked.
func (w *worker) appendHead(dst []byte, status int, size int64, keepAlive bool) []byte {
	dst = h1.AppendStatusLine(dst, status, nil)
	dst = append(dst, "Server: blitzload-origin\r\nDate: "...)
	dst = append(dst, w.date...)
	dst = append(dst, h1.CRLF...)
	switch {
	case status == 204 || status == 304 || status < 200:
	case size < 0:
		dst = append(dst, "Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"...)
	default:
		dst = append(dst, "Content-Type: text/plain\r\nContent-Length: "...)
		dst = append(h1.AppendUint(dst, uint64(size)), h1.CRLF...)
	}
	if !keepAlive {
		dst = append(dst, "Connection: close\r\n"...)
	}
	return append(dst, h1.CRLF...)
}
