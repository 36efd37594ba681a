package server

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBodiesAndTrailersBothWays(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()

		c.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-T: up\r\nContent-Length: 9\r\n\r\n")
		p := o.accept()
		r, body := p.request()
		require.Equal(t, "hello!", body)
		require.Equal(t, []string{"chunked"}, r.TransferEncoding)
		require.Equal(t, "up", r.Trailer.Get("X-T"))
		require.Empty(t, r.Trailer.Get("Content-Length"), "a trailer that would change the framing")
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-D\r\n\r\n3;e=1\r\nyes\r\n2\r\nno\r\n0\r\nX-D: down\r\n\r\n")
		resp := c.response("POST")
		require.NoError(t, resp.Err)
		require.Equal(t, "yesno", resp.Text)
		require.Equal(t, "down", resp.Trailer.Get("X-D"))

		// Content-Length both ways, on the same connections.
		c.send(request("PUT", "/b", "twelve bytes"))
		r, body = p.request()
		require.Equal(t, "twelve bytes", body)
		require.EqualValues(t, 12, r.ContentLength)
		p.send(ok("fine"))
		resp = c.response("PUT")
		require.Equal(t, "fine", resp.Text)
		require.EqualValues(t, 4, resp.ContentLength)

		// A body of length 0 is not no body.
		c.send("POST /c HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
		require.Contains(t, strings.ToLower(p.head()), "content-length: 0\r\n")
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		require.EqualValues(t, 0, c.response("POST").ContentLength)
		c.Close()
	})
}

func TestHTTP10ClientGetsWhatItUnderstands(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})

		// A chunked response becomes one that ends with the connection, keep-alive or not.
		c := g.dial()
		c.send("GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
		p := o.accept()
		require.True(t, strings.HasPrefix(p.head(), "GET /a HTTP/1.1\r\n"))
		p.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n")
		r := c.head("GET")
		require.Empty(t, r.TransferEncoding)
		require.EqualValues(t, -1, r.ContentLength)
		require.True(t, r.Close)
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, "abc", string(b))

		// A response of known length keeps the connection.
		c = g.dial()
		for range 2 {
			c.send("GET /b HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
			p.head()
			p.send(ok("known"))
			r := c.response("GET")
			require.Equal(t, "known", r.Text)
			require.Equal(t, "keep-alive", r.Header.Get("Connection"))
		}
		// No interim responses, which HTTP/1.0 does not know.
		c.send("GET /c HTTP/1.0\r\nHost: a\r\n\r\n")
		p.head()
		p.send("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + ok("late"))
		res := c.response("GET")
		require.Equal(t, 200, res.StatusCode)
		require.Equal(t, "late", res.Text)
		c.closed()
	})
}

func TestResponseThatEndsWithItsConnection(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		for _, version := range []string{"1.0", "1.1"} {
			c.send(get("/"))
			p := o.accept()
			p.head()
			p.send("HTTP/" + version + " 200 OK\r\n\r\nuntil ")
			p.send("the end")
			p.Close()
			r := c.response("GET")
			require.NoError(t, r.Err)
			require.Equal(t, "until the end", r.Text)
			require.Equal(t, []string{"chunked"}, r.TransferEncoding, "our client's connection goes on")
		}
		c.Close()
		c = g.dial()
		c.send("GET / HTTP/1.0\r\n\r\n")
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end")
		p.Close()
		r := c.response("GET")
		require.NoError(t, r.Err)
		require.Equal(t, "until the end", r.Text)
		require.Empty(t, r.TransferEncoding)
	})
}

func TestResponsesWithoutBody(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		var p *peer
		for _, x := range []struct {
			method, response string
			status           int
			length           int64
		}{
			{"GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, 0},
			{"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: x\r\n\r\n", 304, 77},
			{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", 200, 1234},
			{"HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, -1},
			{"HEAD", "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\n", 404, 9},
			{"GET", ok("last"), 200, 4},
		} {
			c.send(request(x.method, "/", ""))
			if p == nil {
				p = o.accept()
			}
			require.True(t, strings.HasPrefix(p.head(), x.method+" / HTTP/1.1\r\n"))
			p.send(x.response)
			r := c.response(x.method)
			require.NoError(t, r.Err)
			require.Equal(t, x.status, r.StatusCode)
			if x.status == 304 {
				require.Equal(t, "77", r.Header.Get("Content-Length"))
				require.Empty(t, r.Text)
			} else {
				require.Equal(t, x.length, r.ContentLength)
			}
			require.False(t, r.Close)
		}
		c.Close()
		g.end()
		require.EqualValues(t, 1, g.counters().UpstreamConnects)
	})
}

func TestInterimResponsesAreForwarded(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send(get("/"))
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\nConnection: x-hop\r\nX-Hop: 1\r\n\r\n")
		r := c.head("GET")
		require.Equal(t, 102, r.StatusCode, "a 100 that nobody asked for is dropped")
		r = c.head("GET")
		require.Equal(t, 103, r.StatusCode)
		require.Equal(t, "</a.css>", r.Header.Get("Link"))
		require.Empty(t, r.Header.Get("X-Hop"))
		require.Empty(t, r.Header.Get("Date"), "a date belongs to the final response")
		p.send(ok("final"))
		require.Equal(t, "final", c.response("GET").Text)
		c.Close()
	})
}

func TestExpectContinue(t *testing.T) {
	const head = "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
	expect := func(path string) string { return strings.Replace(head, "%s", path, 1) }
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})

		// The endpoint asks for the body.
		c := g.dial()
		c.send(expect("/a"))
		p := o.accept()
		require.Contains(t, p.head(), "100-continue")
		p.send("HTTP/1.1 100 Continue\r\n\r\n")
		require.Equal(t, 100, c.head("POST").StatusCode)
		c.send("body")
		b := make([]byte, 4)
		_, err := io.ReadFull(p.br, b)
		require.NoError(t, err)
		require.Equal(t, "body", string(b))
		p.send(ok("thanks"))
		r := c.response("POST")
		require.Equal(t, "thanks", r.Text)
		require.False(t, r.Close, "the body came, so the connection can go on")

		// A client that grows tired of waiting just sends the body.
		c.send(expect("/b"))
		p.head()
		c.send("more")
		_, err = io.ReadFull(p.br, b)
		require.NoError(t, err)
		p.send(ok("got more"))
		r = c.response("POST")
		require.Equal(t, "got more", r.Text)
		require.False(t, r.Close)

		// The endpoint refuses before it has seen the body.
		c.send(expect("/c"))
		p.head()
		p.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig")
		r = c.response("POST")
		require.Equal(t, 413, r.StatusCode)
		require.Equal(t, "big", r.Text)
		require.True(t, r.Close, "nobody knows whether the body will still come")
		c.closed()
		p.gone()

		// The echo asks for the body itself.
		c = g.dial()
		c.send(expect("/echo/"))
		require.Equal(t, 100, c.head("POST").StatusCode)
		c.send("ping")
		require.Equal(t, "ping", c.response("POST").Text)
		c.Close()

		// A static answer needs no body and ends the connection.
		c = g.dial()
		c.send(expect("/hello"))
		r = c.response("POST")
		require.Equal(t, "hello\n", r.Text)
		require.True(t, r.Close)
		c.closed()
	})
}

func TestEarlyResponseBeforeTheBodyIsRead(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})

		// Little of the body is missing: it is read and dropped, and the connection goes on. The endpoint's one does not.
		c := g.dial()
		c.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
		p := o.accept()
		p.head()
		p.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		r := c.response("POST")
		require.Equal(t, 403, r.StatusCode)
		require.False(t, r.Close)
		p.gone()
		c.send("def" + get("/hello"))
		require.Equal(t, "hello\n", c.response("GET").Text)

		// Much is missing and keeps coming: the answer arrives all the same, and the connection is ended.
		c.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\nabc")
		p = o.accept()
		p.head()
		p.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
		r = c.response("POST")
		require.Equal(t, "no", r.Text)
		stop := make(chan struct{})
		go func() {
			defer close(stop)
			junk := make([]byte, 16<<10)
			for {
				if _, err := c.Write(junk); err != nil {
					return
				}
			}
		}()
		<-stop // the gateway does not read a hundred megabytes for nothing
		p.gone()
	})
}

// An endpoint that answers while the client's upload is stopped by back-pressure must not leave the client stopped.
func TestEarlyResponseWhileTheUploadIsStopped(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		const chunk = 16 << 10
		c.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
		p := o.accept()
		p.head()
		stopped, done := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(done)
			data := "4000\r\n" + strings.Repeat("x", chunk) + "\r\n"
			for i := range 3000 {
				if i == 2000 {
					close(stopped)
				}
				if _, err := io.WriteString(c, data); err != nil {
					return
				}
			}
		}()
		// The endpoint reads nothing: the gateway stops receiving. What is sent by then is all that fits into the buffers between.
		last := -1.0
		eventually(t, "the upload stops", func() bool {
			n := g.metric("blitz_downstream_received_bytes_total")
			settled := n == last && n > 64<<10
			last = n
			return settled
		})
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
		r := c.response("POST")
		require.NoError(t, r.Err)
		require.Equal(t, "early", r.Text)
		<-done // the writer goes on, and meets the end of the connection
		select {
		case <-stopped:
			require.Fail(t, "32 MiB of an unwanted body were read")
		default:
		}
	})
}
