package h2

import "strconv"

// ErrCode is an error code (RFC 9113 section 7).
type ErrCode uint32

// The error codes.
const (
	NoError            ErrCode = 0x0
	ProtocolError      ErrCode = 0x1
	InternalError      ErrCode = 0x2
	FlowControlError   ErrCode = 0x3
	SettingsTimeout    ErrCode = 0x4
	StreamClosed       ErrCode = 0x5
	FrameSizeError     ErrCode = 0x6
	RefusedStream      ErrCode = 0x7
	Cancel             ErrCode = 0x8
	CompressionError   ErrCode = 0x9
	ConnectError       ErrCode = 0xa
	EnhanceYourCalm    ErrCode = 0xb
	InadequateSecurity ErrCode = 0xc
	HTTP11Required     ErrCode = 0xd
)

var codeNames = [...]string{
	"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
	"FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
	"INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED",
}

// String returns the name that RFC 9113 gives the code.
func (c ErrCode) String() string {
	if int64(c) < int64(len(codeNames)) {
		return codeNames[c]
	}
	return "0x" + strconv.FormatUint(uint64(c), 16)
}

// Error says what the peer did wrong. All values are package-level variables, so that refusing costs no allocation and
// errors can be compared by pointer.
type Error struct {
	// Code that GOAWAY or RST_STREAM carries.
	Code ErrCode
	// Conn: the whole connection ends (RFC 9113 section 5.4.1), not one stream only (section 5.4.2).
	Conn bool
	// Label is a stable snake_case label for metrics and logs.
	Label string
	// Detail is a sentence for a human.
	Detail string
}

// Error implements error.
func (e *Error) Error() string { return e.Label + " (" + e.Code.String() + "): " + e.Detail }

func connError(code ErrCode, label, detail string) *Error { return &Error{code, true, label, detail} }

func streamError(code ErrCode, label, detail string) *Error {
	return &Error{code, false, label, detail}
}

// Faults of single frames (RFC 9113 section 6).
var (
	ErrFrameLarge     = connError(FrameSizeError, "h2_frame_too_large", "a frame is larger than SETTINGS_MAX_FRAME_SIZE allows")
	ErrFrameSize      = connError(FrameSizeError, "h2_frame_size", "a frame does not have the size that its type demands")
	ErrPrioritySize   = streamError(FrameSizeError, "h2_priority_size", "a PRIORITY frame must have five bytes")
	ErrPadding        = connError(ProtocolError, "h2_padding", "the padding of a frame is longer than the frame")
	ErrStreamZero     = connError(ProtocolError, "h2_stream_zero", "a frame that belongs to a stream came on stream 0")
	ErrStreamNotZero  = connError(ProtocolError, "h2_stream_not_zero", "a frame that belongs to the connection came on a stream")
	ErrIncrement      = streamError(ProtocolError, "h2_window_increment", "WINDOW_UPDATE of a stream by 0")
	ErrConnIncrement  = connError(ProtocolError, "h2_window_increment", "WINDOW_UPDATE of the connection by 0")
	ErrSelfDependency = streamError(ProtocolError, "h2_self_dependency", "a stream must not depend on itself")
	ErrPriorityUpdate = connError(ProtocolError, "h2_priority_update", "PRIORITY_UPDATE names stream 0, or was sent by a server")
)

// Faults of a connection.
var (
	ErrPreface         = connError(ProtocolError, "h2_preface", "the connection does not begin with the HTTP/2 preface")
	ErrFirstFrame      = connError(ProtocolError, "h2_first_frame", "the first frame must be SETTINGS, not an acknowledgement")
	ErrContinuation    = connError(ProtocolError, "h2_continuation", "a header block must not be interrupted, and CONTINUATION only continue one")
	ErrBlock           = connError(CompressionError, "h2_header_block", "a header block cannot be decompressed")
	ErrSettingsValue   = connError(ProtocolError, "h2_settings_value", "a setting has a value that RFC 9113, 8441 or 9218 forbids")
	ErrSettingsWindow  = connError(FlowControlError, "h2_settings_window", "SETTINGS_INITIAL_WINDOW_SIZE exceeds 2^31-1, or makes a window do so")
	ErrSettingsAck     = connError(ProtocolError, "h2_settings_ack", "SETTINGS were acknowledged that nobody sent")
	ErrStreamID        = connError(ProtocolError, "h2_stream_id", "a stream has an identifier that its sender must not use")
	ErrIdle            = connError(ProtocolError, "h2_idle_stream", "a frame came for a stream that was never opened")
	ErrPush            = connError(ProtocolError, "h2_push", "PUSH_PROMISE, which a client never sends and we never allow")
	ErrClosedHeaders   = connError(StreamClosed, "h2_headers_on_closed", "HEADERS came on a stream that is closed")
	ErrConnWindow      = connError(FlowControlError, "h2_connection_window", "more DATA came than the connection window allows")
	ErrConnWindowLarge = connError(FlowControlError, "h2_connection_window_overflow", "WINDOW_UPDATE makes the connection window exceed 2^31-1")
)

// Limits of ours that a peer exceeded.
var (
	ErrBlockLarge = connError(EnhanceYourCalm, "h2_block_too_large", "a header block is larger than the limit, or in too many frames")
	ErrResets     = connError(EnhanceYourCalm, "h2_reset_flood", "too many streams were reset before their end")
	ErrControl    = connError(EnhanceYourCalm, "h2_control_flood", "too many PING, SETTINGS, PRIORITY or unknown frames")
	ErrEmpty      = connError(EnhanceYourCalm, "h2_empty_flood", "too many DATA frames that carry nothing")
	ErrSmallData  = connError(EnhanceYourCalm, "h2_small_data_flood", "too many DATA frames that carry next to nothing")
	ErrWindows    = connError(EnhanceYourCalm, "h2_window_update_flood", "too many WINDOW_UPDATE frames for what was sent")
	ErrStalled    = connError(EnhanceYourCalm, "h2_stalled", "the peer keeps its windows closed, or almost, while data waits")
)

// Faults of a stream.
var (
	ErrRefused       = streamError(RefusedStream, "h2_stream_refused", "more streams are open than SETTINGS_MAX_CONCURRENT_STREAMS allows")
	ErrClosed        = streamError(StreamClosed, "h2_stream_closed", "a frame came on a stream after its sender had ended it")
	ErrStreamWindow  = streamError(FlowControlError, "h2_stream_window", "more DATA came than the stream window allows")
	ErrWindowLarge   = streamError(FlowControlError, "h2_window_overflow", "WINDOW_UPDATE makes a stream window exceed 2^31-1")
	ErrDataFirst     = streamError(ProtocolError, "h2_data_before_headers", "DATA came before the head of the response")
	ErrTrailersEnd   = streamError(ProtocolError, "h2_trailers_without_end", "the second HEADERS of a message must end it")
	ErrContentLength = streamError(ProtocolError, "h2_content_length", "the DATA of a message differs from its Content-Length")
	ErrHeadLarge     = streamError(EnhanceYourCalm, "h2_head_too_large", "a head or trailer section is larger than the limit")
)

// Malformed messages (RFC 9113 section 8.1.1).
var (
	ErrField            = streamError(ProtocolError, "h2_bad_field", "a field name must be a token in lower case, a value free of controls and of white space around it")
	ErrPseudoOrder      = streamError(ProtocolError, "h2_pseudo_order", "pseudo-headers must stand before the fields")
	ErrPseudoTwice      = streamError(ProtocolError, "h2_pseudo_twice", "a pseudo-header came twice")
	ErrPseudoUnknown    = streamError(ProtocolError, "h2_pseudo_unknown", "a pseudo-header that does not exist, or not in this message")
	ErrPseudoMissing    = streamError(ProtocolError, "h2_pseudo_missing", "a pseudo-header that must not be missing is")
	ErrTrailerPseudo    = streamError(ProtocolError, "h2_trailer_pseudo", "trailers must not hold pseudo-headers")
	ErrMethod           = streamError(ProtocolError, "h2_bad_method", "the method must be a token")
	ErrScheme           = streamError(ProtocolError, "h2_bad_scheme", "the scheme must be http or https")
	ErrPath             = streamError(ProtocolError, "h2_bad_path", "the path must begin with '/', or be '*' for OPTIONS, and be visible ASCII without '#'")
	ErrPathLong         = streamError(ProtocolError, "h2_path_too_long", "the path is longer than the limit")
	ErrAuthority        = streamError(ProtocolError, "h2_bad_authority", "the authority must be a host with an optional port, without userinfo; CONNECT needs the port")
	ErrAuthorityMissing = streamError(ProtocolError, "h2_authority_missing", "neither :authority nor Host names the host")
	ErrHostConflict     = streamError(ProtocolError, "h2_host_conflict", "Host must occur once and agree with :authority")
	ErrConnectionField  = streamError(ProtocolError, "h2_connection_field", "a field about the connection has no place in HTTP/2")
	ErrTE               = streamError(ProtocolError, "h2_te", "TE may only be trailers")
	ErrLength           = streamError(ProtocolError, "h2_bad_content_length", "Content-Length must occur once, as one number of at most 18 digits")
	ErrExpect           = streamError(ProtocolError, "h2_unknown_expectation", "the only expectation understood is 100-continue")
	ErrProtocol         = streamError(ProtocolError, "h2_protocol", ":protocol is for CONNECT, and only where the setting allows it")
	ErrStatus           = streamError(ProtocolError, "h2_bad_status", "the status must have three digits from 100 to 599 and not be 101")
	ErrInterimEnd       = streamError(ProtocolError, "h2_interim_end", "an interim response must not end the stream")
)
