package tlsrec

import (
	"encoding/binary"
	"slices"
)

// records opens records of TLS 1.3 until one has content.
func (c *Conn) records(input []byte) (int, Event, error) {
	used := 0
	for {
		if c.gotClose {
			return len(input), Event{Kind: Closed}, nil
		}
		rest := input[used:]
		if len(rest) < HeaderLen {
			return used, Event{Need: HeaderLen}, nil
		}
		if e := checkHeader(rest); e != nil {
			return used, Event{}, c.fail(e)
		}
		size := HeaderLen + int(binary.BigEndian.Uint16(rest[3:]))
		if len(rest) < size {
			return used, Event{Need: size}, nil
		}
		content, e := c.record(rest[:size:size])
		used += size
		if e != nil {
			return used, Event{}, c.fail(e)
		}
		if len(content) > 0 {
			return used, Event{Kind: Data, Data: content}, nil
		}
	}
}

// checkHeader refuses a record by its header (RFC 8446, 5.1 and 5.2). The version is ignored there: the tag covers it.
func checkHeader(h []byte) *Error {
	n := int(binary.BigEndian.Uint16(h[3:]))
	switch {
	case h[0] != typeApplicationData:
		// RFC 8446, 5: also change_cipher_spec, which is tolerated only until the peer's Finished.
		return recordError(AlertUnexpectedMessage, "received a record that is not encrypted, after the handshake")
	case n > maxCiphertext:
		return recordError(AlertRecordOverflow, "received a record that is longer than TLS 1.3 allows")
	case n < tagLen+1:
		return recordError(AlertBadRecordMAC, "received a record that is too short to be encrypted")
	}
	return nil
}

// record opens one record and deals with all but application data, whose content it returns.
func (c *Conn) record(rec []byte) ([]byte, *Error) {
	var copied []byte
	if c.hs != nil {
		copied = slices.Clone(rec)
	}
	typ, content, alert := c.in.open(rec)
	if alert != alertNone {
		return nil, recordError(alert, openDetail(alert))
	}
	if typ == typeApplicationData && len(content) > 0 {
		c.useless = 0
	} else if c.useless++; c.useless > maxUseless {
		return nil, recordError(AlertUnexpectedMessage, "received too many records without content in a row")
	}
	if len(c.message) > 0 && typ != typeHandshake {
		// RFC 8446, 5.1: fragments of a handshake message are not interleaved with other records.
		return nil, recordError(AlertUnexpectedMessage, "received another record in the middle of a handshake message")
	}
	first := !c.heard
	c.heard = true
	switch typ {
	case typeApplicationData:
		if len(content) > 0 {
			c.release() // tickets that come later than this are not worth holding the handshake for
		}
		return content, nil
	case typeHandshake:
		return nil, c.handshakeRecord(content, copied)
	case typeAlert:
		e := c.alertRecord(content)
		if e != nil && e.Received {
			e.First = first
		}
		return nil, e
	}
	return nil, recordError(AlertUnexpectedMessage, "received a record of a content type that has no place after the handshake")
}

func openDetail(a Alert) string {
	switch a {
	case AlertBadRecordMAC:
		return "received a record that does not decrypt: it was damaged or forged on the way"
	case AlertRecordOverflow:
		return "received a record with more content than TLS 1.3 allows"
	case AlertInternalError:
		return "the peer used up the sequence numbers of a key"
	}
	return "received a record of nothing but padding"
}

// alertRecord deals with an alert (RFC 8446, 6). The level is ignored there: all but two descriptions are fatal.
func (c *Conn) alertRecord(content []byte) *Error {
	if len(content) != 2 {
		// RFC 8446, 5.1: one alert per record, never split.
		return recordError(AlertDecodeError, "received an alert of the wrong length")
	}
	switch a := Alert(content[1]); a {
	case AlertCloseNotify:
		c.gotClose = true
		return nil
	case AlertUserCanceled:
		// RFC 8446, 6.1: to be followed by close_notify; some stacks send it without reason.
		return nil
	default:
		return remoteError(a)
	}
}
