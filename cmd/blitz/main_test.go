package main

import (
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// What plainServe takes, kong would have understood in the same way.
func TestPlainServeAgreesWithKong(t *testing.T) {
	for line, plain := range map[string]bool{
		"serve":                 true,
		"serve --config a.yaml": true,
		"serve --config=a.yaml": true,
		"serve -c a.yaml":       true,
		"serve -ca.yaml":        false,
		"serve --help":          false,
		"serve --config":        false,
		"serve --config=":       false,
		"serve --config -c":     false,
		"serve a b":             false,
		"version":               false,
		"":                      false,
	} {
		got, ok := plainServe(strings.Fields(line))
		require.Equal(t, plain, ok, line)
		if !ok {
			continue
		}
		var c cli
		k, err := kong.New(&c)
		require.NoError(t, err)
		_, err = k.Parse(strings.Fields(line))
		require.NoError(t, err, line)
		require.Equal(t, c.Serve, *got, line)
	}
}

// The command lines of the documents are understood.
func TestCommandLines(t *testing.T) {
	for line, want := range map[string]any{
		"plan --config new --current old":       PlanCmd{Config: "new", Current: "old"},
		"plan -c new --current old --json":      PlanCmd{Config: "new", Current: "old", JSON: true},
		"plan --config new --admin a:1":         PlanCmd{Config: "new", Admin: "a:1"},
		"plan --config new":                     PlanCmd{Config: "new"},
		"plan --config n --admin a --current":   nil,
		"plan --config n --admin a --current c": nil,
		"plan":                                  nil,
		"validate a.yaml":                       ValidateCmd{File: "a.yaml"},
		"validate":                              nil,
		"validate --full a.yaml":                ValidateCmd{File: "a.yaml", Full: true},
		"explain --config a.yaml -H A:b GET /x": ExplainCmd{Config: "a.yaml", Headers: []string{"A:b"}, Method: "GET", URL: "/x"},
		"explain -c a.yaml GET /x":              ExplainCmd{Config: "a.yaml", Method: "GET", URL: "/x"},
	} {
		var c cli
		k, err := kong.New(&c)
		require.NoError(t, err)
		_, err = k.Parse(strings.Fields(line))
		if want == nil {
			require.Error(t, err, line)
			continue
		}
		require.NoError(t, err, line)
		require.Contains(t, []any{c.Plan, c.Validate, c.Explain}, want, line)
	}
}
