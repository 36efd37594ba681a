package server

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStaticReplyHeadAndEcho(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{})
		c := g.dial()
		r := c.ask(get("/hello"))
		require.Equal(t, 200, r.StatusCode)
		require.Equal(t, "hello\n", r.Text)
		require.EqualValues(t, 6, r.ContentLength)
		require.Equal(t, "blitz", r.Header.Get("Server"))
		require.NotEmpty(t, r.Header.Get("Date"))
		require.False(t, r.Close)

		r = c.ask(request("HEAD", "/hello", ""))
		require.Equal(t, 200, r.StatusCode)
		require.EqualValues(t, 6, r.ContentLength)
		require.Empty(t, r.Text)

		r = c.ask(request("POST", "/echo/x", "ping", "Content-Type: text/x"))
		require.Equal(t, "ping", r.Text)
		require.Equal(t, "text/x", r.Header.Get("Content-Type"))

		c.send("POST /echo/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n")
		r = c.response("POST")
		require.Equal(t, "abcdefg", r.Text)
		require.Equal(t, "7", r.Trailer.Get("X-Sum"))
		require.Equal(t, []string{"chunked"}, r.TransferEncoding)
		c.Close()

		log := g.log()
		require.Len(t, log, 4)
		require.Equal(t, entry{Method: "GET", Host: "example.com", Path: "/hello", Protocol: "HTTP/1.1", Status: 200, BytesOut: 6,
			Route: "/hello", Client: log[0].Client}, log[0])
		require.EqualValues(t, 0, log[1].BytesOut)
		require.EqualValues(t, 4, log[2].BytesIn)
		require.EqualValues(t, 7, log[3].BytesOut)
	})
}

func TestRoutesByHostPathAndParameter(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		origin := serve(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "origin saw %s %s", r.Host, r.RequestURI) })
		g := gate(t, engine, setup{endpoints: []string{origin}, routes: `  - {match: {host: api.example.com, path: /v1/*}, cluster: up}
  - {match: {host: "*.example.com", path: "/users/{id}/posts"}, cluster: up}
  - {match: {path: /only-get, methods: [GET]}, respond: {body: got}}
`})
		for _, c := range []struct {
			host, target string
			status       int
			body         string
		}{
			{"api.example.com", "/v1/a?b=c", 200, "origin saw api.example.com /v1/a?b=c"},
			{"API.example.com:8080", "/v1/a", 200, "origin saw API.example.com:8080 /v1/a"},
			{"x.example.com", "/users/7/posts", 200, "origin saw x.example.com /users/7/posts"},
			{"x.example.com", "//users/./7/%70osts", 200, "origin saw x.example.com /users/7/posts"},
			{"x.example.com", "/only-get", 200, "got"},
			{"other.com", "/hello", 200, "hello\n"},
			{"other.com", "http://x.example.com/users/1/posts", 400, ""},
			{"x.example.com", "http://x.example.com/users/1/posts?q", 200, "origin saw x.example.com /users/1/posts?q"},
			{"other.com", "/a/../../etc", 400, ""},
		} {
			t.Run(c.host+c.target, func(t *testing.T) {
				cl := dial(t, g.addr)
				defer cl.Close()
				r := cl.ask("GET " + c.target + " HTTP/1.1\r\nHost: " + c.host + "\r\n\r\n")
				require.Equal(t, c.status, r.StatusCode, r.Text)
				if c.body != "" {
					require.Equal(t, c.body, r.Text)
				}
			})
		}
	})
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	carriers(t, func(t *testing.T, engine string) {
		origin := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s", r.URL.Path, b)
		})
		g := gate(t, engine, setup{endpoints: []string{origin}})
		c := g.dial()
		var all strings.Builder
		var want []string
		for i := range 30 {
			switch i % 4 {
			case 0:
				all.WriteString(get(fmt.Sprintf("/p%d", i)))
				want = append(want, fmt.Sprintf("/p%d ", i))
			case 1:
				all.WriteString(get("/hello"))
				want = append(want, "hello\n")
			case 2:
				all.WriteString(request("POST", fmt.Sprintf("/q%d", i), "body"))
				want = append(want, fmt.Sprintf("/q%d body", i))
			case 3:
				all.WriteString(request("POST", "/echo/", fmt.Sprint("again ", i)))
				want = append(want, fmt.Sprint("again ", i))
			}
		}
		c.send(all.String())
		for _, w := range want {
			r := c.response("GET")
			require.Equal(t, 200, r.StatusCode, r.Text)
			require.Equal(t, w, r.Text)
		}
		// The same byte by byte, so that every boundary is met once.
		one := get("/p") + get("/hello") + request("POST", "/q", "xy") + "POST /echo/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: v\r\n\r\n"
		require.NoError(t, c.SetNoDelay(true))
		for i := range one {
			c.send(one[i : i+1])
		}
		for _, w := range []string{"/p ", "hello\n", "/q xy", "ab"} {
			require.Equal(t, w, c.response("GET").Text)
		}
		c.Close()
		require.Len(t, g.log(), 34)
		require.EqualValues(t, 1, g.counters().UpstreamConnects, "one connection at a time is enough for one client")
	})
}

func TestConnectionLivesAsLongAsTheClientWants(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		g := gate(t, engine, setup{listener: "max_requests: 3"})
		for name, c := range map[string]struct {
			request    string
			connection string
			keep       bool
		}{
			"1.1":            {"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "", true},
			"1.1 close":      {"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "close", false},
			"1.0":            {"GET /hello HTTP/1.0\r\n\r\n", "close", false},
			"1.0 keep-alive": {"GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive", true},
		} {
			t.Run(name, func(t *testing.T) {
				cl := dial(t, g.addr)
				r := cl.ask(c.request)
				require.Equal(t, "hello\n", r.Text)
				// Go's reader takes "close" out of the header.
				require.Equal(t, c.connection == "close", r.Close)
				require.Equal(t, c.connection == "keep-alive", r.Header.Get("Connection") == "keep-alive")
				if c.keep {
					require.Equal(t, 200, cl.ask(c.request).StatusCode)
					require.True(t, cl.ask(c.request).Close, "the third request is the last one")
				}
				cl.closed()
			})
		}
	})
}
