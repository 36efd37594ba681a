package server

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// seen is a request as an endpoint saw it.
type seen struct {
	Endpoint, Method, Host, URI, Body string
	Header                            http.Header
}

// shower is an endpoint that answers with what it saw, and passes it to a channel as well.
func shower(t *testing.T, name string) (address string, all <-chan seen) {
	t.Helper()
	ch := make(chan seen, 1000)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		x := seen{name, r.Method, r.Host, r.RequestURI, string(body), r.Header}
		ch <- x
		w.Header().Set("X-From", name)
		w.Header().Set("X-Secret", "internal")
		_ = json.NewEncoder(w).Encode(x)
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String(), ch
}

// httpClient makes requests without following redirects.
func httpClient(t *testing.T) *http.Client {
	tr := &http.Transport{TLSClientConfig: &tls.Config{}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// ask makes a request and returns the response and what the endpoint saw.
func (g *gateway) ask(c *http.Client, method, path, body string, headers ...string) (*http.Response, seen) {
	g.t.Helper()
	r, err := http.NewRequest(method, "http://"+g.addr+path, strings.NewReader(body))
	require.NoError(g.t, err)
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		if k == "Host" {
			r.Host = v
		} else {
			r.Header.Add(k, v)
		}
	}
	resp, err := c.Do(r)
	require.NoError(g.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(g.t, err)
	var s seen
	if resp.Header.Get("X-From") != "" {
		require.NoError(g.t, json.Unmarshal(text, &s), string(text))
	}
	resp.Body = io.NopCloser(bytes.NewReader(text))
	return resp, s
}

func TestConditionsDecide(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, _ := shower(t, "a")
		g := gate(t, engine, setup{endpoints: []string{a}, routes: `
  - {name: v2, match: {path: /api/*, headers: [{name: X-Version, exact: v2}]}, respond: {body: v2}}
  - {name: v2 debug, match: {path: /api/*, headers: [{name: X-Version, exact: v2}], query: [{name: debug, exact: "a b"}]}, respond: {body: v2 debug}}
  - {name: curl, match: {path: /api/*, headers: [{name: User-Agent, prefix: curl/}]}, respond: {body: curl}}
  - {name: local, match: {path: /local, source: [127.0.0.0/8]}, respond: {body: local}}
  - {name: far, match: {path: /far, source: [10.0.0.0/8]}, respond: {body: far}}
  - {name: image, match: {path_regex: '/img/([a-z]+)\.png'}, respond: {body: image}}
  - {name: plain, match: {path: /api/*}, respond: {body: plain}}
`})
		c := httpClient(t)
		for _, x := range []struct {
			path, want string
			headers    []string
		}{
			{"/api/x", "plain", nil},
			{"/api/x", "v2", []string{"X-Version: v2"}},
			{"/api/x", "v2", []string{"x-version: v1", "X-VERSION: v2"}},
			{"/api/x", "plain", []string{"X-Version: v22"}},
			{"/api/x?debug=a+b", "v2 debug", []string{"X-Version: v2"}},
			{"/api/x?x=1&%64ebug=a%20b", "v2 debug", []string{"X-Version: v2"}},
			{"/api/x?debug=a+bc", "v2", []string{"X-Version: v2"}},
			{"/api/x", "curl", []string{"User-Agent: curl/8"}},
			{"/local", "local", nil},
			{"/img/cat.png", "image", nil},
		} {
			resp, _ := g.ask(c, "GET", x.path, "", x.headers...)
			text, _ := io.ReadAll(resp.Body)
			require.Equal(t, x.want, string(text), "%s %v", x.path, x.headers)
		}
		_, s := g.ask(c, "GET", "/far", "")
		require.Equal(t, "/far", s.URI, "the route for any path takes it")
		_, s = g.ask(c, "GET", "/img/cat.png/x", "")
		require.Equal(t, "/img/cat.png/x", s.URI)
	})
}

func TestRewriteAndFields(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, _ := shower(t, "a")
		g := gate(t, engine, setup{endpoints: []string{a}, top: "tracing: {request_id: true, trace_context: true}\n", routes: `
  - name: user
    match: {path: "/users/{id}/*"}
    cluster: up
    rewrite: {path: "/u/{id}/{*}", host: "internal.{host}", query: "id={id}&{query}"}
    request_headers:
      remove: [X-Debug]
      set: {X-User: "{id}", X-Client: "{client_ip} {scheme} {listener} {route} {method}"}
      add: {X-Copy: "{header:X-User}"}
    response_headers:
      remove: [X-Secret]
      set: {X-Id: "{request_id}"}
      add: {X-Static: "yes"}
  - {name: prefix, match: {path: /old/*}, cluster: up, rewrite: {prefix: /new/, drop_query: true}}
  - {name: group, match: {path_regex: "/v([0-9]+)/(?P<rest>.*)"}, cluster: up, rewrite: {path: "/{1}/{rest}"}}
  - {name: regex, match: {path: /re/*}, cluster: up, rewrite: {regex: "/([a-z])([0-9])", with: "/{2}{1}"}}
  - {name: escape, match: {path_regex: "/x(.*)"}, cluster: up, rewrite: {path: "/safe/{1}"}}
  - {name: to, match: {path: /go/*}, redirect: {scheme: https, host: "www.{host}", prefix: /gone/, status: 308}, response_headers: {set: {X-Why: "{route}"}}}
  - {name: here, match: {path: "/here/{a}"}, redirect: {path: "/there/{a}", drop_query: true}}
  - {name: edited, match: {path: /edited}, respond: {headers: {X-A: "1", X-B: "2"}, body: x}, response_headers: {remove: [X-A], set: {X-B: "{host}"}}}
`})
		c := httpClient(t)
		resp, s := g.ask(c, "GET", "/users/7/a/b?x=1", "", "Host: example.com", "X-Debug: 1", "X-User: mallory", "X-Request-Id: abc")
		require.Equal(t, 200, resp.StatusCode)
		require.Equal(t, "/u/7/a/b?id=7&x=1", s.URI)
		require.Equal(t, "internal.example.com", s.Host)
		require.Equal(t, "example.com", s.Header.Get("X-Forwarded-Host"))
		require.Empty(t, s.Header.Get("X-Debug"))
		require.Equal(t, []string{"7"}, s.Header["X-User"])
		require.Equal(t, "127.0.0.1 http edge user GET", s.Header.Get("X-Client"))
		require.Equal(t, []string{"mallory"}, s.Header["X-Copy"], "the client's field, whatever takes its place")
		require.Equal(t, "abc", s.Header.Get("X-Request-Id"))
		require.Regexp(t, regexp.MustCompile(`^00-[0-9a-f]{32}-[0-9a-f]{16}-01$`), s.Header.Get("Traceparent"))
		require.Equal(t, []string{"abc"}, resp.Header["X-Id"])
		require.Equal(t, []string{"yes"}, resp.Header["X-Static"])
		require.Empty(t, resp.Header.Get("X-Secret"))

		parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
		resp, s = g.ask(c, "GET", "/users/7/a", "", "Traceparent: "+parent, "Tracestate: a=b")
		require.Equal(t, parent, s.Header.Get("Traceparent"))
		require.Equal(t, "a=b", s.Header.Get("Tracestate"))
		require.Equal(t, "/u/7/a?id=7", s.URI)
		require.Regexp(t, "^[0-9a-f]{32}$", s.Header.Get("X-Request-Id"))
		require.Equal(t, s.Header.Get("X-Request-Id"), resp.Header.Get("X-Id"))

		for path, want := range map[string]string{
			"/old/x?q": "/new/x", "/old/": "/new/", "/v12/a/b?q": "/12/a/b?q", "/re/a1/b2/cc": "/re/1a/2b/cc",
			"/x../../etc": "/etc", "/xyz": "/safe/yz",
		} {
			_, s := g.ask(c, "GET", path, "")
			require.Equal(t, want, s.URI, path)
		}
		resp, _ = g.ask(c, "GET", "/x../../../../etc", "")
		require.Equal(t, 400, resp.StatusCode, "above the root before anything is rewritten")

		resp, _ = g.ask(c, "GET", "/go/x?q=1", "", "Host: example.com:8080")
		require.Equal(t, 308, resp.StatusCode)
		require.Equal(t, "https://www.example.com/gone/x?q=1", resp.Header.Get("Location"))
		require.Equal(t, "to", resp.Header.Get("X-Why"))
		resp, _ = g.ask(c, "POST", "/here/a?q=1", "body")
		require.Equal(t, 302, resp.StatusCode)
		require.Equal(t, "/there/a", resp.Header.Get("Location"))
		resp, _ = g.ask(c, "GET", "/edited", "", "Host: h")
		require.Empty(t, resp.Header.Get("X-A"))
		require.Equal(t, []string{"h"}, resp.Header["X-B"])
	})
}

func TestSplit(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, _ := shower(t, "a")
		b, _ := shower(t, "b")
		g := gate(t, engine, setup{endpoints: []string{a}, top: "", routes: `
  - {match: {path: /chance}, split: [{cluster: up, weight: 3}, {cluster: other, weight: 1}]}
  - {match: {path: /sticky}, split: [{cluster: up}, {cluster: other}], split_by: "header:X-User"}
  - {match: {path: /cookie}, split: [{cluster: up}, {cluster: other}], split_by: "cookie:s"}
  - {match: {path: /all}, split: [{cluster: up, weight: 0}, {cluster: other}]}
`, cluster: "}\n  - {name: other, endpoints: [{address: " + b + "}]"})
		c := httpClient(t)
		count := map[string]int{}
		for range 400 {
			_, s := g.ask(c, "GET", "/chance", "")
			count[s.Endpoint]++
		}
		// Binomial with n 400 and p 1/4: seven standard deviations are 61.
		require.InDelta(t, 100, count["b"], 61)
		for _, x := range []struct{ path, header string }{{"/sticky", "X-User: %d"}, {"/cookie", "Cookie: a=b; s=%d; c=d"}} {
			count := map[string]int{}
			for user := range 60 {
				_, first := g.ask(c, "GET", x.path, "", fmt.Sprintf(x.header, user))
				_, again := g.ask(c, "GET", x.path, "", fmt.Sprintf(x.header, user))
				require.Equal(t, first.Endpoint, again.Endpoint)
				count[first.Endpoint]++
			}
			require.InDelta(t, 30, count["a"], 20, x.path)
		}
		_, s := g.ask(c, "GET", "/all", "")
		require.Equal(t, "b", s.Endpoint)
	})
}

func TestMirror(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		a, _ := shower(t, "a")
		shadow, copies := shower(t, "shadow")
		hang := make(chan struct{})
		stuck := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-hang }))
		defer stuck.Close()
		defer close(hang)
		g := gate(t, engine, setup{endpoints: []string{a}, routes: `
  - {match: {path: /m/*}, cluster: up, mirror: {cluster: shadow, max_body: 64KiB}, rewrite: {prefix: /r/}, request_headers: {set: {X-E: "1"}}}
  - {match: {path: /stuck}, cluster: up, mirror: {cluster: stuck, timeout: 50ms}}
  - {match: {path: /dead}, cluster: up, mirror: {cluster: dead}}
`, cluster: "}\n  - {name: shadow, endpoints: [{address: " + shadow + "}]}\n  - {name: stuck, endpoints: [{address: " + stuck.Listener.Addr().String() +
			"}]}\n  - {name: dead, endpoints: [{address: 127.0.0.1:1}], retries: 0"})
		c := httpClient(t)
		large := strings.Repeat("x", 60<<10)
		for _, body := range []string{"", "small", large} {
			_, s := g.ask(c, "POST", "/m/x?q=1", body)
			require.Equal(t, body, s.Body)
			x := <-copies
			require.Equal(t, "POST", x.Method)
			require.Equal(t, "/r/x?q=1", x.URI)
			require.Equal(t, body, x.Body)
			require.Equal(t, "1", x.Header.Get("X-E"))
			require.Equal(t, "127.0.0.1", x.Header.Get("X-Forwarded-For"))
		}
		// Without a length it is known too late that the body is too large: nothing may arrive then.
		r, err := http.NewRequest("POST", "http://"+g.addr+"/m/x", io.MultiReader(strings.NewReader(large), strings.NewReader(large)))
		require.NoError(t, err)
		resp, err := c.Do(r)
		require.NoError(t, err)
		resp.Body.Close()
		_, s := g.ask(c, "POST", "/m/x", large+large)
		require.Len(t, s.Body, 2*len(large))
		_, s = g.ask(c, "GET", "/stuck", "")
		require.Equal(t, "a", s.Endpoint)
		_, s = g.ask(c, "GET", "/dead", "")
		require.Equal(t, "a", s.Endpoint)
		require.Eventually(t, func() bool { return g.metric("blitz_mirror_failures_total") == 2 }, patience, 5*time.Millisecond)
		require.EqualValues(t, 2, g.metric("blitz_mirror_skipped_total"))
		require.Empty(t, copies)
		c.CloseIdleConnections()
	})
}

func TestTotalTimeout(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		release := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/half" {
				w.WriteHeader(200)
				_, _ = w.Write([]byte("half"))
				w.(http.Flusher).Flush()
			}
			<-release
		}))
		defer slow.Close()
		defer close(release)
		g := gate(t, engine, setup{endpoints: []string{slow.Listener.Addr().String()}, routes: "  - {match: {path: /*}, cluster: up, timeouts: {total: 80ms}}\n"})
		c := httpClient(t)
		resp, _ := g.ask(c, "GET", "/none", "")
		require.Equal(t, 504, resp.StatusCode)
		text, _ := io.ReadAll(resp.Body)
		require.Contains(t, string(text), "total_timeout")
		resp, err := c.Get("http://" + g.addr + "/half")
		require.NoError(t, err)
		_, err = io.ReadAll(resp.Body)
		require.Error(t, err, "half a body is never taken for a whole one")
		resp.Body.Close()
		c.CloseIdleConnections()
	})
}
