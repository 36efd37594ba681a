package server

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// Each attack ends with GOAWAY, under its own name in blitz_failures_total, and with all that it cost given back, which the end of gate checks. Writes
// may fail: the gateway closes in the middle of them.
func TestH2Floods(t *testing.T) {
	for _, x := range []struct {
		name, code string
		reason     http2.ErrCode
		attack     func(c *h2client)
	}{
		{"rapid reset", "h2_reset_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for id := uint32(1); id < 2000; id += 2 {
				c.quick(id, false)
				_ = c.f.WriteRSTStream(id, http2.ErrCodeCancel)
			}
		}},
		{"made you reset", "h2_reset_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for id := uint32(1); id < 2000; id += 2 {
				c.quick(id, false)
				_ = c.f.WriteWindowUpdate(id, 1<<31-1) // overflows: the gateway has to reset the stream
			}
		}},
		{"continuation", "h2_block_too_large", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block("GET", "/hello")})
			for range 1000 {
				_ = c.f.WriteContinuation(1, false, []byte{0x00, 1, 'a', 1, 'b'})
			}
		}},
		{"empty continuations", "h2_block_too_large", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: c.block("GET", "/hello")})
			for range 100 {
				_ = c.f.WriteContinuation(1, false, nil)
			}
		}},
		{"settings", "h2_control_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for range 1000 {
				_ = c.f.WriteSettings()
			}
		}},
		{"ping", "h2_control_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for range 1000 {
				_ = c.f.WritePing(false, [8]byte{1})
			}
		}},
		{"priority", "h2_control_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for range 1000 {
				_ = c.f.WritePriority(7, http2.PriorityParam{Weight: 3})
			}
		}},
		{"unknown frames", "h2_control_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for range 1000 {
				_ = c.f.WriteRawFrame(0xee, 0, 1, nil)
			}
		}},
		{"empty data", "h2_empty_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			c.headers(1, false, "POST", "/echo/x")
			for range 1000 {
				_ = c.f.WriteData(1, false, nil)
			}
		}},
		{"data by the byte", "h2_small_data_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			c.headers(1, false, "POST", "/echo/x")
			for range 40_000 {
				_ = c.f.WriteData(1, false, []byte("x"))
			}
		}},
		{"window updates", "h2_window_update_flood", http2.ErrCodeEnhanceYourCalm, func(c *h2client) {
			for range 20_000 {
				_ = c.f.WriteWindowUpdate(0, 1)
			}
		}},
		{"hpack bomb", "h2_head_too_large", http2.ErrCodeNo, func(c *h2client) {
			c.buf.Reset()
			_ = c.enc.WriteField(hpack.HeaderField{Name: "x", Value: strings.Repeat("a", 3000)})
			one := bytes.Clone(c.buf.Bytes())
			block := append(bytes.Clone(one), bytes.Repeat([]byte{0x80 | 62}, 8000)...) // 24 MB from 11 kB
			_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true, EndStream: true})
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}})
				c := g.dialH2()
				done := make(chan struct{})
				go func() { defer close(done); x.attack(c) }()
				if x.reason == http2.ErrCodeNo {
					require.Equal(t, "431", c.read(1).fields[":status"])
				} else {
					require.Equal(t, x.code, c.ended(x.reason))
				}
				<-done
				c.Close()
				require.EqualValues(t, 1, g.metric(`blitz_failures_total{code="`+x.code+`"}`))
				require.Less(t, g.metric("blitz_requests_total"), 600.)
				g.end()
				if x.reason != http2.ErrCodeNo {
					require.EqualValues(t, 1, g.counters().H2GoAways[x.reason])
				}
			})
		})
	}
}

// quick sends a request without waiting for anything, or caring whether it can be sent.
func (c *h2client) quick(id uint32, end bool) {
	_ = c.f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block("POST", "/proxied"), EndHeaders: true, EndStream: end})
}

// More streams than allowed are refused, and the others go on.
func TestH2StreamLimit(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: "http2: {max_concurrent_streams: 2}"})
		c := g.dialH2()
		c.headers(1, true, "GET", "/a")
		p := o.accept()
		p.head()
		c.headers(3, false, "POST", "/echo/x")
		c.headers(5, true, "GET", "/hello")
		r := c.read(5)
		require.True(t, r.broken)
		require.Equal(t, http2.ErrCodeRefusedStream, r.reset)
		p.send(ok("a"))
		require.Equal(t, "a", c.read(1).body)
		c.headers(7, true, "GET", "/hello")
		require.Equal(t, "hello\n", c.read(7).body)
		c.Close()
	})
}

// A client that keeps its windows shut, or opens them by the byte, loses its stream, and the endpoint is let go.
func TestH2WindowStalls(t *testing.T) {
	for _, drip := range []bool{false, true} {
		engines2(t, map[bool]string{false: "zero", true: "tiny"}[drip], func(t *testing.T, engine string) {
			o := listen(t)
			limits := "timeouts: {body_idle: 100ms}"
			if drip {
				limits = "timeouts: {body_idle: 1s, min_rate: 1MiB}"
			}
			g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: limits})
			c := g.dialH2(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
			c.headers(1, true, "GET", "/a")
			p := o.accept()
			p.head()
			p.send(ok(strings.Repeat("x", 1<<20)))
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() {
				defer close(done)
				for drip {
					select {
					case <-stop:
						return
					default:
						if c.f.WriteWindowUpdate(1, 1) != nil {
							return
						}
					}
				}
			}()
			if drip {
				_, err := c.f.ReadFrame()
				for err == nil {
					_, err = c.f.ReadFrame()
				}
			} else {
				r := c.read(1)
				require.True(t, r.broken)
				require.Equal(t, http2.ErrCodeEnhanceYourCalm, r.reset)
			}
			close(stop)
			<-done
			p.gone()
			c.Close()
			log := g.log()
			require.Len(t, log, 1)
			if drip {
				require.Contains(t, []string{"h2_stalled", "h2_window_update_flood"}, log[0].Code)
			} else {
				require.Equal(t, "DC", log[0].Flags)
			}
		})
	}
}

func engines2(t *testing.T, name string, f func(t *testing.T, engine string)) {
	t.Run(name, func(t *testing.T) { engines(t, f) })
}

// A head that does not come to its end in time, and a body that stalls.
func TestH2Timeouts(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: "timeouts: {header: 100ms, body_idle: 100ms, idle: 100ms}"})
		head := g.dialH2()
		require.NoError(t, head.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: head.block("GET", "/hello")}))
		head.ended(http2.ErrCodeNo)
		part := g.dialH2()
		part.client.send("\x00\x00\x10\x01")
		part.ended(http2.ErrCodeNo)
		idle := g.dialH2()
		idle.ended(http2.ErrCodeNo)
		silent := g.dial()
		silent.send(http2.ClientPreface)
		_, _ = silent.br.WriteTo(&bytes.Buffer{})
		body := g.dialH2()
		body.headers(1, false, "POST", "/p", "content-length", "5")
		p := o.accept()
		p.head()
		r := body.read(1)
		require.Equal(t, "408", r.fields[":status"])
		require.Contains(t, r.body, "request_body_timeout")
		p.gone()
		body.Close()
		g.end()
		require.EqualValues(t, 4, g.counters().RequestTimeouts)
	})
}
