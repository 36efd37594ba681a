package hpack

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A block that inserts, and then one of indices, decode to the same fields, and the second is a byte for each field.
func TestTemplates(t *testing.T) {
	fields := [][2]string{{":method", "GET"}, {":authority", "example.com:8443"}, {":path", "/1k"}, {"user-agent", "x"}, {"x-own", "value"}}
	var first, next []byte
	inserted := 0
	for _, f := range fields {
		if f[0] == ":method" {
			first = AppendLiteral(first, f[0], f[1])
			continue
		}
		first = AppendInsert(first, f[0], f[1])
		inserted++
	}
	next = AppendLiteral(next, ":method", "GET")
	for i := range inserted {
		next = AppendIndexed(next, FirstDynamic+inserted-1-i)
	}
	require.Len(t, next, len(fields))
	var d Decoder
	d.Init(1<<15, 100)
	for _, block := range [][]byte{first, next, next} {
		var l List
		require.Nil(t, d.Decode(block, &l))
		require.Len(t, l.Fields, len(fields))
		for i, f := range l.Fields {
			require.Equal(t, fields[i], [2]string{string(f.Name), string(f.Value)})
		}
	}
	var plain List
	require.Nil(t, d.Decode(AppendLiteral(AppendLiteral(nil, "te", "trailers"), ":path", "/x"), &plain))
	require.Equal(t, "te", string(plain.Fields[0].Name))
	require.Equal(t, "/x", string(plain.Fields[1].Value))
	var e Encoder
	e.Init(DefaultTableBytes)
	require.Equal(t, DefaultTableBytes, e.TableSize())
	e.Allow(100)
	require.Equal(t, 100, e.TableSize())
}
