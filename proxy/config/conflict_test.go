package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSameRequests(t *testing.T) {
	try := func(first, second string) error {
		_, err := Parse("a.yaml", []byte("listeners: [{address: ':8080'}]\nroutes:\n  - {name: a, match: {"+first+"}, respond: {}}\n  - {name: b, match: {"+second+"}, respond: {}}\n"))
		return err
	}
	for _, x := range [][2]string{
		{`headers: [{name: X, exact: "b*"}]`, `headers: [{name: X, prefix: b}]`},
		{`query: [{name: "a=b"}]`, `query: [{name: a, exact: b}]`},
		{`headers: [{name: X}]`, `query: [{name: X}]`},
		{`source: [10.0.0.0/8]`, `source: [10.0.0.0/9]`},
		{`methods: [GET], headers: [{name: X}]`, `methods: [PUT], headers: [{name: X}]`},
	} {
		require.NoError(t, try(x[0], x[1]), x)
	}
	for _, x := range [][2]string{
		{`headers: [{name: X, exact: b}]`, `headers: [{name: x, exact: b}]`},
		{`query: [{name: a, absent: true}]`, `query: [{name: a, absent: true}]`},
		{`source: [10.0.0.0/8]`, `source: [10.0.0.0/8]`},
		{`path: "/{a}/b", headers: [{name: X}]`, `path: "/{c}/b", headers: [{name: X}]`},
	} {
		require.ErrorContains(t, try(x[0], x[1]), "matches the same requests as the one on line 3", x)
	}
}

func TestRedirectToItself(t *testing.T) {
	try := func(match, redirect string) error {
		_, err := Parse("a.yaml", []byte("listeners: [{address: ':8080'}]\nroutes: [{match: {"+match+"}, redirect: {"+redirect+"}}]\n"))
		return err
	}
	for _, x := range [][2]string{{"path: /a", "path: /a"}, {"path: '/a/{id}'", "path: '/a/{id}', status: 308"}, {"path: /a", "path: /a, drop_query: true"}} {
		require.ErrorContains(t, try(x[0], x[1]), "leads to where the request came from", x)
	}
	for _, x := range [][2]string{
		{"path: /a", "path: /b"}, {"path: /a", "path: /a, scheme: https"}, {"path: /a", "path: /a, host: other.test"}, {"path: /a, query: [{name: q}]", "path: /a, drop_query: true"},
	} {
		require.NoError(t, try(x[0], x[1]), x)
	}
}
