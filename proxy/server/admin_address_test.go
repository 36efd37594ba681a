package server

import (
	"bytes"
	"io"
	"log"
	"log/slog"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAdminListenerBeyondLoopbackIsWarnedOf(t *testing.T) {
	before, flags := slog.Default(), log.Flags()
	t.Cleanup(func() { // SetDefault has changed package log, and does not change it back
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	})
	for address, warned := range map[string]bool{"127.0.0.1:0": false, "'[::1]:0'": false, "unix:" + t.TempDir() + "/admin": false, "0.0.0.0:0": true} {
		var text bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&text, nil)))
		gate(t, "epoll", setup{top: "admin: {address: " + address + "}\n"}).end()
		slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
		require.Equal(t, warned, bytes.Contains(text.Bytes(), []byte("not on a loopback address")), address)
	}
}
