package workload

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func TestRender(t *testing.T) {
	tests := []struct {
		name string
		spec Spec
		want string
	}{
		{"plain", Spec{URL: "http://h:81/a?b=c"}, "GET /a?b=c HTTP/1.1\r\nHost: h:81\r\nUser-Agent: blitzload\r\n\r\n"},
		{"no path", Spec{URL: "http://h"}, "GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: blitzload\r\n\r\n"},
		{"body makes it POST", Spec{URL: "http://h/", Body: []byte("xyz")}, "POST / HTTP/1.1\r\nHost: h\r\nUser-Agent: blitzload\r\nContent-Length: 3\r\n\r\nxyz"},
		{"empty PUT", Spec{URL: "http://h/", Method: "PUT"}, "PUT / HTTP/1.1\r\nHost: h\r\nUser-Agent: blitzload\r\nContent-Length: 0\r\n\r\n"},
		{"headers", Spec{URL: "http://h/", Headers: []string{"X-B: 2", "host: other", "user-agent:", "X-B:3"}}, "GET / HTTP/1.1\r\nHost: other\r\nX-B: 2\r\nX-B: 3\r\n\r\n"},
		{"close", Spec{URL: "http://[::1]:9/", Method: "HEAD", Close: true}, "HEAD / HTTP/1.1\r\nHost: [::1]:9\r\nUser-Agent: blitzload\r\nConnection: close\r\n\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := New(tt.spec)
			require.NoError(t, err)
			require.Len(t, w.Requests, 1)
			require.Equal(t, tt.want, string(w.Requests[0].Bytes))

			// Another implementation reads the same request.
			r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.Requests[0].Bytes)))
			require.NoError(t, err)
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			require.Equal(t, string(tt.spec.Body), string(body))
			require.Equal(t, wire.LookupMethod([]byte(r.Method)), w.Requests[0].Method)
		})
	}
}

func TestTargetsFile(t *testing.T) {
	w, err := New(Spec{Targets: strings.NewReader("# two of them\nGET http://h:1/a\nX-A: 1\n\nPOST http://h:1/b\n"), Body: []byte("b"), Headers: []string{"X-All: y"}})
	require.NoError(t, err)
	require.Equal(t, "h:1", w.HostPort)
	require.Equal(t, "http://h:1/a", w.URL)
	require.Len(t, w.Requests, 2)
	require.Contains(t, string(w.Requests[0].Bytes), "X-A: 1\r\nX-All: y\r\n")
	require.True(t, strings.HasPrefix(string(w.Requests[1].Bytes), "POST /b "))
}

func TestRefused(t *testing.T) {
	for name, s := range map[string]Spec{
		"ftp":            {URL: "ftp://h/"},
		"two schemes":    {Targets: strings.NewReader("GET http://a:1/\n\nGET https://a:1/\n")},
		"h2, keep-alive": {URL: "http://h/", H2: true, Headers: []string{"Keep-Alive: 5"}},
		"h2, te":         {URL: "http://h/", H2: true, Headers: []string{"TE: gzip"}},
		"h2, method":     {URL: "http://h/", H2: true, Method: "GE T"},
		"no scheme":      {URL: "h:80/"},
		"no host":        {URL: "http:///x"},
		"bad URL":        {URL: "http://h/%zz"},
		"bad method":     {URL: "http://h/", Method: "GE T"},
		"bad header":     {URL: "http://h/", Headers: []string{"no colon"}},
		"injected line":  {URL: "http://h/", Headers: []string{"A: b\r\nC: d"}},
		"framing header": {URL: "http://h/", Headers: []string{"content-length: 5"}},
		"two servers":    {Targets: strings.NewReader("GET http://a/\n\nGET http://b/\n")},
		"no targets":     {Targets: strings.NewReader("\n")},
		"file and URL":   {Targets: strings.NewReader("GET http://a/\n"), URL: "http://a/"},
	} {
		_, err := New(s)
		require.Error(t, err, name)
	}
}

func TestResolve(t *testing.T) {
	w, err := New(Spec{URL: "http://[::1]:81/"})
	require.NoError(t, err)
	a, err := w.Resolve(context.Background())
	require.NoError(t, err)
	require.Equal(t, "[::1]:81", a.String())
}
