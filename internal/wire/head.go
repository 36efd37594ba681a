package wire

// Field is one header or trailer field. Name and Value are slices of the input buffer: they are valid as long as the
// caller keeps that buffer unchanged.
type Field struct {
	Name, Value []byte
	// ID is the well-known name, or FieldOther.
	ID FieldID
	// Hop marks a field that a proxy never forwards: the hop-by-hop ones (RFC 9110 section 7.6.1), fixed or nominated
	// by Connection, and those that the codec found unsafe to forward (see Limits.AllowUnderscore,
	// FieldID.TrailerAllowed).
	Hop bool
}

// BodyKind is how the end of a body is known (RFC 9112 section 6.3).
type BodyKind uint8

// Kinds of framing.
const (
	BodyNone BodyKind = iota
	BodyLength
	BodyChunked
	BodyUntilClose // responses only
)

// Head is what requests and responses have in common. Fields keeps its capacity when the head is reused.
type Head struct {
	Fields []Field
	Body   BodyKind
	// Length of the body in bytes for BodyLength. For BodyNone of a HEAD or 304 response it is the announced
	// Content-Length. In all other cases it is -1.
	Length int64
	// Minor is the x of HTTP/1.x.
	Minor uint8
	// KeepAlive: the sender allows the connection to persist after this message.
	KeepAlive bool
	// Upgrade is the value of the Upgrade field when Connection nominates it, otherwise nil.
	Upgrade []byte
}

// Request is the head of a request.
type Request struct {
	Head
	Method     Method
	MethodName []byte
	// Form of the target (RFC 9112 section 3.2).
	Form TargetForm
	// Target as received.
	Target []byte
	// Scheme of the target in absolute form, as received; otherwise nil.
	Scheme []byte
	// Authority is the host and port this request is for: from the target in absolute and authority form, otherwise
	// from Host. Empty only for HTTP/1.0 without Host.
	Authority []byte
	// Host is Authority without the port.
	Host []byte
	// Path is the path of the target as received ("/" when it is empty, "*" in asterisk form and for OPTIONS with an
	// absolute form that has neither path nor query, nil in authority form); Query is what follows the first '?',
	// without it; HasQuery tells "/?" from "/".
	Path, Query []byte
	HasQuery    bool
	// Expect100 is true for "Expect: 100-continue" in an HTTP/1.1 request.
	Expect100 bool
}

// Response is the head of a response.
type Response struct {
	Head
	Status int
	Reason []byte
}

// TargetForm is the form of a request target.
type TargetForm uint8

// Forms of the request target.
const (
	FormOrigin TargetForm = iota
	FormAbsolute
	FormAuthority // CONNECT
	FormAsterisk  // OPTIONS *
)

// Get returns the value of the first field with this well-known name, nil when there is none. An empty value is not
// nil.
func (h *Head) Get(id FieldID) []byte {
	for i := range h.Fields {
		if h.Fields[i].ID == id {
			return h.Fields[i].Value
		}
	}
	return nil
}
