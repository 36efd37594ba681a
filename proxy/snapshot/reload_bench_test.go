package snapshot

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/config"
	"github.com/blitz-gateway/blitz/proxy/route"
)

// large is a configuration with n routes besides one whose answer is word.
func large(n int, word string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `listeners:
  - {name: edge, address: 127.0.0.1:0}
clusters:
  - {name: up, endpoints: [{address: 127.0.0.1:9}]}
routes:
  - {match: {path: /generation}, respond: {body: %q}}
`, word)
	for i := range n {
		fmt.Fprintf(&b, "  - {match: {host: h%d.example.com, path: \"/api/%d/*\"}, cluster: up}\n", i%100, i)
	}
	return []byte(b.String())
}

// What a reload costs when one of 10,000 routes answers differently: all of it, and its parts.
func BenchmarkReload(b *testing.B) {
	texts := [2][]byte{large(10000, "a"), large(10000, "b")}
	prev, err := Parse("a.yaml", texts[0], nil, 1)
	require.NoError(b, err)
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		s := prev
		for i := range b.N {
			if s, err = Parse("a.yaml", texts[(i+1)%2], s, s.Generation+1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("all, with another path", func(b *testing.B) {
		b.ReportAllocs()
		s := prev
		other := bytes.Replace(texts[0], []byte("path: /generation"), []byte("path: /version"), 1)
		for i := range b.N {
			if s, err = Parse("a.yaml", [][]byte{other, texts[0]}[i%2], s, s.Generation+1); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for i := range b.N {
			if _, err := config.Parse("a.yaml", texts[i%2]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("table", func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			if _, err := route.Build(prev.Rules()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
