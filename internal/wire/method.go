package wire

// Method is a well-known request method, or MethodOther.
type Method uint8

// The methods of RFC 9110 section 9 and RFC 5789.
const (
	MethodOther Method = iota
	MethodGet
	MethodHead
	MethodPost
	MethodPut
	MethodDelete
	MethodConnect
	MethodOptions
	MethodTrace
	MethodPatch
)

var methodNames = [...]string{
	MethodOther: "OTHER", MethodGet: "GET", MethodHead: "HEAD", MethodPost: "POST", MethodPut: "PUT", MethodDelete: "DELETE",
	MethodConnect: "CONNECT", MethodOptions: "OPTIONS", MethodTrace: "TRACE", MethodPatch: "PATCH",
}

// LookupMethod finds a method by its name, which is case-sensitive (RFC 9110 section 9.1).
func LookupMethod(name []byte) Method {
	switch string(name) { // the compiler compares lengths first and does not allocate
	case "GET":
		return MethodGet
	case "HEAD":
		return MethodHead
	case "POST":
		return MethodPost
	case "PUT":
		return MethodPut
	case "DELETE":
		return MethodDelete
	case "CONNECT":
		return MethodConnect
	case "OPTIONS":
		return MethodOptions
	case "TRACE":
		return MethodTrace
	case "PATCH":
		return MethodPatch
	}
	return MethodOther
}

// String returns the name of the method, "OTHER" for one that is not well known.
func (m Method) String() string {
	if int(m) < len(methodNames) {
		return methodNames[m]
	}
	return methodNames[MethodOther]
}

// IsSafe tells whether the method is defined to change nothing at the origin (RFC 9110 section 9.2.1).
func (m Method) IsSafe() bool {
	return m == MethodGet || m == MethodHead || m == MethodOptions || m == MethodTrace
}

// IsIdempotent tells whether a request may be sent twice with the effect of once (RFC 9110 section 9.2.2).
func (m Method) IsIdempotent() bool {
	return m.IsSafe() || m == MethodPut || m == MethodDelete
}
