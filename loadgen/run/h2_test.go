package run

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"

	"github.com/blitz-gateway/blitz/internal/runfmt"
	"github.com/blitz-gateway/blitz/internal/wire/tlsrec/tlsconf"
	"github.com/blitz-gateway/blitz/loadgen/workload"
)

// newH2Server is Go's server for HTTP/2, with prior knowledge or over TLS.
func newH2Server(t *testing.T, secure bool, h http.HandlerFunc) *httpServer {
	t.Helper()
	s := &httpServer{}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if r.ProtoMajor != 2 && !strings.HasPrefix(r.URL.Path, "/h1") {
			w.WriteHeader(http.StatusHTTPVersionNotSupported)
			return
		}
		h(w, r)
	}))
	srv.Config.Protocols = new(http.Protocols)
	srv.Config.Protocols.SetHTTP1(true)
	srv.Config.Protocols.SetHTTP2(true)
	srv.Config.Protocols.SetUnencryptedHTTP2(true)
	srv.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			s.conns.Add(1)
		}
	}
	if secure {
		srv.EnableHTTP2 = true
		srv.StartTLS()
	} else {
		srv.Start()
	}
	t.Cleanup(srv.Close)
	s.url = srv.URL
	return s
}

func h2Workload(t *testing.T, s workload.Spec) *workload.Workload {
	t.Helper()
	s.H2 = true
	w, err := workload.New(s)
	require.NoError(t, err)
	return w
}

// clientTLS accepts any certificate.
func clientTLS(t *testing.T, p tlsconf.Policy) *tls.Config {
	t.Helper()
	cfg, _, err := (&tlsconf.Client{Policy: p, Insecure: true}).Build()
	require.NoError(t, err)
	return cfg
}

// secured fills in the TLS of a run.
func secured(t *testing.T, o Options, secure bool) Options {
	if !secure {
		return o
	}
	o.TLS, o.ALPN = clientTLS(t, tlsconf.Policy{ALPN: []string{"h2"}}), "h2"
	return o
}

// In both paces, with and without TLS: every request arrives once, every response is whole, and few connections carry them.
func TestHTTP2(t *testing.T) {
	const body = "hello, " + "world"
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprint("TLS ", secure), func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine string) {
				s := newH2Server(t, secure, func(w http.ResponseWriter, r *http.Request) {
					b, _ := io.ReadAll(r.Body)
					if r.Header.Get("X-Size") != fmt.Sprint(len(b)) {
						w.WriteHeader(http.StatusBadRequest)
					}
					_, _ = io.WriteString(w, body)
				})
				// A body larger than any initial window: the client has to wait for the server's updates.
				upload := make([]byte, 200<<10)
				o := secured(t, Options{
					Workload: h2Workload(t, workload.Spec{URL: s.url + "/x", Headers: []string{"X-Size: 0"}}), H2: true, Streams: 16,
					Engine: engine, Duration: 300 * time.Millisecond, Threads: 2, ExpectStatus: 200, ExpectBody: int64(len(body)),
				}, secure)
				o.Rate = 1000
				r := do(t, o).Record
				require.EqualValues(t, 300, r.Counts.Requests+1)
				require.Equal(t, r.Counts.Requests, r.Counts.Completed)
				require.Zero(t, r.Errors.Total(), r.Errors.Samples)
				require.EqualValues(t, r.Counts.Requests, s.requests.Load())
				require.EqualValues(t, 4, s.conns.Load())
				require.Equal(t, "h2", r.Params.Protocol)
				require.Equal(t, 16, r.Params.Streams)
				if secure {
					require.Equal(t, "TLSv1.3", r.TLS.Version)
					require.Equal(t, "h2", r.TLS.ALPN)
					require.EqualValues(t, 4, r.TLS.Handshakes)
				} else {
					require.Nil(t, r.TLS)
				}

				o.Rate, o.Closed = 0, true
				s.requests.Store(0)
				r = do(t, o).Record
				require.Zero(t, r.Errors.Total(), r.Errors.Samples)
				require.Equal(t, r.Counts.Requests, r.Counts.Completed)
				require.EqualValues(t, r.Counts.Requests, s.requests.Load())
				require.Greater(t, r.Counts.Requests, int64(4*16))

				o.Workload = h2Workload(t, workload.Spec{URL: s.url + "/x", Headers: []string{fmt.Sprint("X-Size: ", len(upload))}, Body: upload})
				o.Closed, o.Rate = false, 60
				r = do(t, o).Record
				require.Zero(t, r.Errors.Total(), r.Errors.Samples)
				require.Equal(t, r.Counts.Requests, r.Counts.Completed)
			})
		})
	}
}

// A server that stalls for 100 ms shows in every request that was due, also where one connection has room for all of them.
func TestAStallShowsInHTTP2(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		slow := stalling(t)
		var p http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			res, err := http.Get(slow.url)
			if err == nil {
				_, _ = io.Copy(w, res.Body)
				res.Body.Close()
			}
		})
		s := newH2Server(t, false, p.ServeHTTP)
		o := Options{Workload: h2Workload(t, workload.Spec{URL: s.url}), H2: true, Streams: 4, Connections: 1, Rate: 500, Engine: engine, Duration: time.Second}
		res := do(t, o)
		require.Equal(t, res.Record.Counts.Requests, res.Record.Counts.Completed)
		require.GreaterOrEqual(t, res.Response.CountAbove(int64(stall/2)), int64(23), "half of those due in the stall")
		require.GreaterOrEqual(t, res.Record.Latency.Response.P99, int64(stall/2))
		require.GreaterOrEqual(t, res.Record.Cost.MaxBacklog, int64(15))
	})
}

// h2Peer is a server that answers each request in its own way.
func h2Peer(t *testing.T, settings []http2.Setting, answer func(f *http2.Framer, c *net.TCPConn, stream uint32) bool) string {
	url := badServer(t, func(_ net.Listener, c *net.TCPConn) {
		if _, err := io.ReadFull(c, make([]byte, len(http2.ClientPreface))); err != nil {
			return
		}
		f := http2.NewFramer(c, c)
		_ = f.WriteSettings(settings...)
		for {
			fr, err := f.ReadFrame()
			if err != nil {
				return
			}
			if h, ok := fr.(*http2.HeadersFrame); ok && !answer(f, c, h.StreamID) {
				return
			}
		}
	})
	return url
}

// okBlock is ":status: 200".
var okBlock = []byte{0x88}

// A server that ends its connections in order, as nginx does after so many requests, loses nothing: what its GOAWAY names as not looked at
// goes out on the next connection.
func TestHTTP2GoesOnAfterGoAway(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		var refused atomic.Int64
		url := h2Peer(t, nil, func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			switch {
			case id < 5:
			case id == 5:
				_ = f.WriteGoAway(id, http2.ErrCodeNo, nil)
			default: // of those that were on their way
				refused.Add(1)
				return true
			}
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: okBlock, EndHeaders: true, EndStream: true}) == nil
		})
		r := do(t, Options{Workload: h2Workload(t, workload.Spec{URL: url}), H2: true, Streams: 4, Connections: 2, Closed: true, Engine: engine, Duration: 200 * time.Millisecond}).Record
		require.NotZero(t, refused.Load(), "no request was on its way")
		require.Zero(t, r.Errors.Total(), "%+v", r.Errors)
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		require.Greater(t, r.Connections.ClosedByServer, int64(2))
		require.True(t, r.Validity.Valid, "%v", r.Validity.Reasons)
	})
}

// Every way in which a server of HTTP/2 can let a request down is counted as what it is, for each request exactly once, and nothing is sent
// twice, unless a GOAWAY says that it was not looked at.
func TestHTTP2ErrorsByKind(t *testing.T) {
	head := func(f *http2.Framer, id uint32, end bool) {
		_ = f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: okBlock, EndHeaders: true, EndStream: end})
	}
	tests := []struct {
		name   string
		answer func(f *http2.Framer, c *net.TCPConn, id uint32) bool
		kind   func(e runfmt.Errors) int64
		says   string
	}{
		{"RST_STREAM", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			return f.WriteRSTStream(id, http2.ErrCodeInternal) == nil
		}, func(e runfmt.Errors) int64 { return e.Stream }, "INTERNAL_ERROR"},
		{"RST_STREAM within the body", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			head(f, id, false)
			_ = f.WriteData(id, false, []byte("half"))
			return f.WriteRSTStream(id, http2.ErrCodeCancel) == nil
		}, func(e runfmt.Errors) int64 { return e.Stream }, "CANCEL"},
		{"REFUSED_STREAM", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			return f.WriteRSTStream(id, http2.ErrCodeRefusedStream) == nil
		}, func(e runfmt.Errors) int64 { return e.Refused }, "refused"},
		{"GOAWAY below the stream", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			return f.WriteGoAway(0, http2.ErrCodeNo, nil) == nil
		}, func(e runfmt.Errors) int64 { return e.Refused }, "GOAWAY"},
		{"GOAWAY with an error", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			_ = f.WriteGoAway(id, http2.ErrCodeEnhanceYourCalm, nil)
			return false
		}, func(e runfmt.Errors) int64 { return e.GoAway }, "ENHANCE_YOUR_CALM"},
		{"closes within the body", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			head(f, id, false)
			_ = f.WriteData(id, false, []byte("half"))
			return false
		}, func(e runfmt.Errors) int64 { return e.Reset }, "before the response was whole"},
		{"resets the connection", func(_ *http2.Framer, c *net.TCPConn, _ uint32) bool {
			_ = c.SetLinger(0)
			return false
		}, func(e runfmt.Errors) int64 { return e.Reset }, "reset"},
		{"a frame that is too large", func(_ *http2.Framer, c *net.TCPConn, _ uint32) bool {
			_, err := c.Write([]byte{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1})
			return err == nil
		}, func(e runfmt.Errors) int64 { return e.Protocol }, "FRAME_SIZE_ERROR"},
		{"a head that is not HPACK", func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: []byte{0xff, 0xff, 0xff, 0xff, 0xff}, EndHeaders: true}) == nil
		}, func(e runfmt.Errors) int64 { return e.Protocol }, "COMPRESSION_ERROR"},
		{"never answers", func(*http2.Framer, *net.TCPConn, uint32) bool { return true },
			func(e runfmt.Errors) int64 { return e.Timeout }, "in time"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, engine string) {
				var seen atomic.Int64
				url := h2Peer(t, nil, func(f *http2.Framer, c *net.TCPConn, id uint32) bool {
					seen.Add(1)
					return tt.answer(f, c, id)
				})
				o := Options{
					Workload: h2Workload(t, workload.Spec{URL: url}), H2: true, Streams: 1, Connections: 2, Rate: 100, Engine: engine,
					Duration: 200 * time.Millisecond,
				}
				if tt.name == "never answers" {
					o.Timeout = 50 * time.Millisecond
				}
				r := do(t, o).Record
				require.NotZero(t, r.Counts.Sent)
				require.Equal(t, r.Counts.Sent, tt.kind(r.Errors), "%+v", r.Errors)
				require.Zero(t, r.Counts.Completed)
				most := r.Counts.Sent
				if tt.name == "GOAWAY below the stream" {
					most *= 2 // and then no more
				}
				require.LessOrEqual(t, seen.Load(), most)
				require.Contains(t, strings.Join(r.Errors.Samples, "\n"), tt.says)
				require.False(t, r.Validity.Valid)
			})
		})
	}
}

// A server that allows fewer streams gets no more at once; the others wait, and are answered.
func TestHTTP2StreamLimitOfTheServer(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		url := h2Peer(t, []http2.Setting{{ID: http2.SettingMaxConcurrentStreams, Val: 2}, {ID: http2.SettingHeaderTableSize, Val: 0}},
			func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
				return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: okBlock, EndHeaders: true, EndStream: true}) == nil
			})
		r := do(t, Options{
			Workload: h2Workload(t, workload.Spec{URL: url}), H2: true, Streams: 8, Connections: 1, Closed: true, Engine: engine, Duration: 100 * time.Millisecond,
		}).Record
		require.Greater(t, r.Counts.Completed, int64(8))
		require.Zero(t, r.Errors.Total(), r.Errors.Samples)
	})
}

// A graceful GOAWAY between two requests costs a connection and no request.
func TestHTTP2GracefulGoAway(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine string) {
		url := h2Peer(t, nil, func(f *http2.Framer, _ *net.TCPConn, id uint32) bool {
			_ = f.WriteGoAway(id, http2.ErrCodeNo, nil)
			return f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: okBlock, EndHeaders: true, EndStream: true}) == nil
		})
		r := do(t, Options{
			Workload: h2Workload(t, workload.Spec{URL: url}), H2: true, Streams: 1, Connections: 2, Rate: 100, Engine: engine, Duration: 200 * time.Millisecond,
		}).Record
		require.Equal(t, r.Counts.Requests, r.Counts.Completed)
		require.Zero(t, r.Errors.Total(), r.Errors.Samples)
		require.GreaterOrEqual(t, r.Connections.Opened, r.Counts.Completed)
		require.GreaterOrEqual(t, r.Connections.ClosedByServer, r.Counts.Completed-2)
	})
}

// A server that speaks HTTP/1.1 only is told from one that is not there.
func TestHTTP2IsNotSpoken(t *testing.T) {
	url := badServer(t, func(_ net.Listener, c *net.TCPConn) {
		if request(c) {
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	})
	_, err := Run(t.Context(), Options{Workload: h2Workload(t, workload.Spec{URL: url}), H2: true, Rate: 10, Connections: 1, Duration: time.Second, ExpectBody: -1})
	require.ErrorContains(t, err, "cannot connect")
}

// gRPC: a good answer is one message and grpc-status 0; all else is counted.
func TestUnaryCalls(t *testing.T) {
	s := newH2Server(t, false, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/grpc")
		switch r.URL.Path {
		case "/t.T/Fails":
			w.Header().Set("Grpc-Status", "14") // trailers only
			return
		case "/t.T/NoStatus":
			_, _ = w.Write(b)
			return
		case "/t.T/Torn":
			b = b[:len(b)-1]
		}
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write(b)
		w.Header().Set("Grpc-Status", "0")
	})
	for path, want := range map[string]string{"Echo": "", "Fails": "grpc-status is 14", "NoStatus": "no grpc-status", "Torn": "not one message"} {
		r := do(t, Options{
			Workload: h2Workload(t, workload.Spec{URL: s.url + "/t.T/" + path, GRPC: true, Body: make([]byte, 100)}), H2: true, GRPC: true,
			Streams: 4, Rate: 200, Connections: 2, Duration: 100 * time.Millisecond, ExpectBody: 100,
		}).Record
		require.Equal(t, r.Counts.Requests, r.Counts.Completed, path)
		if want == "" {
			require.Zero(t, r.Errors.Total(), r.Errors.Samples)
			continue
		}
		require.Equal(t, r.Counts.Requests, r.Errors.Status, path)
		require.Contains(t, strings.Join(r.Errors.Samples, "\n"), want)
	}
}
