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
