package upstream

import "github.com/blitz-gateway/blitz/internal/wire"

var grpcStatus = []byte("grpc-status")

// grpcCode is the status of a gRPC call in a head or in trailers (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md); false when there is none. What is
// no number counts as 2, UNKNOWN, as clients take it.
func grpcCode(fields []wire.Field) (code int, given bool) {
	for i := range fields {
		f := &fields[i]
		if f.ID != wire.FieldOther || !wire.EqualFold(f.Name, grpcStatus) {
			continue
		}
		if len(f.Value) == 0 || len(f.Value) > 2 {
			return grpcUnknown, true
		}
		for _, c := range f.Value {
			if c < '0' || c > '9' {
				return grpcUnknown, true
			}
			code = code*10 + int(c-'0')
		}
		return code, true
	}
	return 0, false
}

// Statuses of gRPC that say something of the server (https://grpc.io/docs/guides/status-codes/).
const (
	grpcUnknown          = 2
	grpcDeadlineExceeded = 4
	grpcInternal         = 13
	grpcUnavailable      = 14
	grpcDataLoss         = 15
)

// grpcAsHTTP is the HTTP status that says the same of the server as a status of gRPC. The others concern the call: 200.
func grpcAsHTTP(code int) int {
	switch code {
	case grpcUnknown, grpcInternal, grpcDataLoss:
		return 500
	case grpcUnavailable:
		return 503
	case grpcDeadlineExceeded:
		return 504
	}
	return 200
}
