package client

// queue is a list of free connections, first in, first out, from which a connection can also be taken out of the middle. It
// is intrusive: a connection is in at most one queue.
type queue struct {
	first, last *conn
}

func (q *queue) push(k *conn) {
	k.in, k.prev, k.next = q, q.last, nil
	if q.last != nil {
		q.last.next = k
	} else {
		q.first = k
	}
	q.last = k
}

// pop returns nil when the queue is empty.
func (q *queue) pop() *conn {
	k := q.first
	if k != nil {
		k.unlink()
	}
	return k
}

// unlink takes the connection out of whichever queue it is in.
func (k *conn) unlink() {
	q := k.in
	if q == nil {
		return
	}
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		q.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	} else {
		q.last = k.prev
	}
	k.in, k.prev, k.next = nil, nil, nil
}
