package exchange

import "github.com/blitz-gateway/blitz/internal/wire"

// gRPC status codes that the gateway itself gives (https://grpc.io/docs/guides/status-codes/).
const (
	grpcUnknown           = 2
	grpcDeadlineExceeded  = 4
	grpcPermissionDenied  = 7
	grpcResourceExhausted = 8
	grpcUnimplemented     = 12
	grpcInternal          = 13
	grpcUnavailable       = 14
	grpcUnauthenticated   = 16
)

// GRPCStatus is the status of a gRPC call that ended with f: what a client would make of the HTTP status
// (https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md), but told apart where we know more, as for time limits.
func (f *Failure) GRPCStatus() int {
	switch f.Status {
	case 400:
		return grpcInternal
	case 401:
		return grpcUnauthenticated
	case 403:
		return grpcPermissionDenied
	case 404:
		return grpcUnimplemented
	case 408, 504:
		return grpcDeadlineExceeded
	case 413:
		return grpcResourceExhausted
	case 429, 502, 503:
		return grpcUnavailable
	}
	return grpcUnknown
}

// AppendGRPCMessage appends the text of f as the value of grpc-message: percent-encoded outside of visible ASCII and the space
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
func (f *Failure) AppendGRPCMessage(dst []byte) []byte {
	for _, part := range [...]string{f.Code, ": ", f.Detail} {
		for i := range len(part) {
			if c := part[i]; c >= ' ' && c <= '~' && c != '%' {
				dst = append(dst, c)
			} else {
				const hex = "0123456789ABCDEF"
				dst = append(dst, '%', hex[c>>4], hex[c&15])
			}
		}
	}
	return dst
}

var grpcType = []byte("application/grpc")

// IsGRPC tells whether a content type is that of a gRPC call: application/grpc, with a suffix (+proto) or a parameter.
// application/grpc-web is another protocol.
func IsGRPC(contentType []byte) bool {
	n := len(grpcType)
	return len(contentType) >= n && wire.EqualFold(contentType[:n], grpcType) && (len(contentType) == n || contentType[n] == '+' || contentType[n] == ';')
}
