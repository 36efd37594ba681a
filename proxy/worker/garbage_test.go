package worker

import "testing"

func TestGarbageIsCollectedAfterTheBurst(t *testing.T) {
	var g garbage
	for i, step := range []struct {
		dropped    int
		handshakes uint64 // in all
		want       bool
	}{
		{0, 0, false},
		{muchGarbage - 1, 0, false},
		{1, 0, true}, // enough together
		{0, 0, false},
		{0, 10_000, false}, // worth it, but handshakes are still coming
		{0, 10_000 + busyHandshakes + 1, false},
		{0, 10_000 + busyHandshakes + 2, true},
		{0, 10_000 + busyHandshakes + 2, false}, // nothing new
	} {
		if got := g.due(step.dropped, step.handshakes); got != step.want {
			t.Errorf("step %d: due is %v, want %v", i, got, step.want)
		}
	}
}
