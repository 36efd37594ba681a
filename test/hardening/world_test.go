package hardening

import (
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/server"
	"github.com/blitz-gateway/blitz/proxy/snapshot"
	"github.com/stretchr/testify/require"
)

// patience is how long anything may take that should take milliseconds. It only ends tests that have failed.
const patience = 10 * time.Second

// pairing says which sides of the gateway speak HTTP/2.
type pairing struct{ down, up bool }

// extendedConnect makes Go's server of HTTP/2 accept extended CONNECT. It is read when a process begins.
const extendedConnect = "http2xconnect=1"

func TestMain(m *testing.M) {
	if v := os.Getenv("GODEBUG"); !strings.Contains(v, extendedConnect) {
		self, err := os.Executable()
		if err == nil {
			err = syscall.Exec(self, os.Args, append(os.Environ(), "GODEBUG="+strings.TrimPrefix(v+","+extendedConnect, ",")))
		}
		slog.Error("the test cannot run itself again", "error", err)
		os.Exit(1)
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// engines runs f once for each engine that works here. io_uring may be forbidden (by a container's seccomp profile, say); epoll always works.
func engines(t *testing.T, f func(t *testing.T, engine string)) {
	if runtime.GOOS != "linux" {
		t.Skip("the engines are Linux's")
	}
	for _, engine := range []string{"uring", "epoll"} {
		t.Run(engine, func(t *testing.T) {
			l, err := loop.New(loop.Options{Engine: engine})
			if err != nil && engine == "uring" {
				t.Skip("io_uring does not work here: ", err)
			}
			require.NoError(t, err)
			l.Stop()
			require.NoError(t, l.Run())
			f(t, engine)
		})
	}
}

// gateway is a server in this process.
type gateway struct {
	*server.Server
}

// addr is the address of the i-th listener.
func (g gateway) addr(i int) string { return g.Addrs()[i].TCP.String() }

// start runs a gateway with one worker until the test ends. In the configuration, UPSTREAM stands for the upstream's address.
func start(t *testing.T, engine, conf, upstream string) gateway {
	t.Helper()
	conf = "workers: {count: 1, engine: " + engine + "}\n" + strings.ReplaceAll(conf, "UPSTREAM", upstream)
	c, err := config.Parse("test.yaml", []byte(conf))
	require.NoError(t, err)
	snap, err := snapshot.Build(c, 1)
	require.NoError(t, err)
	s, err := server.Start(snap, "test")
	require.NoError(t, err)
	t.Cleanup(func() {
		s.Stop()
		require.NoError(t, s.Err())
	})
	require.Equal(t, engine, s.Info().Engine)
	return gateway{s}
}
