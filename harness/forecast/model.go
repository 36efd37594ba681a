package forecast

import (
	"math"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// hypothesis is a way in which workers may scale.
type hypothesis struct {
	name string
	law  *stat.Law // nil: linear
}

// hypotheses between which the truth is said to lie. known is false if there is no lower end, because scaling was not measured.
func (m *measured) hypotheses() (hs []hypothesis, known bool) {
	switch {
	case m.law == nil || len(m.counts) < 2:
		return []hypothesis{{name: "linear"}}, false
	case m.law.Identified:
		return []hypothesis{{"fitted law", &m.law.Law}}, true
	}
	return []hypothesis{{name: "linear"}, {"contention only", &m.law.Contention}, {"coherency only", &m.law.Coherency}}, true
}

// cores is how many full cores n workers are worth, by the i-th replicate.
func (h hypothesis) cores(n float64, i int) float64 {
	if h.law == nil {
		return n
	}
	return h.law.Draws[i%len(h.law.Draws)].Capacity(n)
}

// rounds of the figure and the law together: the fewer ones bound what may be claimed.
func (h hypothesis) rounds(f figure) int {
	if h.law == nil {
		return f.rounds
	}
	return min(f.rounds, h.law.Rounds)
}

// throughput of n workers, requests per second, as far as CPUs go.
func throughputOf(w workload, h hypothesis, n float64, speed, network machine.Range) machine.Range {
	x := make([]float64, len(w.cost.draws))
	for i, c := range w.cost.draws {
		x[i] = 1e6 / c * h.cores(n, i)
	}
	lo, hi := stat.Bounds(x, h.rounds(w.cost), confidence)
	return machine.Range{From: lo * speed.From / network.To, To: hi * speed.To / network.From}
}

// shareOf is the share of n workers' CPU time that a rate takes; above 1 it is more than they have.
func shareOf(w workload, h hypothesis, n, rate float64, speed, network machine.Range) machine.Range {
	at := func(speed, network float64) []float64 {
		u := make([]float64, len(w.cost.draws))
		for i := range u {
			u[i] = w.use(rate*network/(speed*h.cores(n, i)), i)
		}
		return u
	}
	lo, _ := stat.Bounds(at(speed.To, network.From), h.rounds(w.cost), confidence)
	_, hi := stat.Bounds(at(speed.From, network.To), h.rounds(w.cost), confidence)
	return machine.Range{From: lo, To: hi}
}

// use of the measured core at a rate, by the i-th replicate: straight lines between the measured points, from nothing at rate 0. The cost of a request falls with the
// load, because completions come in batches, so saturation alone would tell too little. Beyond the last point each request costs what it costs there.
func (w workload) use(rate float64, i int) float64 {
	fromRate, fromUse := 0.0, 0.0
	for _, p := range w.curve {
		use := max(fromUse, p.rate*p.cost.draws[i]/1e6)
		if rate <= p.rate {
			return fromUse + (use-fromUse)*(rate-fromRate)/(p.rate-fromRate)
		}
		fromRate, fromUse = p.rate, use
	}
	return max(fromUse, rate*w.curve[len(w.curve)-1].cost.draws[i]/1e6)
}

// memoryOf n workers with so many connections, in bytes; false if memory for each connection was not measured.
func (m *measured) memoryOf(w workload, n float64, connections machine.Range) (machine.Range, bool) {
	idle, ok := m.perIdle[w.Scenario.TLS]
	if !ok || len(w.memory.draws) == 0 {
		return machine.Range{}, false
	}
	same := func(x float64) float64 { return max(0, x) }
	one, each, worker := w.memory.bounds(same), idle.bounds(same), m.perWorker.bounds(same)
	if len(m.perWorker.draws) == 0 {
		// Not measured: something between nothing and a whole process of its own.
		worker = machine.Range{From: 0, To: one.To}
	}
	return machine.Range{
		From: one.From + (n-1)*worker.From + connections.From*each.From,
		To:   one.To + (n-1)*worker.To + connections.To*each.To,
	}, true
}

// What travels, in bytes. Heads of requests, and of responses where the result has no measured size, are assumed.
var (
	h1Request  = machine.Range{From: 100, To: 500}
	h1Response = machine.Range{From: 100, To: 300}
	h2Head     = machine.Range{From: 20, To: 80}
)

const (
	h2Frame   = 9
	tlsRecord = 22 // header, type, tag (RFC 8446, section 5.2)
	grpcHead  = 5
	// headers of IPv4 and TCP with time stamps, which the MTU includes, and around them: Ethernet, its checksum, preamble and gap.
	tcpip     = 52
	ethernet  = 38
	plainMTU  = 1500
	microBits = 1e6
)

// traffic of one request in one direction through the card.
type traffic struct{ bytes, packets machine.Range }

func (t *traffic) add(size machine.Range, mss float64, shares bool) {
	lo := math.Ceil(size.From / mss)
	if shares {
		lo = size.From / mss // messages of many streams share packets
	}
	hi := math.Ceil(size.To / mss)
	t.packets = machine.Range{From: t.packets.From + lo, To: t.packets.To + hi}
	t.bytes = machine.Range{From: t.bytes.From + size.From + lo*(tcpip+ethernet), To: t.bytes.To + size.To + hi*(tcpip+ethernet)}
}

// acknowledge adds bare acknowledgements: at best they travel with data.
func (t *traffic) acknowledge(most float64) {
	t.packets.To += most
	t.bytes.To += most * (tcpip + ethernet)
}

func plus(r machine.Range, x float64) machine.Range {
	return machine.Range{From: r.From + x, To: r.To + x}
}

// message sizes of a request and a response in one protocol.
func sizes(h2, tls, grpc bool, head int, body float64) (req, res machine.Range) {
	switch {
	case h2:
		req, res = plus(h2Head, h2Frame), plus(h2Head, 2*h2Frame+body)
		if grpc {
			req = plus(req, h2Frame+grpcHead+body)
			res = machine.Range{From: res.From + h2Frame + grpcHead + h2Head.From, To: res.To + h2Frame + grpcHead + h2Head.To} // trailers
		}
	case head > 0:
		req, res = h1Request, machine.Range{From: float64(head) + body, To: float64(head) + body}
	default:
		req, res = h1Request, plus(h1Response, body)
	}
	if tls {
		req.To, res.To = req.To+tlsRecord, res.To+tlsRecord
		if !h2 {
			req.From, res.From = req.From+tlsRecord, res.From+tlsRecord
		}
	}
	return req, res
}

// wire is what a request sends and receives, at the client's side and, if it is forwarded, at the origin's.
func wire(w workload, mtu int) (out, in traffic) {
	if mtu == 0 {
		mtu = plainMTU
	}
	mss := float64(mtu - tcpip)
	s := w.Scenario
	h2 := s.Protocol == "h2"
	req, res := sizes(h2, s.TLS, s.GRPC, w.head, float64(s.BodyBytes))
	out.add(res, mss, h2)
	in.add(req, mss, h2)
	messages := 1.0
	if s.Proxied {
		up := s.OriginProtocol == "h2"
		req, res := sizes(up, false, s.GRPC, 0, float64(s.BodyBytes))
		out.add(req, mss, up)
		in.add(res, mss, up)
		messages++
	}
	out.acknowledge(messages)
	in.acknowledge(messages)
	return out, in
}

// ceilings are the rates that the card allows by bytes and by packets.
func ceilings(w workload, nic *machine.NIC, packets *machine.Range) (bandwidth, rate *machine.Range) {
	if nic == nil {
		return nil, nil
	}
	out, in := wire(w, nic.MTU)
	if nic.SpeedMbit > 0 {
		bytes := float64(nic.SpeedMbit) * microBits / 8
		bandwidth = &machine.Range{From: bytes / max(out.bytes.To, in.bytes.To), To: bytes / max(out.bytes.From, in.bytes.From)}
	}
	if packets != nil {
		rate = &machine.Range{From: packets.From * 1e6 / max(out.packets.To, in.packets.To), To: packets.To * 1e6 / max(out.packets.From, in.packets.From)}
	}
	return bandwidth, rate
}
