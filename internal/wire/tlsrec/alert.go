package tlsrec

import "fmt"

// Alert is the description of an alert (RFC 8446, 6).
type Alert uint8

// The alerts that this package sends itself; crypto/tls sends others.
const (
	AlertCloseNotify       Alert = 0
	AlertUnexpectedMessage Alert = 10
	AlertBadRecordMAC      Alert = 20
	AlertRecordOverflow    Alert = 22
	AlertIllegalParameter  Alert = 47
	AlertDecodeError       Alert = 50
	AlertInternalError     Alert = 80
	AlertUserCanceled      Alert = 90

	// alertNone is no alert; the value is not assigned.
	alertNone Alert = 255
)

// levels of alerts: in TLS 1.3 only close_notify and user_canceled are warnings (RFC 8446, 6.1).
const (
	levelWarning byte = 1
	levelFatal   byte = 2
)

var alertNames = map[Alert]string{
	0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
	42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
	46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
	51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
	86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
	110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response",
	115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol", 121: "ech_required",
}

// String is the alert's name in the RFC.
func (a Alert) String() string {
	if name, ok := alertNames[a]; ok {
		return name
	}
	return fmt.Sprintf("alert %d", uint8(a))
}

// Error says why a connection ended. Where the peer is to be told, the alert has been added to what is pending.
type Error struct {
	// Code is a stable snake_case label for metrics and logs.
	Code string
	// Detail is a sentence for an operator: what happened and, where that is known, what usually causes it.
	Detail string
	// Alert is the alert that was sent or received; HasAlert tells whether there was one.
	Alert Alert
	// Received tells that the peer sent the alert.
	Received bool
	// First tells that in TLS 1.3 nothing came before it under the keys of the established connection: no ticket, no content. A server that has accepted a
	// client's certificate begins with its tickets, if it gives any (RFC 8446, 4.6.1).
	First bool
	// Cause is the error of crypto/tls; nil for faults of the record layer.
	Cause error
}

// HasAlert tells whether an alert was sent or received, and is known. (crypto/tls does not tell which alert it encrypted.)
func (e *Error) HasAlert() bool { return e.Alert != alertNone }

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Unwrap returns the error of crypto/tls.
func (e *Error) Unwrap() error { return e.Cause }

// recordError is a fault that the record layer found, with the alert that answers it.
func recordError(a Alert, detail string) *Error {
	return &Error{Code: a.String(), Detail: detail, Alert: a}
}

// remoteError is an alert of the peer.
func remoteError(a Alert) *Error {
	return &Error{Code: "remote_" + a.String(), Detail: "the peer ended the connection with the alert " + a.String() + remoteHint(a), Alert: a, Received: true}
}

// remoteHint says what usually makes a peer send an alert.
func remoteHint(a Alert) string {
	switch a {
	case 42, 43, 45, 46, 48:
		return ": it does not accept our certificate (unknown issuer, missing intermediate, expired, or another name)"
	case 116:
		return ": it asks for a client certificate and got none"
	case 40, 71:
		return ": it found no version, cipher suite or group that both sides allow"
	case 70:
		return ": it does not speak the versions of TLS that we allow"
	case 112:
		return ": it does not know the server name that we asked for"
	case 120:
		return ": it speaks none of the application protocols that we offered"
	}
	return ""
}
