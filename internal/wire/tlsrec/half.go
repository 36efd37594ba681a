package tlsrec

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"math"
	"slices"
)

// Sizes of a TLS 1.3 record in bytes (RFC 8446, 5.1 and 5.2).
const (
	// HeaderLen is the size of a record header.
	HeaderLen = 5
	// MaxPlaintext is the most content that one record carries.
	MaxPlaintext = 1 << 14
	// Overhead is what a sealed record adds to its content: header, inner content type, tag.
	Overhead = HeaderLen + 1 + tagLen
	// MaxRecord is the largest record that a peer may send, with its header: a receive buffer of this size is enough.
	MaxRecord = HeaderLen + maxCiphertext

	maxCiphertext = MaxPlaintext + 256
	tagLen        = 16
	nonceLen      = 12
	maxSecret     = 48
)

// Content types (RFC 8446, 5.1).
const (
	typeChangeCipherSpec byte = 20
	typeAlert            byte = 21
	typeHandshake        byte = 22
	typeApplicationData  byte = 23
)

// half is one direction of the record layer: a traffic secret, what follows from it, and the next sequence number.
type half struct {
	suite  *suite
	aead   cipher.AEAD
	seq    uint64
	iv     [nonceLen]byte
	nonce  [nonceLen]byte // scratch, here so that handing it to the AEAD does not allocate
	secret [maxSecret]byte
}

// set derives key and IV from a traffic secret (RFC 8446, 7.3) and starts counting records at seq.
func (h *half) set(s *suite, secret []byte, seq uint64) error {
	if len(secret) != s.hashLen {
		return errors.New("tlsrec: a traffic secret of the wrong length")
	}
	key, err := s.expandLabel(secret, "key", s.keyLen)
	if err != nil {
		return err
	}
	defer clear(key)
	iv, err := s.expandLabel(secret, "iv", nonceLen)
	if err != nil {
		return err
	}
	aead, err := s.aead(key)
	if err != nil {
		return err
	}
	h.suite, h.aead, h.seq = s, aead, seq
	copy(h.iv[:], iv)
	copy(h.secret[:], secret)
	clear(iv)
	return nil
}

// update moves on to the next traffic secret (RFC 8446, 7.2).
func (h *half) update() error {
	next, err := h.suite.expandLabel(h.secret[:h.suite.hashLen], "traffic upd", h.suite.hashLen)
	if err != nil {
		return err
	}
	defer clear(next)
	return h.set(h.suite, next, 0)
}

// wipe forgets the keys, as far as Go allows: the expanded key inside the AEAD is left to the garbage collector.
func (h *half) wipe() { *h = half{} }

// nextNonce is the IV with the sequence number folded in (RFC 8446, 5.3). The caller advances seq.
func (h *half) nextNonce() []byte {
	h.nonce = h.iv
	tail := h.nonce[nonceLen-8:]
	binary.BigEndian.PutUint64(tail, binary.BigEndian.Uint64(tail)^h.seq)
	return h.nonce[:]
}

// open decrypts a whole record in place and returns the inner content type and the content, which points into rec. The
// header has been checked to be of application data and of an allowed length.
func (h *half) open(rec []byte) (byte, []byte, Alert) {
	if h.seq == math.MaxUint64 {
		// RFC 8446, 5.3: sequence numbers must not wrap.
		return 0, nil, AlertInternalError
	}
	sealed := rec[HeaderLen:]
	plain, err := h.aead.Open(sealed[:0], h.nextNonce(), sealed, rec[:HeaderLen])
	if err != nil {
		return 0, nil, AlertBadRecordMAC
	}
	h.seq++
	if len(plain) > MaxPlaintext+1 {
		// RFC 8446, 5.4: padding counts.
		return 0, nil, AlertRecordOverflow
	}
	for n := len(plain) - 1; n >= 0; n-- {
		if plain[n] != 0 {
			return plain[n], plain[:n], alertNone
		}
	}
	// RFC 8446, 5.4: a record of nothing but padding.
	return 0, nil, AlertUnexpectedMessage
}

// seal appends one record with the given content of at most MaxPlaintext bytes. The content may already stand where it
// will stand in the record, HeaderLen bytes after the end of dst.
func (h *half) seal(dst, content []byte, typ byte) []byte {
	start, size := len(dst), len(content)+Overhead
	dst = slices.Grow(dst, size)[:start+size]
	rec := dst[start:]
	copy(rec[HeaderLen:], content) // before the header is written, since content may overlap with it
	sealed := size - HeaderLen
	rec[0], rec[1], rec[2], rec[3], rec[4] = typeApplicationData, 3, 3, byte(sealed>>8), byte(sealed)
	rec[HeaderLen+len(content)] = typ
	h.aead.Seal(rec[HeaderLen:HeaderLen], h.nextNonce(), rec[HeaderLen:size-tagLen], rec[:HeaderLen])
	h.seq++
	return dst
}
