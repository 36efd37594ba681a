package h2

import "github.com/blitz-gateway/blitz/internal/wire"

// response checks the head of a response and converts it (RFC 9113 section 8.3.2). A body without Content-Length is
// BodyChunked. h.length becomes what the DATA must come to: 0 where there must be none.
func (h *head) response(r *wire.Response, s *Stream, end bool) *Error {
	if err := h.split(); err != nil {
		return err
	}
	if err := h.check(); err != nil {
		return err
	}
	if h.status == nil {
		return ErrPseudoMissing
	}
	if len(h.status) != 3 {
		return ErrStatus
	}
	a, b, c := h.status[0]-'0', h.status[1]-'0', h.status[2]-'0'
	if a < 1 || a > 5 || b > 9 || c > 9 {
		return ErrStatus
	}
	status := int(a)*100 + int(b)*10 + int(c)
	if status == 101 {
		return ErrStatus // section 8.6
	}
	if end && status < 200 {
		return ErrInterimEnd
	}
	r.Status, r.Reason = status, nil
	r.Head = wire.Head{Fields: h.fields, Length: -1, Minor: 1, KeepAlive: true}
	switch {
	case status < 200 || status == 204:
		if h.length > 0 {
			return ErrLength // RFC 9110 section 8.6
		}
		h.dropLength()
		h.length = 0
	case s.connect && status < 300:
		h.dropLength()
		h.length = -1
	case s.noBody || status == 304:
		r.Length = h.length
		h.length = 0
	case h.length >= 0:
		r.Body, r.Length = wire.BodyLength, h.length
	case !end:
		r.Body = wire.BodyChunked
	}
	return nil
}

// dropLength keeps a Content-Length that means nothing from being forwarded.
func (h *head) dropLength() {
	if h.length < 0 {
		return
	}
	for i := range h.fields {
		if h.fields[i].ID == wire.FieldContentLength {
			h.fields[i].Hop = true
		}
	}
}
