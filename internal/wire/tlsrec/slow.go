package tlsrec

import (
	"encoding/binary"
	"errors"
	"io"
)

// slowOverhead is the most that a record adds to its content, TLS 1.2 included: header, explicit nonce, tag.
const slowOverhead = HeaderLen + 8 + tagLen

// slowReceive lets crypto/tls open the next record of TLS 1.2. It works in place too: crypto/tls has copied the record
// when it asks where the content should go.
func (c *Conn) slowReceive(input []byte) (int, Event, error) {
	if c.gotClose {
		return len(input), Event{Kind: Closed}, nil
	}
	used := 0
	for {
		rest := input[used:]
		if len(rest) < HeaderLen {
			return used, Event{Need: HeaderLen}, nil
		}
		size := HeaderLen + int(binary.BigEndian.Uint16(rest[3:]))
		if size > MaxRecord {
			// crypto/tls would take a little more, which AEAD suites have no use for. It cannot be told to send an alert.
			return used, Event{}, c.fail(&Error{Code: "record_overflow", Detail: "received a record that is longer than allowed", Alert: alertNone})
		}
		if len(rest) < size {
			return used, Event{Need: size}, nil
		}
		// One record at a time, so that the content fits where the record was.
		rec := rest[:size]
		h := c.hs
		h.pipe.in = rec
		n, err := h.tls.Read(rec)
		used += len(rec) - len(h.pipe.in)
		h.pipe.in = nil
		c.takeOutput()
		switch {
		case n > 0:
			return used, Event{Kind: Data, Data: rec[:n:n]}, nil
		case errors.Is(err, errAgain):
			continue
		case errors.Is(err, io.EOF):
			c.gotClose = true
			return len(input), Event{Kind: Closed}, nil
		default:
			return used, Event{}, c.fail(readError(err))
		}
	}
}

// slowSeal lets crypto/tls seal content into dst.
func (c *Conn) slowSeal(dst, content []byte) ([]byte, error) {
	p := &c.hs.pipe
	kept := p.out
	p.out = dst
	_, err := c.hs.tls.Write(content)
	dst, p.out = p.out, kept
	c.sizer.Sent(len(content))
	return dst, err
}
