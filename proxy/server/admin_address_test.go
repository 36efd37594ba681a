package server

import (
	"bytes"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// logText is what the process has logged.
type logText struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// listenToLog takes the log of the process until the test is over.
func listenToLog(t *testing.T) *logText {
	t.Helper()
	before, flags := slog.Default(), log.Flags()
	t.Cleanup(func() { // SetDefault has changed package log, and does not change it back
		slog.SetDefault(before)
		log.SetOutput(os.Stderr)
		log.SetFlags(flags)
	})
	l := new(logText)
	slog.SetDefault(slog.New(slog.NewTextHandler(l, nil)))
	return l
}

func TestAdminListenerBeyondLoopbackIsWarnedOf(t *testing.T) {
	for address, warned := range map[string]bool{"127.0.0.1:0": false, "'[::1]:0'": false, "unix:" + t.TempDir() + "/admin": false, "0.0.0.0:0": true} {
		t.Run(address, func(t *testing.T) {
			l := listenToLog(t)
			gate(t, "epoll", setup{top: "admin: {address: " + address + "}\n"}).end()
			require.Equal(t, warned, strings.Contains(l.String(), "not on a loopback address"))
		})
	}
}

// Whoever mends a list of endpoints is told of the next mistake as well, and of each once.
func TestEveryMistakeInAListOfEndpointsIsLogged(t *testing.T) {
	l := listenToLog(t)
	file := filepath.Join(t.TempDir(), "endpoints.yaml")
	write := func(text string) {
		require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	write("endpoints: [{address: 127.0.0.1:9}]")
	gate(t, "epoll", setup{top: fmt.Sprintf("clusters:\n  - {name: up, discovery: {file: %q, min_interval: 100ms}}\n", file), routes: "  - {match: {path: /*}, cluster: up}\n"})
	for _, mistake := range []string{"adress", "wieght"} {
		write("endpoints: [{address: 127.0.0.1:9, " + mistake + ": 1}]")
		eventually(t, mistake+" is found", func() bool { return strings.Contains(l.String(), mistake) })
	}
	require.Equal(t, 1, strings.Count(l.String(), "adress"))
}
