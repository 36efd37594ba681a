package wire

// Error says why a message was refused. All values are package-level variables, so refusing costs no allocation and
// errors can be compared by pointer.
type Error struct {
	// Status to answer with: 4xx or 5xx for a request, 502 for a response of an upstream.
	Status int
	// Code is a stable snake_case label for metrics and logs.
	Code string
	// Detail is a sentence for a human: what was wrong, what is expected.
	Detail string

	upstream *Error
}

// NewError declares an error with the status for a bad request, together with its twin for a bad response. It is
// meant for package-level variables of codecs.
func NewError(status int, code, detail string) *Error {
	return &Error{
		Status: status, Code: code, Detail: detail,
		upstream: &Error{Status: 502, Code: code, Detail: detail},
	}
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Detail }

// Upstream returns the same fault found in a response: code and detail stay, the status is 502. It returns nil for
// nil.
func (e *Error) Upstream() *Error {
	if e == nil || e.upstream == nil {
		return e
	}
	return e.upstream
}
