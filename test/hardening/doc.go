// Package hardening attacks the gateway from outside: malformed and ambiguous requests and responses over raw sockets, the same bytes given
// to net/http and nginx, faults under load with every answer checked, and churn that must leave nothing behind. It holds tests only, and imports the
// gateway as cmd/blitz does: configuration, snapshot, server.
//
//	world_test.go        a gateway in this process, on each engine
//	origin_test.go       an upstream that records every byte and reads requests more strictly than any real one
//	client_test.go       a raw client that reads responses strictly
//	requests*_test.go    what clients may send, and what the upstream may see of it
//	responses*_test.go   what upstreams may answer, and what the client may see of it
//	early_test.go        uploads that nobody reads
//	tagged_test.go       no answer is ever crossed or lost, under faults
//	faults_test.go       the same for a whole worker on the scripted kernel
//	h2_faults_test.go    and with HTTP/2 on either side, or on both
//	churn_test.go        nothing leaks
//	h2_churn_test.go     the same with HTTP/2, with and without TLS
//	websocket_test.go    a long conversation through a tunnel, in every pairing of versions
//	bridge_test.go       WebSocket over HTTP/2 by Go's client and server
//	differential_test.go the same bytes to net/http and nginx; differences_test.go says which differences are meant
//
// Longer runs: BLITZ_TAGGED=1000000 (requests on each engine), BLITZ_CHURN=60s (both engines together; half as long for HTTP/2), BLITZ_SEED=n (other mutations).
package hardening
