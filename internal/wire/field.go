package wire

import "encoding/binary"

// FieldID is a well-known field name, or FieldOther. A field is well known when Blitz or the protocol gives it a
// meaning; all others are carried through without being looked at.
type FieldID uint8

// The well-known field names.
const (
	FieldOther FieldID = iota
	FieldAccept
	FieldAcceptEncoding
	FieldAcceptLanguage
	FieldAge
	FieldAuthorization
	FieldCacheControl
	FieldConnection
	FieldContentEncoding
	FieldContentLanguage
	FieldContentLength
	FieldContentLocation
	FieldContentRange
	FieldContentType
	FieldCookie
	FieldDate
	FieldETag
	FieldExpect
	FieldExpires
	FieldForwarded
	FieldHost
	FieldHTTP2Settings
	FieldIfMatch
	FieldIfModifiedSince
	FieldIfNoneMatch
	FieldIfRange
	FieldIfUnmodifiedSince
	FieldKeepAlive
	FieldLastModified
	FieldLocation
	FieldMaxForwards
	FieldOrigin
	FieldPragma
	FieldProxyAuthenticate
	FieldProxyAuthorization
	FieldProxyConnection
	FieldRange
	FieldReferer
	FieldRetryAfter
	FieldSecWebSocketAccept
	FieldSecWebSocketExtensions
	FieldSecWebSocketKey
	FieldSecWebSocketProtocol
	FieldSecWebSocketVersion
	FieldServer
	FieldSetCookie
	FieldTE
	FieldTraceparent
	FieldTracestate
	FieldTrailer
	FieldTransferEncoding
	FieldUpgrade
	FieldUserAgent
	FieldVary
	FieldVia
	FieldWWWAuthenticate
	FieldXForwardedClientCert
	FieldXForwardedFor
	FieldXForwardedHost
	FieldXForwardedPort
	FieldXForwardedProto
	FieldXRealIP
	FieldXRequestID
	fieldCount
)

type fieldTraits uint8

const (
	// hopByHop: about this connection only (RFC 9110 section 7.6.1), never forwarded.
	hopByHop fieldTraits = 1 << iota
	// trailerOK: may stand in a trailer section. All other well-known names frame, route, authenticate or describe
	// the content, which a trailer must not do (RFC 9110 section 6.5.1).
	trailerOK
)

var fieldTable = [fieldCount]struct {
	name   string
	traits fieldTraits
}{
	FieldOther:           {"", trailerOK},
	FieldAccept:          {"Accept", 0},
	FieldAcceptEncoding:  {"Accept-Encoding", 0},
	FieldAcceptLanguage:  {"Accept-Language", 0},
	FieldAge:             {"Age", 0},
	FieldAuthorization:   {"Authorization", 0},
	FieldCacheControl:    {"Cache-Control", 0},
	FieldConnection:      {"Connection", hopByHop},
	FieldContentEncoding: {"Content-Encoding", 0},
	FieldContentLanguage: {"Content-Language", 0},
	FieldContentLength:   {"Content-Length", 0},
	FieldContentLocation: {"Content-Location", 0},
	FieldContentRange:    {"Content-Range", 0},
	FieldContentType:     {"Content-Type", 0},
	FieldCookie:          {"Cookie", 0},
	FieldDate:            {"Date", 0},
	FieldETag:            {"ETag", trailerOK},
	FieldExpect:          {"Expect", 0},
	FieldExpires:         {"Expires", 0},
	FieldForwarded:       {"Forwarded", 0},
	FieldHost:            {"Host", 0},
	// Means something only together with "Connection: Upgrade, HTTP2-Settings".
	FieldHTTP2Settings:     {"HTTP2-Settings", hopByHop},
	FieldIfMatch:           {"If-Match", 0},
	FieldIfModifiedSince:   {"If-Modified-Since", 0},
	FieldIfNoneMatch:       {"If-None-Match", 0},
	FieldIfRange:           {"If-Range", 0},
	FieldIfUnmodifiedSince: {"If-Unmodified-Since", 0},
	FieldKeepAlive:         {"Keep-Alive", hopByHop},
	FieldLastModified:      {"Last-Modified", 0},
	FieldLocation:          {"Location", 0},
	FieldMaxForwards:       {"Max-Forwards", 0},
	FieldOrigin:            {"Origin", 0},
	FieldPragma:            {"Pragma", 0},
	// Credentials between a client and its own proxy: not for the origin behind a gateway.
	FieldProxyAuthenticate:      {"Proxy-Authenticate", hopByHop},
	FieldProxyAuthorization:     {"Proxy-Authorization", hopByHop},
	FieldProxyConnection:        {"Proxy-Connection", hopByHop},
	FieldRange:                  {"Range", 0},
	FieldReferer:                {"Referer", 0},
	FieldRetryAfter:             {"Retry-After", 0},
	FieldSecWebSocketAccept:     {"Sec-WebSocket-Accept", 0},
	FieldSecWebSocketExtensions: {"Sec-WebSocket-Extensions", 0},
	FieldSecWebSocketKey:        {"Sec-WebSocket-Key", 0},
	FieldSecWebSocketProtocol:   {"Sec-WebSocket-Protocol", 0},
	FieldSecWebSocketVersion:    {"Sec-WebSocket-Version", 0},
	FieldServer:                 {"Server", 0},
	FieldSetCookie:              {"Set-Cookie", 0},
	FieldTE:                     {"TE", hopByHop},
	FieldTraceparent:            {"Traceparent", 0},
	FieldTracestate:             {"Tracestate", 0},
	// Announces the names of trailers, which are forwarded, so it is too.
	FieldTrailer:              {"Trailer", 0},
	FieldTransferEncoding:     {"Transfer-Encoding", hopByHop},
	FieldUpgrade:              {"Upgrade", hopByHop},
	FieldUserAgent:            {"User-Agent", 0},
	FieldVary:                 {"Vary", 0},
	FieldVia:                  {"Via", 0},
	FieldWWWAuthenticate:      {"WWW-Authenticate", 0},
	FieldXForwardedClientCert: {"X-Forwarded-Client-Cert", 0},
	FieldXForwardedFor:        {"X-Forwarded-For", 0},
	FieldXForwardedHost:       {"X-Forwarded-Host", 0},
	FieldXForwardedPort:       {"X-Forwarded-Port", 0},
	FieldXForwardedProto:      {"X-Forwarded-Proto", 0},
	FieldXRealIP:              {"X-Real-IP", 0},
	FieldXRequestID:           {"X-Request-Id", 0},
}

// String returns the usual spelling of a well-known name, "" for FieldOther.
func (id FieldID) String() string {
	if id < fieldCount {
		return fieldTable[id].name
	}
	return ""
}

// HopByHop tells whether the field is about one connection only and is never forwarded.
func (id FieldID) HopByHop() bool { return id < fieldCount && fieldTable[id].traits&hopByHop != 0 }

// TrailerAllowed tells whether the field may stand in a trailer section.
func (id FieldID) TrailerAllowed() bool {
	return id < fieldCount && fieldTable[id].traits&trailerOK != 0
}

// Nominable tells whether a Connection option of this name makes the field hop-by-hop. It does so only for names that
// are not well known: a sender must not nominate fields meant for all recipients (RFC 9110 section 7.6.1), and a
// client that nominates Authorization or X-Forwarded-For wants to strip what others rely on. Such an option has no
// effect.
func (id FieldID) Nominable() bool { return id == FieldOther || id.HopByHop() }

// The well-known names are found through a hash of their last four bytes, first byte and length, which is perfect:
// every name has a slot of its own (a test asserts it). What the slot holds is then compared, folding case eight
// bytes at a time.
const (
	hashBits = 9
	// hashMultiplier was found by trying random odd numbers until no two names met.
	hashMultiplier = 0x5d62d631
	maxName        = 32
)

type nameSlot struct {
	lower [maxName]byte
	size  uint8
	id    FieldID
}

// fieldHash holds one byte per slot, an index into fieldNames, so that the table stays within a few cache lines.
var fieldHash, fieldNames = buildFieldHash()

func buildFieldHash() (hash [1 << hashBits]FieldID, names [fieldCount]nameSlot) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := fieldTable[id].name
		s := &names[id]
		s.size, s.id = uint8(len(name)), id
		for i := range len(name) {
			c := name[i]
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			s.lower[i] = c
		}
		if len(name) >= 4 {
			hash[hashName(binary.LittleEndian.Uint32(s.lower[len(name)-4:]), s.lower[0], len(name))] = id
		}
	}
	return hash, names
}

func hashName(last4 uint32, first byte, size int) uint32 {
	return ((last4 ^ (uint32(size)|uint32(first)<<8)*0x9e37) * hashMultiplier) >> (32 - hashBits)
}

// LookupField finds a well-known name, in any case. It does not allocate.
func LookupField(name []byte) FieldID {
	n := len(name)
	if n < 4 {
		return lookupShort(name)
	}
	if n > maxName {
		return FieldOther
	}
	id := fieldHash[hashName(fold32(binary.LittleEndian.Uint32(name[n-4:])), name[0]|name[0]&0x40>>1, n)]
	s := &fieldNames[id]
	if int(s.size) != n {
		return FieldOther
	}
	want := s.lower[:n]
	if n < 8 { // the last four bytes and the first four overlap or touch
		if fold32(binary.LittleEndian.Uint32(name)) != binary.LittleEndian.Uint32(want) ||
			fold32(binary.LittleEndian.Uint32(name[n-4:])) != binary.LittleEndian.Uint32(want[n-4:]) {
			return FieldOther
		}
		return id
	}
	for i := 0; i+8 <= n; i += 8 {
		if fold64(binary.LittleEndian.Uint64(name[i:])) != binary.LittleEndian.Uint64(want[i:]) {
			return FieldOther
		}
	}
	if fold64(binary.LittleEndian.Uint64(name[n-8:])) != binary.LittleEndian.Uint64(want[n-8:]) {
		return FieldOther
	}
	return id
}

func lookupShort(name []byte) FieldID {
	switch len(name) {
	case 2:
		if name[0]|0x20 == 't' && name[1]|0x20 == 'e' {
			return FieldTE
		}
	case 3:
		switch [3]byte{name[0] | 0x20, name[1] | 0x20, name[2] | 0x20} {
		case [3]byte{'v', 'i', 'a'}:
			return FieldVia
		case [3]byte{'a', 'g', 'e'}:
			return FieldAge
		}
	}
	return FieldOther
}

// fold64 sets bit 5 where bit 6 is set: letters become lower case, and no other byte becomes a letter, digit or
// hyphen.
func fold64(x uint64) uint64 { return x | (x&0x4040404040404040)>>1 }

func fold32(x uint32) uint32 { return x | (x&0x40404040)>>1 }

// EqualFold compares two ASCII strings without regard to the case of letters.
func EqualFold(a, b []byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		if lower(c) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}
