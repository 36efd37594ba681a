package grpc

import "testing"

func pairings(*testing.T) []pairing { return []pairing{plain()} }
