package grpc

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/interop"
	testgrpc "google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
)

// patience is how long a case may take. None takes that long when all is well.
const patience = 30 * time.Second

// cases are those of https://github.com/grpc/grpc/blob/master/doc/interop-test-descriptions.md that need no cloud.
var cases = []struct {
	name string
	run  func(context.Context, testgrpc.TestServiceClient, ...grpc.CallOption)
}{
	{"empty_unary", interop.DoEmptyUnaryCall},
	{"large_unary", interop.DoLargeUnaryCall},
	{"client_streaming", interop.DoClientStreaming},
	{"server_streaming", interop.DoServerStreaming},
	{"ping_pong", interop.DoPingPong},
	{"empty_stream", interop.DoEmptyStream},
	{"timeout_on_sleeping_server", interop.DoTimeoutOnSleepingServer},
	{"cancel_after_begin", interop.DoCancelAfterBegin},
	{"cancel_after_first_response", interop.DoCancelAfterFirstResponse},
	{"status_code_and_message", interop.DoStatusCodeAndMessage},
	{"special_status_message", interop.DoSpecialStatusMessage},
	{"custom_metadata", interop.DoCustomMetadata},
	{"unimplemented_method", func(ctx context.Context, _ testgrpc.TestServiceClient, _ ...grpc.CallOption) {
		interop.DoUnimplementedMethod(ctx, ctx.Value(connKey{}).(*grpc.ClientConn))
	}},
	{"unimplemented_service", func(ctx context.Context, _ testgrpc.TestServiceClient, _ ...grpc.CallOption) {
		interop.DoUnimplementedService(ctx, testgrpc.NewUnimplementedServiceClient(ctx.Value(connKey{}).(*grpc.ClientConn)))
	}},
}

type connKey struct{}

// origin starts grpc-go's interoperability server.
func origin(t *testing.T, o ...grpc.ServerOption) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(o...)
	testgrpc.RegisterTestServiceServer(s, interop.NewTestServer())
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Stop(); <-done })
	return ln.Addr().String()
}

// gateway starts Blitz from a configuration and returns its address.
func gateway(t *testing.T, yaml string) string {
	t.Helper()
	c, err := config.Parse("test.yaml", []byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	snap, err := snapshot.Build(c, 1)
	if err != nil {
		t.Fatal(err)
	}
	s, err := server.Start(snap, "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		s.Drain(ctx)
	})
	return s.Addrs()[0].TCP.String()
}

func dial(t *testing.T, addr string, o grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	c, err := grpc.NewClient("passthrough:///"+addr, o, grpc.WithAuthority("grpc.test"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// pairing is one way of encrypting the two sides.
type pairing struct {
	name              string
	listener, cluster string // further keys of the configuration
	client            grpc.DialOption
	server            []grpc.ServerOption
}

func (p pairing) start(t *testing.T, engine string) string {
	t.Helper()
	up := origin(t, p.server...)
	log := filepath.Join(t.TempDir(), "access.log")
	t.Cleanup(func() {
		if b, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Log(string(b))
		}
	})
	return gateway(t, fmt.Sprintf("workers: {count: 1, engine: %s}\naccess_log: {path: %q}\nlisteners:\n  - {name: edge, address: 127.0.0.1:0%s}\n"+
		"clusters:\n  - {name: up, endpoints: [{address: %q}], protocol: h2%s}\n"+
		"  - {name: down, endpoints: [{address: %q}], protocol: h2}\nroutes:\n"+
		"  - {match: {path: /grpc.testing.TestService/*}, cluster: up}\n  - {match: {path: /grpc.testing.UnimplementedService/*}, cluster: up}\n"+
		"  - {match: {path: /down.Service/*}, cluster: down}\n", engine, log, p.listener, up, p.cluster, closed(t)))
}

// closed is an address where nobody listens.
func closed(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestInterop(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		for _, p := range pairings(t) {
			t.Run(engine+"/"+p.name, func(t *testing.T) {
				conn := dial(t, p.start(t, engine), p.client)
				client := testgrpc.NewTestServiceClient(conn)
				for _, c := range cases {
					t.Run(c.name, func(t *testing.T) {
						ctx, cancel := context.WithTimeout(context.WithValue(context.Background(), connKey{}, conn), patience)
						defer cancel()
						c.run(ctx, client)
					})
				}
				t.Run("local replies", func(t *testing.T) { localReplies(t, conn) })
			})
		}
	}
}

// localReplies: what the gateway answers itself is a gRPC status too.
func localReplies(t *testing.T, conn *grpc.ClientConn) {
	for method, want := range map[string]codes.Code{"/nowhere.Service/Call": codes.Unimplemented, "/down.Service/Call": codes.Unavailable} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		var trailer metadata.MD
		err := conn.Invoke(ctx, method, &testgrpc.Empty{}, &testgrpc.Empty{}, grpc.Trailer(&trailer))
		cancel()
		if status.Code(err) != want {
			t.Errorf("%s: %v, want %v", method, err, want)
		}
		if ct := trailer.Get("content-type"); len(ct) != 1 || ct[0] != "application/grpc" {
			t.Errorf("%s: not an answer in gRPC: %v", method, trailer)
		}
	}
}

// The gateway itself ends a call whose time is over, whatever the client and the server do.
func TestDeadlineIsEnforced(t *testing.T) {
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			plain := pairings(t)[0]
			conn := dial(t, plain.start(t, engine), plain.client)
			// The timeout travels as metadata here, so that the client itself has none.
			ctx := metadata.AppendToOutgoingContext(context.Background(), "grpc-timeout", "50m")
			s, err := testgrpc.NewTestServiceClient(conn).FullDuplexCall(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err = s.Recv(); status.Code(err) != codes.DeadlineExceeded {
				t.Errorf("%v", err)
			}
		})
	}
}
