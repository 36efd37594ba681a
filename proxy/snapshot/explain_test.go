package snapshot

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const explained = `
listeners: [{address: ":8080"}]
clusters:
  - name: api
    endpoints: [{address: 127.0.0.1:9000}, {address: db.invalid:9001}]
routes:
  - {name: users, match: {host: api.example.com, path: "/users/{id}/*"}, cluster: api}
  - {name: other host, match: {host: "*.example.org"}, cluster: api}
  - {name: post, match: {path: /users/*, methods: [POST]}, cluster: api}
  - {name: static, match: {path: /static/*}, respond: {status: 404}}
  - {name: echo, match: {path: /e, methods: [PUT]}, echo: true}
  - {name: all, match: {path: /users/*}, respond: {}}
`

func TestExplain(t *testing.T) {
	s, err := BuildWith(parse(t, explained), 1, nil)
	require.NoError(t, err)

	e := Explain(s, &Question{Method: "GET", Target: "https://api.example.com:8443/x/../users/%41nn/posts/7?q=1#top"})
	require.Equal(t, &Explanation{
		Method: "GET", Host: "api.example.com:8443", Path: "/users/Ann/posts/7", Result: "found",
		Route: &ExplainedRoute{
			Name: "users", Match: "api.example.com, /users/{id}/*, any method", Params: map[string]string{"id": "Ann"}, Rest: "posts/7",
			Action: "cluster", Cluster: "api", Balance: "round_robin", Endpoints: []string{"127.0.0.1:9000", "db.invalid:9001"},
			Why:      "round robin decides when it comes",
			Policies: []string{"one retry (connect, reset, timeout, refused), after a random wait of up to 25ms, doubled each time, at most 250ms; budget: 20 % of requests, and 10 a second in any case"},
			Timeouts: map[string]string{"connect": "2s", "first_byte": "30s", "idle": "1m0s"},
		},
		Others: []OtherRoute{
			{Name: "other host", Part: "host", Reason: `host "api.example.com:8443" is not *.example.org`},
			{Name: "post", Part: "method", Reason: "method GET is not POST"},
			{Name: "static", Part: "path", Reason: "path /users/Ann/posts/7 is not /static/*"},
			{Name: "echo", Part: "path", Reason: "path /users/Ann/posts/7 is not /e"},
			{Name: "all", Part: "host", Reason: "it matches too, but the host of users is more specific", Matches: true},
		},
	}, e)
	var b strings.Builder
	require.NoError(t, e.WriteText(&b))
	require.Equal(t, `GET api.example.com:8443 /users/Ann/posts/7
→ route users (api.example.com, /users/{id}/*, any method)
  forwards to cluster api, round_robin over 127.0.0.1:9000, db.invalid:9001
  {id} is Ann
  * is posts/7
  endpoint: round robin decides when it comes
  one retry (connect, reset, timeout, refused), after a random wait of up to 25ms, doubled each time, at most 250ms; budget: 20 % of requests, and 10 a second in any case
  timeouts: connect 2s, first_byte 30s, idle 1m0s
not taken:
  other host  host "api.example.com:8443" is not *.example.org
  post        method GET is not POST
  static      path /users/Ann/posts/7 is not /static/*
  echo        path /users/Ann/posts/7 is not /e
  all         it matches too, but the host of users is more specific
`, b.String())
}

func hostHeader(host string) []Header {
	if host == "" {
		return nil
	}
	return []Header{{"Host", host}}
}

func TestExplainOutcomes(t *testing.T) {
	s, err := BuildWith(parse(t, explained), 1, nil)
	require.NoError(t, err)
	tests := []struct {
		method, target, host string
		result, route, text  string
	}{
		{"POST", "/users/1", "x", "found", "post", "it matches too, but the method of post is more specific"},
		{"GET", "http://user:secret@a.example.org", "", "found", "other host", "any method"},
		{"GET", "/static/a", "", "found", "static", "answers 404 from the configuration"},
		{"PUT", "/e", "", "found", "echo", "the request's own body"},
		{"GET", "/e", "", "method_not_allowed", "", "405: routes match host and path, but not the method; allowed: PUT"},
		{"GET", "/none", "", "not_found", "", "404: no route matches"},
		{"GET", "/static", "", "not_found", "", "(which needs a slash after /static)"},
		{"GET", "/../x", "", "bad_path", "", "→ 400: path_above_root"},
		{"GET", "relative", "", "bad_path", "", "→ 400: bad_path"},
	}
	for _, tt := range tests {
		e := Explain(s, &Question{Method: tt.method, Target: tt.target, Headers: hostHeader(tt.host)})
		require.Equal(t, tt.result, e.Result, tt.target)
		if tt.route != "" {
			require.Equal(t, tt.route, e.Route.Name, tt.target)
		} else {
			require.Nil(t, e.Route)
		}
		var b strings.Builder
		require.NoError(t, e.WriteText(&b))
		require.Contains(t, b.String(), tt.text, tt.target)
	}
}
