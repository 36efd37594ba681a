// Package grpc runs the interoperability cases of grpc-go through the gateway: client → Blitz → server. It is a module of its own, so
// that the gateway's module does not depend on gRPC.
package grpc
