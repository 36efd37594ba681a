package client

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// grpcPrefix is what stands before a message of gRPC: a flag and its length.
const grpcPrefix = 5

// grpcAnswer is what of the answer to a unary call must be right.
type grpcAnswer struct {
	prefix [grpcPrefix]byte
	// status is grpc-status plus 1; 0: there was none.
	status int
}

// data sees a piece of the body that begins at this offset.
func (g *grpcAnswer) data(p []byte, offset int64) {
	if offset < grpcPrefix {
		copy(g.prefix[offset:], p)
	}
}

// trailers looks for grpc-status.
func (g *grpcAnswer) trailers(fields []wire.Field) {
	for i := range fields {
		if string(fields[i].Name) != "grpc-status" {
			continue
		}
		v := 0
		for _, c := range fields[i].Value {
			if c < '0' || c > '9' || v > 99 {
				v = 998
				break
			}
			v = v*10 + int(c-'0')
		}
		g.status = v + 1
	}
}

// check tells what is wrong with an answer whose body has this size.
func (g *grpcAnswer) check(body int64) error {
	switch {
	case g.status == 0:
		return errors.New("the answer has no grpc-status")
	case g.status != 1:
		return fmt.Errorf("grpc-status is %d", g.status-1)
	case body < grpcPrefix || int64(binary.BigEndian.Uint32(g.prefix[1:])) != body-grpcPrefix:
		return fmt.Errorf("the answer of %d bytes is not one message", body)
	}
	return nil
}
