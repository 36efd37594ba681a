package tlsrec

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"reflect"
	"strings"
)

// handshakeError turns an error of crypto/tls into one that an operator understands. sent is what was written last: if
// it ends with an alert in the clear, that is the one that tells the peer. inClear is an alert that the peer sent in the
// clear.
//
// A client of OpenSSL that refuses our certificate says so in the clear, although the server expects encryption by then.
// crypto/tls answers bad_record_mac, which misleads an operator. The connection fails either way, so that nobody can gain
// by forging such an alert but a wrong line in our log, and the better answer is worth that.
func handshakeError(err error, sent []byte, inClear Alert) *Error {
	a, ok := remoteAlert(err)
	if !ok && inClear != alertNone && strings.Contains(err.Error(), "bad record MAC") {
		a, ok = inClear, true
	}
	if ok {
		e := remoteError(a)
		e.Cause = err
		return e
	}
	e := &Error{Code: "handshake_failure", Detail: "TLS handshake: " + bare(err), Alert: lastAlert(sent), Cause: err}
	var header tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	switch {
	case errors.Is(err, errCanceled):
		e.Code, e.Detail = "handshake_canceled", "the TLS handshake was ended by us before it was complete"
	case errors.Is(err, errTooLong):
		e.Code, e.Detail = "handshake_too_long", "the peer sent more than a TLS handshake may take"
	case errors.As(err, &header):
		e.Code, e.Detail = "not_tls", fmt.Sprintf("the peer does not speak TLS (%s; it sent % x)", bare(header), header.RecordHeader[:])
	case errors.As(err, &verify):
		e.Code, e.Detail = certificateCode(verify.Err), "the peer's certificate is not accepted: "+bare(verify.Err)
	default:
		for _, k := range knownFaults {
			if strings.Contains(err.Error(), k.text) {
				e.Code, e.Detail = k.code, k.detail+" ("+bare(err)+")"
				break
			}
		}
	}
	return e
}

// knownFaults recognises errors that crypto/tls has no types for. If a text changes, the label falls back to
// handshake_failure and the detail is that of crypto/tls.
var knownFaults = []struct{ text, code, detail string }{
	{"unsupported versions", "protocol_version", "the client speaks no version of TLS that we allow"},
	{"protocol version not supported", "protocol_version", "the peer speaks no version of TLS that we allow"},
	{"no cipher suite supported", "no_cipher_suite", "client and server have no cipher suite in common"},
	{"no supported elliptic curves", "no_group", "client and server have no key exchange group in common"},
	{"no ECDHE curve supported", "no_group", "client and server have no key exchange group in common"},
	{"no key exchanges supported", "no_group", "client and server have no key exchange group in common"},
	{"unsupported application protocols", "no_application_protocol", "the client offers no application protocol that we speak"},
	{"didn't provide a certificate", "certificate_required", "a client certificate is required and the client sent none"},
	{"no certificates configured", "no_certificate", "there is no certificate for this server name"},
	{"no certificate", "no_certificate", "there is no certificate for this server name"},
	{"peer doesn't support any of the certificate's signature algorithms", "no_signature_algorithm", "the client accepts no signature that our key can make"},
	{"bad record MAC", "bad_record_mac", "a record does not decrypt: it was damaged or forged on the way"},
	{"oversized record", "record_overflow", "a record is longer than TLS allows"},
}

// readError is handshakeError for errors of an established TLS 1.2 connection.
func readError(err error) *Error {
	e := handshakeError(err, nil, alertNone)
	if !e.Received {
		e.Detail = strings.Replace(e.Detail, "TLS handshake: ", "TLS: ", 1)
		if e.Code == "handshake_failure" {
			e.Code = "tls_failure"
		}
	}
	return e
}

// bare is the text of an error of crypto/tls without its prefix.
func bare(err error) string { return strings.TrimPrefix(err.Error(), "tls: ") }

// remoteAlert returns the alert that a peer sent. crypto/tls wraps its own type, an unsigned integer.
func remoteAlert(err error) (Alert, bool) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return 0, false
	}
	if v := reflect.ValueOf(op.Err); v.Kind() == reflect.Uint8 {
		return Alert(v.Uint()), true
	}
	return 0, false
}

// lastAlert finds an alert in the clear at the end of what was sent.
func lastAlert(sent []byte) Alert {
	const size = HeaderLen + 2
	if len(sent) >= size {
		if a := sent[len(sent)-size:]; a[0] == typeAlert && a[1] == 3 && a[3] == 0 && a[4] == 2 {
			return Alert(a[6])
		}
	}
	return alertNone
}
