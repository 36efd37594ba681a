package telemetry

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestChosenFields(t *testing.T) {
	var s stamp
	e := entryOf("x")
	var all []field
	for i := range fieldNames {
		all = append(all, field(i))
	}
	var whole, chosen map[string]any
	require.NoError(t, json.Unmarshal(s.appendJSONLine(nil, e), &whole))
	require.NoError(t, json.Unmarshal(s.appendFields(nil, e, all, false), &chosen))
	require.Equal(t, whole, chosen, "all fields are the whole line")
	require.Len(t, chosen, len(fieldNames))

	require.Equal(t, `{"status":200,"path":"/a b"}`+"\n", string(s.appendFields(nil, &Entry{Status: 200, Path: []byte("/a b"), Duration: -1}, []field{8, 12, 5, 4}, false)))
	require.Equal(t, `200 - "/a b" -`+"\n", string(s.appendFields(nil, &Entry{Status: 200, Path: []byte("/a b"), Duration: -1}, []field{8, 12, 5, 4}, true)))
	secure := &Entry{Major: 2, TLSVersion: "TLSv1.3", TLSSuite: "AES", ALPN: "h2", ServerName: "a\"b"}
	require.Equal(t, `{"protocol":"HTTP/2.0","sni":"a\"b","tls":"TLSv1.3","cipher":"AES","alpn":"h2"}`+"\n", string(s.appendFields(nil, secure, []field{7, 23, 20, 21, 22}, false)))
	require.Equal(t, `"HTTP/2.0" "a\x22b" "TLSv1.3" "AES" "h2"`+"\n", string(s.appendFields(nil, secure, []field{7, 23, 20, 21, 22}, true)))
	require.Equal(t, "{}\n", string(s.appendFields(nil, &Entry{}, []field{20, 21, 22, 23}, false)), "without TLS")
	require.Equal(t, "- - - -\n", string(s.appendFields(nil, &Entry{}, []field{20, 21, 22, 23}, true)))
	require.Zero(t, testing.AllocsPerRun(100, func() { scratchLine = s.appendFields(scratchLine[:0], e, all, false) }))
}

var scratchLine = make([]byte, 0, 1<<16)

func TestSampling(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	l, err := OpenLog(LogOptions{Path: path, Format: "json", Fields: []string{"status", "path"}, Sample: 0.1, Slow: time.Second})
	require.NoError(t, err)
	w := l.NewWriter(func(func()) bool { return true })
	got := 0
	for range 100_000 {
		if w.Wants(200, 0, 1e6) {
			got++
		}
	}
	require.InDelta(t, 10_000, got, 600) // six standard deviations
	for range 100 {
		require.True(t, w.Wants(503, 0, 0))
		require.True(t, w.Wants(200, 1, 0))
		require.True(t, w.Wants(0, 0, 0))
		require.True(t, w.Wants(200, 0, 1e9))
	}
	w.Log(&Entry{Status: 200, Path: []byte("/x")})
	w.Close()
	require.NoError(t, l.Close(t.Context()))
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"status":200,"path":"/x"}`+"\n", string(b))

	_, err = OpenLog(LogOptions{Path: path, Format: "json", Fields: []string{"colour"}})
	require.ErrorContains(t, err, `unknown field "colour"`)
	require.Len(t, strings.Join(LogFields(), ","), len(strings.Join(fieldNames, ",")))
}
