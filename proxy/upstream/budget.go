package upstream

import (
	"time"

	"github.com/blitz-gateway/blitz/proxy/cluster"
)

// The budget looks back over this many slots of a second.
const (
	budgetSlots = 10
	budgetSlot  = int64(time.Second)
)

// budget bounds the retries of one worker to a part of its requests in the last ten seconds, so that an endpoint in trouble is
// not buried under repetitions. The zero value is ready.
type budget struct {
	slots             [budgetSlots]struct{ requests, retries uint32 }
	requests, retries uint32 // sums of the slots
	at                int64  // number of the current slot since the loop's time 0
}

// advance empties the slots that have become too old.
func (b *budget) advance(now int64) {
	slot := now / budgetSlot
	if slot-b.at > budgetSlots {
		*b = budget{at: slot}
		return
	}
	for ; b.at < slot; b.at++ {
		s := &b.slots[(b.at+1)%budgetSlots]
		b.requests -= s.requests
		b.retries -= s.retries
		s.requests, s.retries = 0, 0
	}
}

func (b *budget) request(now int64) {
	b.advance(now)
	b.slots[b.at%budgetSlots].requests++
	b.requests++
}

// retry takes one retry, if there is one.
func (b *budget) retry(now int64, r *cluster.Retry) bool {
	b.advance(now)
	if r.BudgetPercent >= 0 {
		allowed := uint64(b.requests)*uint64(r.BudgetPercent)/100 + uint64(r.BudgetMin)*budgetSlots
		if uint64(b.retries) >= allowed {
			return false
		}
	}
	b.slots[b.at%budgetSlots].retries++
	b.retries++
	return true
}
