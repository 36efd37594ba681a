package server

import (
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire/h2"
	"github.com/blitz-gateway/blitz/internal/wire/h2/hpack"
)

// rawH2 is an HTTP/2 server by hand: it does what a test tells it, right or wrong.
type rawH2 struct{ *peer }

type frame struct {
	h2.FrameHeader
	payload []byte
}

// acceptH2 takes the gateway's next connection and answers its preface with settings.
func (o *origin) acceptH2(settings ...h2.Setting) rawH2 {
	o.t.Helper()
	p := rawH2{o.accept()}
	b := make([]byte, len(h2.Preface))
	_, err := io.ReadFull(p.br, b)
	require.NoError(o.t, err)
	require.Equal(o.t, h2.Preface, string(b))
	p.write(h2.AppendSettings(nil, settings...))
	return p
}

func (p rawH2) write(b []byte) {
	p.t.Helper()
	_, err := p.Write(b)
	require.NoError(p.t, err)
}

func (p rawH2) frame() frame {
	p.t.Helper()
	b := make([]byte, h2.HeaderBytes)
	_, err := io.ReadFull(p.br, b)
	require.NoError(p.t, err)
	f := frame{FrameHeader: h2.ParseHeader(b)}
	f.payload = make([]byte, f.Length)
	_, err = io.ReadFull(p.br, f.payload)
	require.NoError(p.t, err)
	return f
}

// next returns the next frame of a type, and acknowledges settings on the way.
func (p rawH2) next(t h2.FrameType) frame {
	p.t.Helper()
	for {
		f := p.frame()
		if f.Type == h2.FrameSettings && !f.Has(h2.FlagAck) {
			p.write(h2.AppendSettingsAck(nil))
		}
		if f.Type == t {
			return f
		}
	}
}

// request waits for the next request head and returns its stream.
func (p rawH2) stream() uint32 { p.t.Helper(); return p.next(h2.FrameHeaders).Stream }

func block(status int, fields ...string) []byte {
	b := hpack.AppendStatelessStatus(nil, status)
	for i := 0; i < len(fields); i += 2 {
		b = hpack.AppendStateless(b, []byte(fields[i]), []byte(fields[i+1]))
	}
	return b
}

func headers(id uint32, end bool, block []byte) []byte {
	f := h2.FlagEndHeaders
	if end {
		f |= h2.FlagEndStream
	}
	return h2.AppendFrame(nil, h2.FrameHeaders, f, id, block)
}

func data(id uint32, end bool, text string) []byte {
	var f h2.Flags
	if end {
		f = h2.FlagEndStream
	}
	return h2.AppendFrame(nil, h2.FrameData, f, id, []byte(text))
}

func join(parts ...[]byte) (b []byte) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// What a misbehaving endpoint sends never reaches the client as a success, and costs other requests on its connection only what
// the protocol says.
func TestH2UpstreamMisbehaves(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		for _, x := range []struct {
			name   string
			answer func(id uint32) []byte
			code   string // of the failure; "truncated": after the head was passed on
			conn   bool   // the whole connection ends
		}{
			{"data before headers", func(id uint32) []byte { return data(id, true, "hello") }, "upstream_protocol_error", false},
			{"no status", func(id uint32) []byte {
				return headers(id, true, hpack.AppendStateless(nil, []byte("x"), []byte("y")))
			}, "upstream_protocol_error", false},
			{"status 101", func(id uint32) []byte { return headers(id, true, block(101)) }, "upstream_protocol_error", false},
			{"status 42", func(id uint32) []byte {
				return headers(id, true, hpack.AppendStateless(nil, []byte(":status"), []byte("42")))
			}, "upstream_protocol_error", false},
			{"two status", func(id uint32) []byte {
				return headers(id, true, append(block(200), block(200)...))
			}, "upstream_protocol_error", false},
			{"pseudo-header of a request", func(id uint32) []byte {
				return headers(id, true, hpack.AppendStateless(block(200), []byte(":path"), []byte("/")))
			}, "upstream_protocol_error", false},
			{"connection field", func(id uint32) []byte { return headers(id, true, block(200, "connection", "close")) }, "upstream_protocol_error", false},
			{"transfer-encoding", func(id uint32) []byte {
				return headers(id, true, block(200, "transfer-encoding", "chunked"))
			}, "upstream_protocol_error", false},
			{"line break in a value", func(id uint32) []byte {
				return headers(id, true, block(200, "x", "a\r\nset-cookie: stolen=1"))
			}, "upstream_protocol_error", false},
			{"two lengths", func(id uint32) []byte {
				return headers(id, false, block(200, "content-length", "5", "content-length", "6"))
			}, "upstream_protocol_error", false},
			{"length without body", func(id uint32) []byte {
				return headers(id, true, block(200, "content-length", "5"))
			}, "upstream_protocol_error", false},
			{"body larger than its length", func(id uint32) []byte {
				return join(headers(id, false, block(200, "content-length", "2")), data(id, true, "hello"))
			}, "truncated", false},
			{"body smaller than its length", func(id uint32) []byte {
				return join(headers(id, false, block(200, "content-length", "9")), data(id, true, "hello"))
			}, "truncated", false},
			{"pseudo-header in trailers", func(id uint32) []byte {
				return join(headers(id, false, block(200)), data(id, false, "hello"), headers(id, true, block(200)))
			}, "truncated", false},
			{"reset", func(id uint32) []byte { return h2.AppendRSTStream(nil, id, h2.InternalError) }, "upstream_stream_reset", false},
			{"reset after the head", func(id uint32) []byte {
				return join(headers(id, false, block(200)), data(id, false, "he"), h2.AppendRSTStream(nil, id, h2.Cancel))
			}, "truncated", false},
			{"refused", func(id uint32) []byte { return h2.AppendRSTStream(nil, id, h2.RefusedStream) }, "", false},
			{"interim that ends", func(id uint32) []byte { return headers(id, true, block(103)) }, "upstream_protocol_error", false},
			{"endless interim", func(id uint32) []byte {
				var b []byte
				for range 40 {
					b = append(b, headers(id, false, block(103))...)
				}
				return b
			}, "upstream_protocol_error", false},
			{"window of zero", func(id uint32) []byte { return h2.AppendFrame(nil, h2.FrameWindowUpdate, 0, id, make([]byte, 4)) }, "upstream_protocol_error", false},
			{"bad HPACK", func(id uint32) []byte { return headers(id, true, []byte{0xff, 0xff, 0xff, 0xff, 0xff}) }, "upstream_connection_fault", true},
			{"headers on an unknown stream", func(id uint32) []byte { return headers(id+100, true, block(200)) }, "upstream_connection_fault", true},
			{"push", func(id uint32) []byte {
				return h2.AppendFrame(nil, h2.FramePushPromise, h2.FlagEndHeaders, id, append([]byte{0, 0, 0, 2}, block(200)...))
			}, "upstream_connection_fault", true},
			{"frame too large", func(id uint32) []byte { return h2.AppendFrame(nil, h2.FrameData, 0, id, make([]byte, 20<<10)) }, "upstream_connection_fault", true},
			{"interrupted head", func(id uint32) []byte {
				return join(h2.AppendFrame(nil, h2.FrameHeaders, 0, id, block(200)), h2.AppendPing(nil, 0, 1))
			}, "upstream_connection_fault", true},
			{"window overflow", func(uint32) []byte {
				return h2.AppendFrame(nil, h2.FrameWindowUpdate, 0, 0, binary.BigEndian.AppendUint32(nil, 1<<31-1))
			}, "upstream_connection_fault", true},
			{"goaway without a look", func(uint32) []byte { return h2.AppendGoAway(nil, 0, h2.NoError, "") }, "", false},
			{"cut off", nil, "upstream_reset", true},
		} {
			t.Run(x.name, func(t *testing.T) {
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, retries: 0, retry: {backoff: 0s}"})
				bystander, c := g.dial(), g.dial()
				bystander.send(request("POST", "/bystander", "x")) // not to be repeated
				p := o.acceptH2(h2.Setting{ID: h2.SettingInitialWindowSize, Value: 1 << 16})
				other := p.stream()
				c.send(get("/victim"))
				id := p.stream()
				if x.answer == nil {
					p.reset()
				} else {
					p.write(x.answer(id))
				}
				switch x.code {
				case "":
					// Safe to send again, and sent again, there or elsewhere: a POST too.
					if x.name != "refused" {
						p = o.acceptH2()
						other = p.stream()
					}
					id = p.stream()
					p.write(join(headers(id, false, block(200)), data(id, true, "again")))
					require.Equal(t, "again", c.response("GET").Text)
				case "truncated":
					c.broken("GET")
				default:
					r := c.response("GET")
					for r.StatusCode < 200 {
						r = c.response("GET")
					}
					require.Equal(t, 502, r.StatusCode)
					require.Contains(t, r.Text, ": "+x.code+":")
				}
				if x.conn {
					require.Equal(t, 502, bystander.response("POST").StatusCode)
				} else {
					p.write(join(headers(other, false, block(200)), data(other, true, "fine")))
					require.Equal(t, "fine", bystander.response("POST").Text)
				}
				bystander.Close()
				c.Close()
				g.end()
				require.Zero(t, g.counters().UpstreamStreamsActive)
			})
		}
	})
}

// An endpoint that allows little at a time gets little at a time, whenever it changes its mind.
func TestH2UpstreamTinyWindows(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2"})
		c := g.dial()
		c.send(request("POST", "/", "0123456789"))
		p := o.acceptH2(h2.Setting{ID: h2.SettingInitialWindowSize, Value: 1})
		id := p.stream()
		got := ""
		take := func(n int) {
			f := p.next(h2.FrameData)
			require.Len(t, f.payload, n)
			got += string(f.payload)
			require.Equal(t, len(got) == 10, f.Has(h2.FlagEndStream))
		}
		take(1)
		for range 3 {
			p.write(h2.AppendWindowUpdate(nil, id, 1))
			take(1)
		}
		p.write(h2.AppendSettings(nil, h2.Setting{ID: h2.SettingInitialWindowSize, Value: 3}))
		take(2)
		p.write(h2.AppendSettings(nil, h2.Setting{ID: h2.SettingInitialWindowSize, Value: 0}))
		p.next(h2.FrameSettings)
		p.write(h2.AppendWindowUpdate(nil, id, 5))
		take(2)
		p.write(h2.AppendWindowUpdate(nil, id, 1<<20))
		take(2)
		require.Equal(t, "0123456789", got)
		p.write(headers(id, true, block(204)))
		require.Equal(t, 204, c.response("POST").StatusCode)
		c.Close()
	})
}

// A client that does not read holds back its own stream, and no other.
func TestH2UpstreamSlowClient(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, http2: {stream_window: 64KiB}"})
		slow, quick := g.dial(), g.dial()
		slow.send(get("/slow"))
		p := o.acceptH2()
		id := p.stream()
		p.write(headers(id, false, block(200)))
		// It may send as long as it has credit: that ends, since nobody reads. The kernel's buffers take some of it first.
		credit, sent := 1<<16-1, 0
		piece := make([]byte, 8<<10)
		credits := make(chan int)
		go func() {
			defer close(credits)
			for {
				b := make([]byte, h2.HeaderBytes)
				if _, err := io.ReadFull(p.br, b); err != nil {
					return
				}
				f := h2.ParseHeader(b)
				payload := make([]byte, f.Length)
				if _, err := io.ReadFull(p.br, payload); err != nil {
					return
				}
				switch {
				case f.Type == h2.FrameWindowUpdate && f.Stream == id:
					credits <- int(binary.BigEndian.Uint32(payload))
				case f.Type == h2.FrameHeaders:
					credits <- -int(f.Stream)
				}
			}
		}()
		for stalled := false; !stalled; {
			for credit >= len(piece) {
				p.write(h2.AppendFrame(nil, h2.FrameData, 0, id, piece))
				credit -= len(piece)
				sent += len(piece)
			}
			select {
			case n := <-credits:
				credit += n
			case <-time.After(300 * time.Millisecond): // no credit: the gateway holds back
				stalled = true
			}
			require.Less(t, sent, 64<<20, "the gateway takes everything")
		}
		for range 10 {
			quick.send(get("/quick"))
			other := uint32(-<-credits)
			p.write(join(headers(other, false, block(200)), data(other, true, "quick")))
			require.Equal(t, "quick", quick.response("GET").Text)
		}
		// The client reads again, so the endpoint gets credit again.
		done := make(chan int64)
		go func() {
			n, _ := io.Copy(io.Discard, slow.br)
			done <- n
		}()
		require.Positive(t, <-credits)
		p.write(data(id, true, "end"))
		go func() {
			for range credits {
			}
		}()
		require.NoError(t, slow.CloseWrite())
		require.Greater(t, <-done, int64(sent))
		slow.Close()
		quick.Close()
	})
}

// A connection that is old, or has served enough, is replaced; a quiet one is asked whether it is alive.
func TestH2UpstreamConnectionsEnd(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		t.Run("max_requests", func(t *testing.T) {
			o := serveH2(t, says2)
			g := gate(t, engine, setup{endpoints: []string{o}, cluster: "protocol: h2, http2: {max_requests: 2}"})
			c := g.dial()
			var from []string
			for range 5 {
				from = append(from, c.ask(get("/")).Text)
			}
			require.Equal(t, from[0], from[1])
			require.Equal(t, from[2], from[3])
			require.NotEqual(t, from[1], from[2])
			require.NotEqual(t, from[3], from[4])
			c.Close()
		})
		t.Run("ping", func(t *testing.T) {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, retries: 0, http2: {ping_interval: 1s, ping_timeout: 1s}"})
			c := g.dial()
			c.send(request("POST", "/", "x"))
			p := o.acceptH2()
			f := p.next(h2.FramePing)
			p.write(h2.AppendPing(nil, h2.FlagAck, binary.BigEndian.Uint64(f.payload)))
			p.next(h2.FramePing) // this one stays without an answer
			require.Equal(t, 502, c.response("POST").StatusCode)
			p.gone()
			c.Close()
			g.end()
			require.EqualValues(t, 1, g.counters().UpstreamPingTimeouts)
		})
		t.Run("idle", func(t *testing.T) {
			o := listen(t)
			g := gate(t, engine, setup{endpoints: []string{o.addr}, cluster: "protocol: h2, timeouts: {keepalive: 1s}"})
			c := g.dial()
			c.send(get("/"))
			p := o.acceptH2()
			p.write(headers(p.stream(), true, block(200)))
			require.EqualValues(t, 0, c.response("GET").ContentLength)
			p.next(h2.FrameGoAway)
			p.gone()
			c.Close()
		})
	})
}
