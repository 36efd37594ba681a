package tlsrec

import "errors"

// Handshake message types (RFC 8446, 4).
const (
	messageServerHello byte = 2
	messageTicket      byte = 4
	messageKeyUpdate   byte = 24

	messageHeader = 4
	// maxTicket bounds a NewSessionTicket. A ticket may carry the client's certificates, so it can be long.
	maxTicket = 64 << 10
)

// handshakeRecord deals with messages after the handshake (RFC 8446, 4.6): KeyUpdate, and NewSessionTicket for a client.
// Messages may be split over records and share one. copied is the encrypted record if crypto/tls is to see tickets.
func (c *Conn) handshakeRecord(content, copied []byte) *Error {
	if len(content) == 0 {
		// RFC 8446, 5.1.
		return recordError(AlertUnexpectedMessage, "received an empty handshake record")
	}
	if len(c.message) > 0 {
		c.message = append(c.message, content...)
		content = c.message
	}
	for len(content) > 0 {
		if content[0] == messageKeyUpdate {
			c.release() // what is under the next key is not for crypto/tls
			copied = nil
		} else if content[0] != messageTicket || c.server {
			return recordError(AlertUnexpectedMessage, "received a handshake message that has no place after the handshake")
		}
		if len(content) < messageHeader {
			break
		}
		n := int(content[1])<<16 | int(content[2])<<8 | int(content[3])
		if content[0] == messageKeyUpdate && n != 1 {
			return recordError(AlertDecodeError, "received a KeyUpdate of the wrong length")
		}
		if n > maxTicket {
			return recordError(AlertDecodeError, "received a session ticket that is longer than allowed")
		}
		if len(content) < messageHeader+n {
			break
		}
		if content[0] == messageKeyUpdate {
			if len(content) > messageHeader+n {
				// RFC 8446, 5.1: a message before a change of keys ends its record.
				return recordError(AlertUnexpectedMessage, "received more in the record after a KeyUpdate")
			}
			c.message = nil
			return c.keyUpdate(content[messageHeader])
		}
		content = content[messageHeader+n:]
	}
	if len(content) == 0 {
		c.message = nil
	} else {
		c.message = append([]byte(nil), content...)
	}
	if copied != nil {
		return c.keepTicket(copied)
	}
	return nil
}

// keyUpdate moves on to the peer's next key and, if it asks for that, to our own (RFC 8446, 4.6.3).
func (c *Conn) keyUpdate(request byte) *Error {
	if request > 1 {
		return recordError(AlertIllegalParameter, "received a KeyUpdate with an unknown request")
	}
	if err := c.in.update(); err != nil {
		return recordError(AlertInternalError, err.Error())
	}
	// Several requests that come before we had anything to send are answered by one KeyUpdate: the RFC allows that, and
	// it bounds what a peer that does not read can make us keep.
	if request == 0 || c.sentClose || c.answered {
		return nil
	}
	var err error
	if c.pending, err = c.updateKeys(c.pending, false); err != nil {
		return recordError(AlertInternalError, err.Error())
	}
	c.answered = true
	return nil
}

// updateKeys appends a KeyUpdate under the present key to dst and moves on to the next one.
func (c *Conn) updateKeys(dst []byte, request bool) ([]byte, error) {
	m := []byte{messageKeyUpdate, 0, 0, 1, 0}
	if request {
		m[messageHeader] = 1
	}
	dst = c.out.seal(dst, m, typeHandshake)
	return dst, c.out.update()
}

// UpdateKeys queues a KeyUpdate and moves on to the next sending key; with request, the peer is asked to do the same.
// Seal does this by itself when a key has sealed as many records as is safe. It needs TLS 1.3.
func (c *Conn) UpdateKeys(request bool) error {
	if c.phase != phaseRecords || c.sentClose {
		return errors.New("tlsrec: keys can be updated only while a TLS 1.3 connection sends")
	}
	var err error
	c.pending, err = c.updateKeys(c.pending, request)
	return err
}

// keepTicket shows an encrypted record with session tickets to crypto/tls, which puts them into the ClientSessionCache.
func (c *Conn) keepTicket(rec []byte) *Error {
	h := c.hs
	h.pipe.in = rec
	var none [1]byte
	_, err := h.tls.Read(none[:])
	h.pipe.in = nil
	if errors.Is(err, errAgain) {
		return nil
	}
	return recordError(AlertDecodeError, "received a session ticket that crypto/tls refuses: "+err.Error())
}
