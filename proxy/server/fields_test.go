package server

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHopByHopFieldsStayOnTheirHop(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		o := listen(t)
		g := gate(t, engine, setup{endpoints: []string{o.addr}})
		c := g.dial()
		c.send(get("/", "Connection: keep-alive, X-Private, x-other", "X-Private: 1", "X-Other: 2", "X-Public: 3", "Keep-Alive: timeout=5",
			"Proxy-Connection: keep-alive", "TE: trailers", "Upgrade: h2c", "Proxy-Authorization: Basic eA==", "X_Under: 1", "Accept: */*"))
		p := o.accept()
		r, _ := p.request()
		require.Equal(t, "example.com", r.Host)
		require.Equal(t, http.Header{
			"X-Public": {"3"}, "Accept": {"*/*"}, "Via": {"1.1 blitz"}, "X-Forwarded-For": {"127.0.0.1"},
			"X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
		}, r.Header)

		p.send("HTTP/1.1 200 Very OK\r\nContent-Length: 2\r\nConnection: X-Secret\r\nX-Secret: 1\r\nKeep-Alive: timeout=9\r\nProxy-Authenticate: Basic\r\nX-Kept: yes\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: origin/1\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n\r\nhi")
		res := c.response("GET")
		require.Equal(t, "200 Very OK", res.Status)
		require.Equal(t, http.Header{
			"X-Kept": {"yes"}, "Set-Cookie": {"a=1", "b=2"}, "Server": {"origin/1"}, "Date": {"Mon, 01 Jan 2024 00:00:00 GMT"}, "Content-Length": {"2"},
		}, res.Header)

		// Content-Length and Host are not among what a client can have removed.
		c.send("POST / HTTP/1.1\r\nHost: h.example\r\nConnection: content-length, host\r\nContent-Length: 2\r\n\r\nab")
		r, body := p.request()
		require.Equal(t, "ab", body)
		require.Equal(t, "h.example", r.Host)
		p.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		res = c.response("POST")
		require.NotEmpty(t, res.Header.Get("Date"), "the endpoint sent no date, so the gateway adds it")
		c.Close()
	})
}

func TestForwardedFields(t *testing.T) {
	sent := []string{"X-Forwarded-For: 10.0.0.1, 10.0.0.2", "X-Forwarded-For: 10.0.0.3", "X-Forwarded-Proto: https", "X-Forwarded-Host: public.example",
		"Forwarded: for=10.0.0.1", "Via: 1.1 cdn"}
	for name, x := range map[string]struct {
		listener string
		sent     []string
		want     http.Header
	}{
		"not trusted": {"", sent, http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"example.com"},
			"Via": {"1.1 cdn", "1.1 blitz"}}},
		"trusted": {"trust_forwarded: true", sent, http.Header{"X-Forwarded-For": {"10.0.0.1, 10.0.0.2, 10.0.0.3, 127.0.0.1"}, "X-Forwarded-Proto": {"https"},
			"X-Forwarded-Host": {"public.example"}, "Forwarded": {"for=10.0.0.1"}, "Via": {"1.1 cdn", "1.1 blitz"}}},
		"trusted, nothing sent": {"trust_forwarded: true", nil, http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"},
			"X-Forwarded-Host": {"example.com"}, "Via": {"1.1 blitz"}}},
		"no name, no Via": {`server_name: ""`, nil, http.Header{"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"},
			"X-Forwarded-Host": {"example.com"}}},
	} {
		t.Run(name, func(t *testing.T) {
			engines(t, func(t *testing.T, engine string) {
				o := listen(t)
				g := gate(t, engine, setup{endpoints: []string{o.addr}, listener: x.listener})
				c := g.dial()
				c.send(get("/", x.sent...))
				p := o.accept()
				r, _ := p.request()
				require.Equal(t, x.want, r.Header)
				p.send(ok(""))
				c.response("GET")
				c.Close()
			})
		})
	}
}
