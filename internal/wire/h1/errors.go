package h1

import "github.com/blitz-gateway/blitz/internal/wire"

// What a message can be refused for. ParseRequest returns these; ParseResponse returns their Upstream twins, and Body
// those of its role.
var (
	// Start line of a request.
	ErrMethod = wire.NewError(400, "bad_method",
		"a request must begin with a method, which is a token followed by one space")
	ErrMethodLong = wire.NewError(501, "method_too_long",
		"the method is longer than any that exists")
	ErrTarget = wire.NewError(400, "bad_target",
		"the request target must be visible ASCII without '#', between single spaces")
	ErrTargetForm = wire.NewError(400, "bad_target_form",
		"the request target must begin with '/' or be an http or https URL; '*' is for OPTIONS, host:port for CONNECT")
	ErrAuthority = wire.NewError(400, "bad_authority",
		"the authority of the target must be a host with an optional port, without userinfo; CONNECT needs the port")
	ErrLineLong = wire.NewError(414, "request_line_too_long",
		"the request line is longer than the limit")
	ErrVersion = wire.NewError(400, "bad_version",
		"the request line must end in a space and HTTP/1.1 or HTTP/1.0; HTTP/0.9 is not supported")
	ErrVersionUnsupported = wire.NewError(505, "version_not_supported",
		"only HTTP/1.0 and HTTP/1.1 are spoken on this connection")

	// Start line of a response.
	ErrStatusLine = wire.NewError(502, "bad_status_line",
		"a response must begin with HTTP/1.1 or HTTP/1.0, a space, and a status of three digits from 100 to 599")

	// Lines and fields.
	ErrBareLF = wire.NewError(400, "bare_lf",
		"a line must end in CRLF, not in LF alone")
	ErrBareCR = wire.NewError(400, "bare_cr",
		"a CR must be followed by LF")
	ErrFold = wire.NewError(400, "folded_field",
		"a field line must not begin with white space; line folding is obsolete")
	ErrFieldName = wire.NewError(400, "bad_field_name",
		"a field name must be a token directly followed by a colon")
	ErrFieldSpace = wire.NewError(400, "space_before_colon",
		"no white space may stand between a field name and its colon")
	ErrFieldValue = wire.NewError(400, "bad_field_value",
		"a field value must not hold control characters")
	ErrHeadLarge = wire.NewError(431, "head_too_large",
		"start line and fields together are larger than the limit")
	ErrFieldCount = wire.NewError(431, "too_many_fields",
		"the message has more fields than the limit")
	ErrConnection = wire.NewError(400, "bad_connection_option",
		"the Connection field must be a list of tokens")
	ErrOptionCount = wire.NewError(400, "too_many_connection_options",
		"the Connection field nominates more fields than any honest sender would")

	// Framing.
	ErrLength = wire.NewError(400, "bad_content_length",
		"Content-Length must be one number of at most 18 digits")
	ErrLengthTwice = wire.NewError(400, "duplicate_content_length",
		"Content-Length must not be repeated, not even with the same number")
	ErrLengthAndCoding = wire.NewError(400, "content_length_with_transfer_encoding",
		"a message must not have both Content-Length and Transfer-Encoding")
	ErrCoding = wire.NewError(501, "unknown_transfer_encoding",
		"the only transfer coding understood is chunked")
	ErrCodingForm = wire.NewError(400, "bad_transfer_encoding",
		"Transfer-Encoding must be exactly 'chunked', once")
	ErrCodingVersion = wire.NewError(400, "transfer_encoding_in_http10",
		"HTTP/1.0 has no Transfer-Encoding")
	ErrBodyForbidden = wire.NewError(400, "body_not_allowed",
		"TRACE and CONNECT requests, and 1xx and 204 responses, must not announce a body")

	// Routing and expectations.
	ErrHostMissing = wire.NewError(400, "missing_host",
		"an HTTP/1.1 request must have a Host field")
	ErrHostTwice = wire.NewError(400, "duplicate_host",
		"a request must have one Host field only")
	ErrHost = wire.NewError(400, "bad_host",
		"the Host field must be a host name, IPv4 or bracketed IPv6 address with an optional port")
	ErrHostConflict = wire.NewError(400, "host_conflict",
		"the Host field must agree with the authority of the request target")
	ErrExpect = wire.NewError(417, "unknown_expectation",
		"the only expectation understood is 100-continue")

	// Bodies.
	ErrChunkSize = wire.NewError(400, "bad_chunk_size",
		"a chunk must begin with its size in 1 to 16 hexadecimal digits, followed by CRLF or an extension")
	ErrChunkLarge = wire.NewError(400, "chunk_size_overflow",
		"the size of a chunk must not exceed 2^62 bytes")
	ErrChunkLine = wire.NewError(400, "chunk_line_too_long",
		"the size line of a chunk is longer than the limit")
	ErrChunkExtension = wire.NewError(400, "bad_chunk_extension",
		"a chunk extension must be ;token, ;token=token or ;token=\"string\", without white space around it")
	ErrChunkEnd = wire.NewError(400, "bad_chunk_end",
		"the data of a chunk must be followed by CRLF")
	ErrTrailersLarge = wire.NewError(431, "trailers_too_large",
		"the trailer section is larger than the limit")
	ErrBodyShort = wire.NewError(400, "body_too_short",
		"the connection ended before the announced end of the body")
)
