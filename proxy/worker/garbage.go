package worker

// A burst leaves garbage that a small heap with a high GOGC does not get round to: it would wait for the heap to grow to several times
// its size. When the burst is over, it is collected and returned to the system.
const (
	// muchGarbage is how many objects of ended connections are worth that: a few MiB.
	muchGarbage = 4096
	// perHandshake is what a TLS handshake leaves, in such objects: the certificate messages, the key exchange and the stack of its goroutine are
	// some 30 KiB.
	perHandshake = 32
	// busyHandshakes in one period are still a burst, whose garbage the ordinary collection reuses best.
	busyHandshakes = 100
)

type garbage struct {
	objects    int
	handshakes uint64 // at the last look
}

// due counts what has been left since the last call, of which dropped objects and handshakes in all are told, and tells whether to collect:
// when it is worth it and the burst is over.
func (g *garbage) due(dropped int, handshakes uint64) bool {
	fresh := int(handshakes - g.handshakes)
	g.handshakes = handshakes
	g.objects += dropped + fresh*perHandshake
	if g.objects < muchGarbage || fresh > busyHandshakes {
		return false
	}
	g.objects = 0
	return true
}
