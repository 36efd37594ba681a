package exchange

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGRPCStatus(t *testing.T) {
	for f, want := range map[*Failure]int{
		ErrNoRoute: 12, ErrNoEndpoint: 14, ErrOverflow: 14, ErrConnect: 14, ErrFirstByteTimeout: 4, ErrIdleTimeout: 4, ErrDeadline: 4,
		ErrUpgradeNotAllowed: 7, ErrBodyTooLarge: 8, ErrMethodNotAllowed: 2, {Status: 400}: 13, {Status: 401}: 16, {Status: 429}: 14, {Status: 408}: 4,
	} {
		require.Equal(t, want, f.GRPCStatus(), f.Code)
	}
	f := &Failure{Code: "code", Detail: "100 % \u00fc\n"}
	require.Equal(t, "code: 100 %25 %C3%BC%0A", string(f.AppendGRPCMessage(nil)))
}

func TestIsGRPC(t *testing.T) {
	for text, want := range map[string]bool{
		"application/grpc": true, "application/grpc+proto": true, "Application/gRPC;charset=x": true, "application/grpc-web": false,
		"application/grp": false, "": false, "text/plain": false,
	} {
		require.Equal(t, want, IsGRPC([]byte(text)), text)
	}
}
