package h2

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// peerSide is one end of the random exchange: it writes bodies as windows allow, checks what comes, and now and then
// resets a stream.
type peerSide struct {
	t      *testing.T
	c      *Conn
	rng    *rand.Rand
	sends  map[*Stream][]byte // what is still to be written
	got    map[uint32]*bytes.Buffer
	opened map[uint32]int // size of the body by stream
	debts  []debt
	done   int
	reset  int
}

// debt is data that is consumed later.
type debt struct {
	s  *Stream
	id uint32
	n  int
}

// content is the body of a stream: its sender and receiver know it from the identifier.
func content(id uint32, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + int(id))
	}
	return b
}

func (p *peerSide) Request(s *Stream, r *wire.Request, end bool) {
	p.begin(s, string(r.Path), end)
	size := p.rng.IntN(5000)
	if p.rng.IntN(10) == 0 {
		size = 100000
	}
	p.c.BeginResponse(s, 200)
	p.c.AddField(wire.FieldOther, []byte("x-id"), fmt.Appendf(nil, "%d", s.ID()))
	if p.rng.IntN(2) == 0 {
		p.c.AddField(wire.FieldContentLength, []byte("content-length"), fmt.Appendf(nil, "%d", size))
	}
	p.send(s, size)
}

// send ends the head that was begun, and plans the body.
func (p *peerSide) send(s *Stream, size int) {
	if size > 0 {
		p.sends[s] = content(s.ID(), size)
	}
	p.opened[s.ID()] = size
	p.c.EndHead(s, size == 0)
	if size > 0 {
		p.c.Schedule(s)
	}
}

func (p *peerSide) Response(s *Stream, r *wire.Response, end bool) {
	if want := fmt.Sprint(s.ID()); len(r.Fields) == 0 || string(r.Fields[0].Value) != want {
		p.t.Fatalf("stream %s has fields %s", want, fieldText(r.Fields))
	}
	p.begin(s, "", end)
}

func (p *peerSide) begin(s *Stream, path string, end bool) {
	if path != "" && path != fmt.Sprintf("/%d", s.ID()) {
		p.t.Fatalf("stream %d has path %q", s.ID(), path)
	}
	p.got[s.ID()] = new(bytes.Buffer)
	if end {
		p.check(s)
	}
}

func (p *peerSide) Data(s *Stream, b []byte, end bool) {
	p.got[s.ID()].Write(b)
	p.debts = append(p.debts, debt{s, s.ID(), len(b)})
	if end {
		p.check(s)
	} else if p.rng.IntN(300) == 0 {
		p.c.Reset(s, Cancel)
	}
}

func (p *peerSide) Trailers(s *Stream, fields []wire.Field) {
	if string(fields[0].Name) != "sum" {
		p.t.Fatalf("trailers %s", fieldText(fields))
	}
	p.check(s)
}

func (p *peerSide) check(s *Stream) {
	got := p.got[s.ID()].Bytes()
	if !bytes.Equal(got, content(s.ID(), len(got))) {
		p.t.Fatalf("stream %d is mixed up", s.ID())
	}
	p.done++
}

func (p *peerSide) Closed(s *Stream, code ErrCode, cause Cause) {
	if cause != ByEnd {
		p.reset++
	}
	delete(p.sends, s)
	delete(p.got, s.ID())
}
func (p *peerSide) GoAway(uint32, ErrCode) {}
func (p *peerSide) Pong(uint64)            {}

// write lets streams write in their turns.
func (p *peerSide) write() {
	for range p.rng.IntN(6) {
		s := p.c.Next()
		if s == nil {
			return
		}
		rest := p.sends[s]
		n := min(len(rest), 1+p.rng.IntN(20000))
		trailers := n == len(rest) && p.rng.IntN(3) == 0
		k := p.c.WriteData(s, rest[:n], n == len(rest) && !trailers)
		if k < len(rest) {
			p.sends[s] = rest[k:]
			p.c.Schedule(s)
		} else if trailers {
			p.c.WriteTrailers(s, []wire.Field{{Name: []byte("Sum"), Value: []byte("1")}})
		}
	}
}

// pay consumes some of what has come.
func (p *peerSide) pay() {
	for range p.rng.IntN(4) {
		if len(p.debts) == 0 {
			return
		}
		i := p.rng.IntN(len(p.debts))
		d := p.debts[i]
		p.debts[i] = p.debts[len(p.debts)-1]
		p.debts = p.debts[:len(p.debts)-1]
		if d.s.ID() == d.id {
			p.c.Consume(d.s, d.n)
		}
	}
}

// Our client against our server, on a wire that delivers any number of bytes at a time, with windows and frames of
// random sizes. Every byte of every body must come, in order, and nothing may be left in the end.
func TestBothSidesAtRandom(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 3))
			var conns [2]Conn
			var sides [2]*peerSide
			scratch := new(Scratch)
			for i := range conns {
				l := DefaultLimits
				l.Streams = 1 + rng.IntN(20)
				l.StreamWindow = []int{1, 100, 20000, 1 << 16}[rng.IntN(4)]
				l.MaxStreamWindow = max(l.StreamWindow, 1<<16)
				l.ConnWindow = []int{DefaultWindow, 1 << 20}[rng.IntN(2)]
				l.DecoderTable, l.EncoderTable = rng.IntN(8192), rng.IntN(8192)
				l.SmallData, l.WindowUpdates, l.Resets, l.Control = Budget{1 << 19, 0}, Budget{1 << 19, 0}, Budget{1 << 19, 0}, Budget{1 << 19, 0}
				l.Empty = Budget{1 << 19, 0}
				sides[i] = &peerSide{t: t, c: &conns[i], rng: rng, sends: map[*Stream][]byte{}, got: map[uint32]*bytes.Buffer{}, opened: map[uint32]int{}}
				conns[i].Init(&Config{Client: i == 0, Limits: l}, sides[i], scratch)
				conns[i].Start()
			}
			var wires [2][]byte // to each side
			left := 70
			for turn := 0; ; turn++ {
				if turn > 3000000 {
					t.Fatalf("no end: %d left, open %d and %d, windows %d and %d", left, conns[0].Open(), conns[1].Open(), conns[0].sendLeft, conns[1].sendLeft)
				}
				i := rng.IntN(2)
				p, c := sides[i], &conns[i]
				if i == 0 && left > 0 && rng.IntN(4) == 0 && c.CanOpen() {
					left--
					s := c.BeginRequest(&RequestHead{Method: wire.MethodPost, Scheme: []byte("http"), Authority: []byte("a"), Path: fmt.Appendf(nil, "/%d", c.nextOwn)})
					p.send(s, rng.IntN(3)*rng.IntN(3000))
				}
				if n := min(len(wires[i]), 1+rng.IntN(40000)); n > 0 {
					if rng.IntN(3) == 0 {
						n = min(n, 1+rng.IntN(50))
					}
					used, err := c.Feed(wires[i][:n])
					if err == nil && used == 0 { // less than a frame: look at all of it
						used, err = c.Feed(wires[i])
					}
					if err != nil {
						t.Fatal(err)
					}
					wires[i] = wires[i][used:]
				}
				p.pay()
				p.write()
				wires[1-i] = append(wires[1-i], c.Out()...)
				c.SetOut(c.Out()[:0])
				if left == 0 && conns[0].Open()+conns[1].Open()+len(wires[0])+len(wires[1])+len(sides[0].debts)+len(sides[1].debts) == 0 {
					break
				}
			}
			if sides[1].done == 0 || sides[0].done == 0 {
				t.Error("nothing was done")
			}
			for i := range conns {
				l, peer := conns[i].cfg.Limits, &conns[1-i]
				if conns[i].parked != 0 || conns[i].queue.levels != 0 {
					t.Error("something waits in the queue")
				}
				// What the peer may send and what it was not yet told of are the whole window.
				if got := peer.sendLeft + conns[i].owed; got != int64(max(l.ConnWindow, DefaultWindow)) || peer.sendLeft != conns[i].recvLeft {
					t.Errorf("window %d, owed %d", peer.sendLeft, conns[i].owed)
				}
			}
		})
	}
}

// FuzzConn feeds anything to a server or client that has streams open, in one piece and in two; it must do the same.
func FuzzConn(f *testing.F) {
	s := server(f, nil)
	req := append(s.post(3), frame(FrameData, FlagEndStream|FlagPadded, 3, "\x01ab")...)
	for _, b := range [][]byte{
		req, AppendSettings(nil, Setting{1, 0}, Setting{4, 5}), frame(FrameHeaders, 0, 3, "\x82"), append(s.get(3), AppendRSTStream(nil, 3, 1)...),
		append(AppendGoAway(nil, 1, NoError, ""), AppendWindowUpdate(nil, 1, 9)...), AppendPriorityUpdate(s.get(3), 3, "u=1,i"),
		s.headers(1, 0, ":status", "200", "content-length", "3"), append(s.headers(1, 0, ":status", "103"), s.headers(1, FlagEndStream, ":status", "204")...),
	} {
		f.Add(b, true, uint16(len(b)/2))
		f.Add(b, false, uint16(11))
	}
	f.Fuzz(func(t *testing.T, in []byte, isClient bool, cut uint16) {
		run := func(parts ...[]byte) (string, []string) {
			var s *script
			if isClient {
				s = client(t, nil)
				s.c.EndHead(s.c.BeginRequest(&RequestHead{Method: wire.MethodGet, Scheme: []byte("https"), Authority: []byte("a"), Path: []byte("/")}), true)
			} else {
				s = server(t, nil)
				s.feed(s.post(1))
			}
			s.r.on = func(e string, st *Stream) {
				if st != nil && !isClient && st.RemoteDone() && !st.HeadSent() && !st.LocalDone() {
					s.c.WriteResponse(st, 200, nil, false)
					s.c.WriteData(st, []byte("hello"), true)
				}
			}
			s.r.consume = true
			var rest []byte
			for _, p := range parts {
				rest = append(rest, p...)
				n, err := s.c.Feed(rest)
				if n > len(rest) || err != s.c.Err() {
					t.Fatalf("%d of %d bytes, error %v and %v", n, len(rest), err, s.c.Err())
				}
				if rest = rest[n:]; err != nil {
					break
				}
				if len(rest) > HeaderBytes+MinFrameBytes {
					t.Fatalf("%d bytes are left", len(rest))
				}
			}
			out := string(s.c.Out())
			s.frames() // what we write must be good frames
			var log []string
			for _, e := range s.r.log {
				if len(e) < 4 || e[:4] != "data" { // DATA comes in other pieces
					log = append(log, e)
				}
			}
			s.c.Abort()
			if s.c.Open() != 0 || s.c.parked != 0 || s.c.queue.levels != 0 {
				t.Fatal("streams are left")
			}
			return out, log
		}
		k := min(int(cut), len(in))
		out, log := run(in)
		out2, log2 := run(in[:k], in[k:])
		if out != out2 || fmt.Sprint(log) != fmt.Sprint(log2) {
			t.Fatalf("in one piece %x %q\nin two %x %q", out, log, out2, log2)
		}
	})
}
