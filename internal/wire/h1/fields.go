package h1

import "github.com/blitz-gateway/blitz/internal/wire"

// section is the field section of a head or the trailer section of a chunked body while it is parsed, with what its
// framing fields said.
type section struct {
	request, trailer bool
	allowUnderscore  bool

	host       []byte // value of Host, nil until seen
	length     int64  // value of Content-Length, -1 until seen
	chunked    bool
	connection connOptions
	upgrade    []byte
	upgrades   int
	expect100  bool
}

// parse reads field lines from b[i:] up to and including the empty line and appends them to fields. It returns the
// position behind the section, or 0 when b ends before that. Then everything that b does hold has been checked.
func (s *section) parse(b []byte, i int, fields []wire.Field, maxFields int) ([]wire.Field, int, *wire.Error) {
	for {
		if i >= len(b) {
			return fields, 0, nil
		}
		begin := i
		for i < len(b) && wire.Class[b[i]]&wire.ClassToken != 0 {
			i++
		}
		if i == len(b) {
			return fields, 0, nil
		}
		if b[i] != ':' || i == begin {
			if i == begin && b[i] == '\r' {
				if i+1 == len(b) {
					return fields, 0, nil
				}
				if b[i+1] != '\n' {
					return fields, 0, ErrBareCR
				}
				return fields, i + 2, nil
			}
			return fields, 0, badName(b[i], i == begin)
		}
		name := b[begin:i]
		i++
		for i < len(b) && (b[i] == ' ' || b[i] == '\t') {
			i++
		}
		begin = i
		i = valueEnd(b, i)
		if i+1 >= len(b) {
			if i < len(b) && b[i] != '\r' {
				return fields, 0, badValue(b[i])
			}
			return fields, 0, nil
		}
		if b[i] != '\r' {
			return fields, 0, badValue(b[i])
		}
		if b[i+1] != '\n' {
			return fields, 0, ErrBareCR
		}
		end := i
		for end > begin && (b[end-1] == ' ' || b[end-1] == '\t') {
			end--
		}
		i += 2
		if len(fields) >= maxFields {
			return fields, 0, ErrFieldCount
		}
		id := wire.LookupField(name)
		fields = extend(fields)
		f := &fields[len(fields)-1]
		f.Name, f.Value, f.ID = name, b[begin:end:end], id
		switch {
		case s.trailer:
			f.Hop = !id.TrailerAllowed() || s.dangerous(name)
		case id == wire.FieldOther:
			f.Hop = s.dangerous(name)
		default:
			f.Hop = id.HopByHop()
			if err := s.note(id, f.Value); err != nil {
				return fields, 0, err
			}
		}
	}
}

// extend makes room for one more field, which is then written in place.
func extend(fields []wire.Field) []wire.Field {
	if n := len(fields); n < cap(fields) {
		return fields[:n+1]
	}
	return append(fields, wire.Field{})
}

// dangerous tells whether a name means another field to servers that turn names into variables, see wire.Limits. Proxy has no meaning in
// HTTP, but as the CGI variable HTTP_PROXY it redirects what the server itself sends.
func (s *section) dangerous(name []byte) bool {
	if s.request && len(name) == len("proxy") && equalLower(name, "proxy") {
		return true
	}
	if !s.request || s.allowUnderscore {
		return false
	}
	for _, c := range name {
		if c == '_' {
			return true
		}
	}
	return false
}

// badName says why the byte c, the first that is not part of a field name, is not a colon.
func badName(c byte, first bool) *wire.Error {
	switch {
	case c == '\n':
		return ErrBareLF
	case c == ' ' || c == '\t':
		if first {
			return ErrFold
		}
		return ErrFieldSpace
	}
	return ErrFieldName
}

func badValue(c byte) *wire.Error {
	if c == '\n' {
		return ErrBareLF
	}
	return ErrFieldValue
}

// note takes in what a well-known field says about framing, routing and the connection.
func (s *section) note(id wire.FieldID, value []byte) *wire.Error {
	switch id {
	case wire.FieldHost:
		if !s.request {
			return nil
		}
		if s.host != nil {
			return ErrHostTwice
		}
		s.host = value
	case wire.FieldContentLength:
		if s.length >= 0 {
			return ErrLengthTwice
		}
		n, ok := parseLength(value)
		if !ok {
			return ErrLength
		}
		s.length = n
	case wire.FieldTransferEncoding:
		if s.chunked {
			return ErrCodingForm
		}
		if err := checkCoding(value); err != nil {
			return err
		}
		s.chunked = true
	case wire.FieldConnection:
		return s.connection.add(value)
	case wire.FieldUpgrade:
		s.upgrade = value
		s.upgrades++
	case wire.FieldExpect:
		if s.request {
			if !equalLower(value, "100-continue") {
				return ErrExpect
			}
			s.expect100 = true
		}
	}
	return nil
}

// parseLength reads a Content-Length (RFC 9110 section 8.6): digits only, of which 18 cannot overflow.
func parseLength(v []byte) (int64, bool) {
	if len(v) == 0 || len(v) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range v {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// checkCoding accepts "chunked" and nothing else (RFC 9112 section 6.1). A value that begins with chunked or is not a
// list of tokens is malformed; any other names a coding that we do not implement.
func checkCoding(v []byte) *wire.Error {
	if equalLower(v, "chunked") {
		return nil
	}
	const name = "chunked"
	if len(v) == 0 || v[0] == ',' || len(v) > len(name) && equalLower(v[:len(name)], name) {
		return ErrCodingForm
	}
	for _, c := range v {
		if wire.Class[c]&wire.ClassToken == 0 && c != ',' && c != ' ' && c != '\t' {
			return ErrCodingForm
		}
	}
	return ErrCoding
}

// equalLower compares v with a lower-case string, folding the case of letters in v.
func equalLower(v []byte, lower string) bool {
	if len(v) != len(lower) {
		return false
	}
	for i, c := range v {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
