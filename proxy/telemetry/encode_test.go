package telemetry

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/exchange"
)

func fullEntry() *Entry {
	return &Entry{
		Time: time.Date(2026, 3, 4, 5, 6, 7, 8900, time.FixedZone("", 3600)), Listener: "edge",
		Client: netip.MustParseAddrPort("[2001:db8::1]:4711"), Method: []byte("GET"), Host: []byte("api.example.com:80"), Path: []byte("/a b"), Query: []byte("x=\"1\""),
		RequestID: []byte("r-1"), UserAgent: []byte("curl/8"), Minor: 1, Status: 504, Flags: exchange.UpstreamConnectFailure | exchange.UpstreamTimeout,
		BytesIn: 12, BytesOut: 34, Duration: 5_000_999, UpstreamTime: 4_000_000, Attempts: 2, Route: "api", Cluster: "c", Endpoint: "127.0.0.1:9000",
		Code: "connect_timeout", Detail: "connecting took too long",
	}
}

func TestLines(t *testing.T) {
	bare := &Entry{Time: time.Unix(0, 0), Duration: -1, UpstreamTime: -1}
	for _, c := range []struct {
		name, json, text string
		e                *Entry
	}{
		{"full",
			`{"time":"2026-03-04T04:06:07.000008Z","listener":"edge","client":"[2001:db8::1]:4711","method":"GET","host":"api.example.com:80","path":"/a b","query":"x=\"1\"",` +
				`"protocol":"HTTP/1.1","status":504,"flags":"UF,UT","bytes_in":12,"bytes_out":34,"duration_us":5000,"upstream_us":4000,"attempts":2,"route":"api","cluster":"c",` +
				`"endpoint":"127.0.0.1:9000","request_id":"r-1","user_agent":"curl/8","code":"connect_timeout","detail":"connecting took too long"}`,
			`2026-03-04T04:06:07.000008Z [2001:db8::1]:4711 "GET /a b?x=\x221\x22 HTTP/1.1" "api.example.com:80" 504 UF,UT 12 34 5000 4000 2 "edge" "api" "c" "127.0.0.1:9000" "r-1" "curl/8" ` +
				`connect_timeout "connecting took too long"`,
			fullEntry()},
		{"bare",
			`{"time":"1970-01-01T00:00:00.000000Z","protocol":"HTTP/1.0","status":0,"bytes_in":0,"bytes_out":0}`,
			`1970-01-01T00:00:00.000000Z - "  HTTP/1.0" - 0 - 0 0 - - 0 - - - - - - - -`,
			bare},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s stamp
			assert.Equal(t, c.json+"\n", string(s.appendJSONLine(nil, c.e)))
			assert.Equal(t, c.text+"\n", string(s.appendTextLine(nil, c.e)))
		})
	}
}

func TestStampFollowsTheSecond(t *testing.T) {
	var s stamp
	for _, us := range []int64{0, 0, 1_700_000_000_000_001, 1_700_000_000_000_001, 1_700_000_000_999_999, 1_700_000_001_000_000, 1_699_999_999_120_000, -1, 0, 253_402_300_800_000_000, 1} {
		at := time.UnixMicro(us)
		assert.Equal(t, at.UTC().Format("2006-01-02T15:04:05.000000Z"), string(s.append(nil, at)))
	}
}

// nasty values, each of which once broke some logger.
var nasty = []string{
	"", "plain", `"`, `\`, "\n", "\r\n{\"status\":200}", "\x00\x1f\x7f", "é", "日本", "\xff", "a\xc3", "\xed\xa0\x80", "\u2028\u2029", "\u009b31m", "</script>", "\U0001f600",
	strings.Repeat("x", 5000), strings.Repeat("\x01", 5000), strings.Repeat("\xf0\x9f\x98\x80", 3000),
}

func checkText(t *testing.T, in string) {
	t.Helper()
	const limit = 300
	quoted := append(appendJSON([]byte{'"'}, in, limit), '"')
	var got string
	require.NoError(t, json.Unmarshal(quoted, &got), "%q", quoted)
	assert.LessOrEqual(t, len(quoted), limit+len(cutMark)+2)
	b, err := json.Marshal(in)
	require.NoError(t, err)
	var want string
	require.NoError(t, json.Unmarshal(b, &want))
	if kept, cut := strings.CutSuffix(got, cutMark); cut && got != want {
		assert.True(t, strings.HasPrefix(want, kept), "%q is no beginning of %q", kept, want)
		assert.Greater(t, len(b), limit-8, "cut without need")
	} else {
		assert.Equal(t, want, got)
	}
	assert.Equal(t, quoted, append(appendJSON([]byte{'"'}, []byte(in), limit), '"'), "string and bytes give the same")

	line := appendEscaped(nil, in, limit)
	assert.LessOrEqual(t, len(line), limit+12+len(cutMark))
	assert.True(t, utf8.Valid(line))
	for _, r := range string(line) {
		assert.False(t, r < 0x20 || r == '"' || r >= 0x7f && r < 0xa0, "%q in %q", r, line)
	}
}

func TestNastyTexts(t *testing.T) {
	for _, s := range nasty {
		for i := range min(len(s), 400) + 1 {
			checkText(t, s[:i])
		}
		checkText(t, s)
	}
}

// Each byte at each place of a value, among others that are plain and that are not: what is plain is appended, with room behind it and without.
func TestPlain(t *testing.T) {
	roomy := make([]byte, 1, 64)
	for c := range 256 {
		special := c < ' ' || c == '"' || c == '\\' || c >= 0x7f
		for n := range 20 {
			for at := range n {
				for _, others := range []string{"a", "~", " ", "!", "#", "[", "]"} {
					s := []byte(strings.Repeat(others, n))
					s[at] = byte(c)
					want := n
					if special {
						want = at
					}
					got, length := appendPlain(roomy, s)
					require.Equal(t, want, length, "%q", s)
					require.Equal(t, "\x00"+string(s[:want]), string(got))
					if at+1 < n { // what follows does not matter
						s[at+1] = 0xff
						want = min(want, at+1)
					}
					got, length = appendPlain([]byte{0}, string(s))
					require.Equal(t, want, length, "%q", s)
					require.Equal(t, "\x00"+string(s[:want]), string(got))
				}
			}
		}
	}
}

func FuzzTexts(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(checkText)
}

// Every text field of an entry, whatever is in it, gives one line that JSON parsers read, and one line of text.
func FuzzLine(f *testing.F) {
	for _, s := range nasty {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := entryOf(s)
		var st stamp
		line := st.appendJSONLine(nil, e)
		assert.Equal(t, 1, strings.Count(string(line), "\n"))
		var got map[string]any
		require.NoError(t, json.Unmarshal(line, &got), "%q", line)
		assert.Equal(t, 1, strings.Count(string(st.appendTextLine(nil, e)), "\n"))
	})
}

// entryOf has s in every text field and the longest numbers.
func entryOf(s string) *Entry {
	b := []byte(s)
	return &Entry{
		Time: time.Unix(1<<37, 0), Listener: s, Client: netip.AddrPortFrom(netip.MustParseAddr("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").WithZone("abcdefghijklmno"), 65535),
		Method: b, Host: b, Path: b, Query: b, RequestID: b, UserAgent: b, Major: 2, Minor: 255, Status: -1 << 63, Flags: 1<<16 - 1, BytesIn: -1 << 63, BytesOut: -1 << 63,
		Duration: 1<<63 - 1, UpstreamTime: 1<<63 - 1, Attempts: 1<<63 - 1, Route: s, Cluster: s, Endpoint: s, TLSVersion: s, TLSSuite: s, ALPN: s, ServerName: s, Code: s, Detail: s,
	}
}

func TestLongestLine(t *testing.T) {
	for _, s := range nasty[len(nasty)-3:] {
		var st stamp
		var all []field
		for i := range fieldNames {
			all = append(all, field(i))
		}
		assert.Less(t, len(st.appendFields(nil, entryOf(s), all, false)), maxLine)
		assert.Less(t, len(st.appendFields(nil, entryOf(s), all, true)), maxLine)
		assert.Less(t, len(st.appendJSONLine(nil, entryOf(s))), maxLine)
		assert.Less(t, len(st.appendTextLine(nil, entryOf(s))), maxLine)
	}
}
