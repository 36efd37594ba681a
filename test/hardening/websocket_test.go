package hardening

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// webSocketMessages is for each of the four ways through the gateway.
	webSocketMessages = 10_000
	webSocketLimit    = 1 << 20
	// webSocketAhead is how many messages are under way at once.
	webSocketAhead = 64
)

// echoWebSocket sends every message back, in fragments as it likes.
func echoWebSocket(seed uint64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return // the client sees it
		}
		defer c.CloseNow()
		c.SetReadLimit(webSocketLimit)
		rnd := rand.New(rand.NewPCG(seed, 2))
		for {
			typ, p, err := c.Read(r.Context())
			if err != nil {
				return
			}
			if sendInFragments(r.Context(), c, rnd, typ, p) != nil {
				return
			}
		}
	}
}

// sendInFragments writes one message in 1 to 5 frames.
func sendInFragments(ctx context.Context, c *websocket.Conn, rnd *rand.Rand, typ websocket.MessageType, p []byte) error {
	w, err := c.Writer(ctx, typ)
	if err != nil {
		return err
	}
	for range rnd.IntN(5) {
		n := rnd.IntN(len(p) + 1)
		if _, err := w.Write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	if _, err := w.Write(p); err != nil {
		return err
	}
	return w.Close()
}

// messages makes the same sequence of messages for the one who sends and the one who compares.
func messages(seed uint64) func() (websocket.MessageType, []byte) {
	const largest = 200 << 10
	rnd := rand.New(rand.NewPCG(seed, 1))
	noise := make([]byte, 2*largest)
	for i := range noise {
		noise[i] = 'a' + byte(rnd.UintN(26))
	}
	return func() (websocket.MessageType, []byte) {
		n := rnd.IntN(1000)
		switch rnd.IntN(200) {
		case 0:
			n = rnd.IntN(largest)
		case 1:
			n = 0
		}
		i := rnd.IntN(largest)
		p := noise[i : i+n]
		if rnd.IntN(2) == 0 {
			return websocket.MessageText, p
		}
		return websocket.MessageBinary, p
	}
}

// A conversation of thousands of messages of random sizes in random fragments, in both directions at once, through every pairing of the Upgrade of
// HTTP/1.1 and the extended CONNECT of HTTP/2.
func TestWebSocketEcho(t *testing.T) {
	for _, h2 := range []pairing{{}, {up: true}, {down: true}, {down: true, up: true}} {
		name := map[bool]string{false: "h1", true: "h2"}
		t.Run(name[h2.down]+" to "+name[h2.up], func(t *testing.T) { webSocketEcho(t, h2) })
	}
}

func webSocketEcho(t *testing.T, h2 pairing) {
	engines(t, func(t *testing.T, engine string) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		up := httptest.NewServer(echoWebSocket(seed))
		defer up.Close()
		addr, conf := strings.TrimPrefix(up.URL, "http://"), responseConfig
		if h2.up {
			addr, conf = bridgeFromH2(t, addr), strings.Replace(conf, "name: app\n", "name: app\n    protocol: h2\n", 1)
		}
		g := start(t, engine, conf, addr)
		front := g.addr(0)
		if h2.down {
			front = bridgeToH2(t, front)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, _, err := websocket.Dial(ctx, "ws://"+front+"/tunnel/ws", nil)
		require.NoError(t, err)
		defer c.CloseNow()
		c.SetReadLimit(webSocketLimit)
		ahead := make(chan struct{}, webSocketAhead)
		var sender sync.WaitGroup
		sender.Go(func() {
			next, rnd := messages(seed), rand.New(rand.NewPCG(seed, 3))
			for range webSocketMessages {
				select {
				case ahead <- struct{}{}:
				case <-ctx.Done():
					return
				}
				typ, p := next()
				if !assert.NoError(t, sendInFragments(ctx, c, rnd, typ, p)) {
					cancel()
					return
				}
			}
		})
		next := messages(seed)
		for i := range webSocketMessages {
			typ, want := next()
			gotType, got, err := c.Read(ctx)
			require.NoError(t, err, "message %d", i)
			require.Equal(t, typ, gotType, "message %d", i)
			require.True(t, bytes.Equal(want, got), "message %d of %d bytes came back as %d other bytes", i, len(want), len(got))
			<-ahead
		}
		sender.Wait()
		require.NoError(t, c.Close(websocket.StatusNormalClosure, "done"))
	})
}

// Where no route allows it there is no tunnel, and what the client sends behind its request is not taken for one.
func TestWebSocketIsRefused(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, engine string) {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") != "" || r.Header.Get("Connection") != "" {
				t.Error("the upstream was asked for an upgrade")
			}
			io.WriteString(w, "no tunnel")
		}))
		defer up.Close()
		g := start(t, engine, responseConfig, strings.TrimPrefix(up.URL, "http://"))
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_, r, err := websocket.Dial(ctx, "ws://"+g.addr(0)+"/plain", nil)
		require.Error(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode)
	})
}
