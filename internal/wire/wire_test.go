package wire

import (
	"strings"
	"testing"
)

func TestLookupField(t *testing.T) {
	for id := FieldOther + 1; id < fieldCount; id++ {
		name := id.String()
		if name == "" {
			t.Fatalf("field %d has no name", id)
		}
		for _, spelling := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			if got := LookupField([]byte(spelling)); got != id {
				t.Errorf("%s is found as %d (%s), want %d: two names share a slot", spelling, got, got, id)
			}
		}
		// One byte off in any place, in the bits that folding touches and one that it does not; and one byte more or less.
		for i := range len(name) {
			for _, bit := range []byte{0x01, 0x40, 0x80} {
				b := []byte(name)
				b[i] ^= bit
				if got := LookupField(b); got != FieldOther {
					t.Errorf("%q is found as %s", b, got)
				}
			}
			b := []byte(name)
			if c := b[i]; c < 'A' { // digits and hyphens have no case
				b[i] ^= 0x20
				if got := LookupField(b); got != FieldOther {
					t.Errorf("%q is found as %s", b, got)
				}
			}
		}
		for _, near := range []string{name + "x", name[1:], "x" + name, strings.ReplaceAll(name, "-", "_")} {
			if got := LookupField([]byte(near)); got != FieldOther && near != name {
				t.Errorf("%q is found as %s", near, got)
			}
		}
	}
	for _, name := range []string{"", "a", "x-y", "\x00\x00\x00\x00", strings.Repeat("a", maxName), strings.Repeat("a", maxName+1), "X-Forwarded-Fox"} {
		if got := LookupField([]byte(name)); got != FieldOther {
			t.Errorf("%q is found as %s", name, got)
		}
	}
	if name := []byte("Content-Length"); testing.AllocsPerRun(100, func() { LookupField(name) }) != 0 {
		t.Error("LookupField allocates")
	}
}

func TestFieldTraits(t *testing.T) {
	for id, want := range map[FieldID]struct{ hop, trailer, nominable bool }{
		FieldOther:            {false, true, true},
		FieldConnection:       {true, false, true},
		FieldTransferEncoding: {true, false, true},
		FieldTE:               {true, false, true},
		FieldUpgrade:          {true, false, true},
		FieldTrailer:          {false, false, false},
		FieldHost:             {false, false, false},
		FieldContentLength:    {false, false, false},
		FieldAuthorization:    {false, false, false},
		FieldXForwardedFor:    {false, false, false},
		FieldETag:             {false, true, false},
		fieldCount:            {false, false, false},
	} {
		if id.HopByHop() != want.hop || id.TrailerAllowed() != want.trailer || id.Nominable() != want.nominable {
			t.Errorf("%q: hop %v, trailer %v, nominable %v; want %+v", id, id.HopByHop(), id.TrailerAllowed(), id.Nominable(), want)
		}
	}
}

func TestMethods(t *testing.T) {
	for m := MethodGet; m <= MethodPatch; m++ {
		if got := LookupMethod([]byte(m.String())); got != m {
			t.Errorf("%s is found as %s", m, got)
		}
		if got := LookupMethod([]byte(strings.ToLower(m.String()))); got != MethodOther {
			t.Errorf("%s in lower case is found as %s", m, got)
		}
	}
	for _, c := range []struct {
		m                Method
		safe, idempotent bool
	}{
		{MethodGet, true, true}, {MethodHead, true, true}, {MethodOptions, true, true}, {MethodTrace, true, true},
		{MethodPut, false, true}, {MethodDelete, false, true},
		{MethodPost, false, false}, {MethodPatch, false, false}, {MethodConnect, false, false}, {MethodOther, false, false},
	} {
		if c.m.IsSafe() != c.safe || c.m.IsIdempotent() != c.idempotent {
			t.Errorf("%s: safe %v, idempotent %v", c.m, c.m.IsSafe(), c.m.IsIdempotent())
		}
	}
	if got := Method(200).String(); got != "OTHER" {
		t.Errorf("an unknown method is called %q", got)
	}
}

func TestStatusText(t *testing.T) {
	for status, want := range map[int]string{200: "OK", 404: "Not Found", 413: "Content Too Large", 299: "", 0: "", -1: "", 600: "", 1 << 20: ""} {
		if got := StatusText(status); got != want {
			t.Errorf("status %d is %q, want %q", status, got, want)
		}
	}
}

// Each limit must leave room for what lies within it, or it could never be reached.
func TestLimitRelations(t *testing.T) {
	d := DefaultLimits
	for what, ok := range map[string]bool{
		"a request line fits into a head":                        d.LineBytes < d.HeadBytes,
		"a head can hold as many fields as are allowed":          d.LineBytes+d.Fields*len("x:y\r\n") < d.HeadBytes,
		"a trailer section can hold as many fields":              d.Fields*len("x:y\r\n") < d.TrailerBytes,
		"a chunk-size line can hold a size and an extension":     d.ChunkLineBytes >= 16+len(";x=y"),
		"what has to be kept of a body is no more than of heads": d.TrailerBytes <= d.HeadBytes,
		"a head fits into one 64 KiB buffer":                     d.HeadBytes <= 64<<10,
	} {
		if !ok {
			t.Errorf("it does not hold that %s: %+v", what, d)
		}
	}
}

func TestLimitsWithDefaults(t *testing.T) {
	if got := (Limits{}).WithDefaults(); got != DefaultLimits {
		t.Errorf("%+v, want %+v", got, DefaultLimits)
	}
	got := Limits{HeadBytes: 1 << 10, Fields: -1, AllowUnderscore: true}.WithDefaults()
	want := DefaultLimits
	want.HeadBytes, want.AllowUnderscore = 1<<10, true
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestErrorTwins(t *testing.T) {
	e := NewError(400, "bad_x", "x must be y")
	up := e.Upstream()
	if up.Status != 502 || up.Code != e.Code || up.Detail != e.Detail {
		t.Errorf("twin %+v", up)
	}
	if up.Upstream() != up || (*Error)(nil).Upstream() != nil || e.Upstream() != up {
		t.Error("the twin is not stable")
	}
	if got := e.Error(); got != "bad_x: x must be y" {
		t.Errorf("text %q", got)
	}
}

func TestHeadGet(t *testing.T) {
	h := Head{Fields: []Field{{Name: []byte("Via"), Value: []byte("a"), ID: FieldVia}, {Name: []byte("via"), Value: []byte("b"), ID: FieldVia},
		{Name: []byte("Date"), Value: []byte{}, ID: FieldDate}}}
	if got := h.Get(FieldVia); string(got) != "a" {
		t.Errorf("Via is %q", got)
	}
	if h.Get(FieldDate) == nil || h.Get(FieldHost) != nil {
		t.Error("an empty value must not be nil, a missing one must")
	}
}

func TestSplitAuthority(t *testing.T) {
	for _, c := range []struct {
		in, host, port string
		ok             bool
	}{
		{"a", "a", "", true}, {"A.b-c_d~1", "A.b-c_d~1", "", true}, {"a.example.", "a.example.", "", true},
		{"a:1", "a", "1", true}, {"a:65535", "a", "65535", true}, {"10.0.0.1:80", "10.0.0.1", "80", true},
		{"[::]", "[::]", "", true}, {"[::1]:80", "[::1]", "80", true}, {"[1:2:3:4:5:6:7:8]", "[1:2:3:4:5:6:7:8]", "", true},
		{"[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]", "", true}, {"[2001:DB8::]", "[2001:DB8::]", "", true}, {"[1:2:3:4:5:6:1.2.3.4]:1", "[1:2:3:4:5:6:1.2.3.4]", "1", true},
		{in: ""}, {in: ":80"}, {in: "a:"}, {in: "a:0"}, {in: "a:65536"}, {in: "a:123456"}, {in: "a:+1"}, {in: "a:1:2"}, {in: "::1"},
		{in: ".a"}, {in: "a..b"}, {in: "."}, {in: "a b"}, {in: "a/b"}, {in: "u@a"}, {in: "a%20b"}, {in: "a,b"}, {in: "a\\b"}, {in: "a\x00"}, {in: "\xc3\xa4"},
		{in: "["}, {in: "[]"}, {in: "[::1"}, {in: "[::1]a"}, {in: "[::1]:"}, {in: "[:]"}, {in: "[:::]"}, {in: "[1::2::3]"}, {in: "[12345::]"}, {in: "[1:2:3:4:5:6:7]"},
		{in: "[1:2:3:4:5:6:7:8:9]"}, {in: "[1:2:3:4:5:6:7::8]"}, {in: "[::1:]"}, {in: "[:1::]"}, {in: "[g::]"}, {in: "[fe80::1%25eth0]"}, {in: "[v1.x]"},
		{in: "[::1.2.3]"}, {in: "[::1.2.3.256]"}, {in: "[::1.2.3.4.5]"}, {in: "[::01.2.3.4]"}, {in: "[::1.2.3.4:1]"}, {in: "[1.2.3.4]"},
	} {
		host, port, ok := SplitAuthority([]byte(c.in))
		if string(host) != c.host || string(port) != c.port || ok != c.ok {
			t.Errorf("%q: %q, %q, %v; want %q, %q, %v", c.in, host, port, ok, c.host, c.port, c.ok)
		}
	}
}

func TestEqualFold(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"Host", "hOST", true}, {"a", "ab", false}, {"a[", "a{", false}, {"", "", true}, {"k", "\u212a", false}} {
		if got := EqualFold([]byte(c.a), []byte(c.b)); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}

func TestClasses(t *testing.T) {
	const token = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	for i := range 256 {
		c := byte(i)
		visible := c > ' ' && c < 0x7f
		for what, want := range map[uint8]bool{
			ClassToken:      strings.IndexByte(token, c) >= 0,
			ClassValue:      visible || c == ' ' || c == '\t' || c >= 0x80,
			ClassTarget:     visible && c != '#',
			ClassPlain:      visible && strings.IndexByte(`#%/?\`, c) < 0,
			ClassUnreserved: strings.IndexByte(token[strings.IndexByte(token, '0'):]+"-._~", c) >= 0,
			ClassHex:        strings.IndexByte("0123456789abcdefABCDEF", c) >= 0,
		} {
			if got := Class[c]&what != 0; got != want {
				t.Errorf("byte %#x, class %#x: %v", c, what, got)
			}
		}
	}
}

func BenchmarkLookupField(b *testing.B) {
	names := [][]byte{[]byte("Host"), []byte("User-Agent"), []byte("Accept-Encoding"), []byte("Sec-Fetch-Mode")}
	for b.Loop() {
		for _, n := range names {
			LookupField(n)
		}
	}
}

func BenchmarkNormalizePath(b *testing.B) {
	for name, p := range map[string]string{"normal": "/static/app/main.js", "rewritten": "/static/../app//main%2ejs"} {
		b.Run(name, func(b *testing.B) {
			in, dst := []byte(p), make([]byte, 0, 64)
			for b.Loop() {
				if _, _, err := NormalizePath(dst, in, NormalizeOptions{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
