package tlsrec

// IsTLS tells from the first bytes of a connection whether the peer speaks TLS. known is false while they are too few to
// say: more than one byte is needed only if the first one fits.
//
// A TLS connection begins with a handshake record, whose content type is 22 and whose major version is 3 (RFC 8446, 5.1).
// No text protocol begins so: 22 is a control character.
func IsTLS(first []byte) (isTLS, known bool) {
	switch {
	case len(first) == 0:
		return false, false
	case first[0] != typeHandshake:
		return false, true
	case len(first) == 1:
		return false, false
	}
	return first[1] == 3, true
}
