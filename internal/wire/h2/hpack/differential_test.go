package hpack

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	xnet "golang.org/x/net/http2/hpack"
)

// Every code, alone and among others, against x/net, and back.
func TestHuffmanAgainstXNet(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(s []byte) {
		t.Helper()
		enc := appendHuffman(nil, s, huffmanSize(s))
		if want := xnet.AppendHuffmanString(nil, string(s)); !bytes.Equal(enc, want) || len(enc) != huffmanSize(s) {
			t.Fatalf("%q is %x, want %x", s, enc, want)
		}
		dst := make([]byte, huffmanRoom(len(enc)))
		n, ok := decodeHuffman(dst, enc)
		if !ok || !bytes.Equal(dst[:n], s) {
			t.Fatalf("%x is %q (%v), want %q", enc, dst[:n], ok, s)
		}
	}
	for c := range 256 {
		for pad := range 20 {
			check(append(bytes.Repeat([]byte{'0'}, pad), byte(c)))
			check(append([]byte{byte(c)}, bytes.Repeat([]byte{'z'}, pad)...))
		}
	}
	for range 5000 {
		s := make([]byte, rng.IntN(60))
		for i := range s {
			s[i] = byte(rng.Uint32())
			if rng.IntN(3) > 0 {
				s[i] = "0123456789abcdefghij/:-. %&="[rng.IntN(28)]
			}
		}
		check(s)
	}
}

func FuzzHuffman(f *testing.F) {
	for _, s := range []string{"", "\xff", "\x1f", "\xff\xff\xff\xff", "\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		dst := make([]byte, huffmanRoom(len(in)))
		n, ok := decodeHuffman(dst, in)
		var want bytes.Buffer
		_, err := xnet.HuffmanDecode(&want, in)
		if ok != (err == nil) || ok && !bytes.Equal(dst[:n], want.Bytes()) {
			t.Fatalf("%x: %q, %v; x/net %q, %v", in, dst[:n], ok, want.Bytes(), err)
		}
	})
}

// FuzzHpackDecode feeds the input, cut into blocks, to both decoders. They must agree on every field; on whether a block
// is good they may differ where this package is stricter and says so.
func FuzzHpackDecode(f *testing.F) {
	for _, s := range []string{
		"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", "\x40\x01a\x01b\xbe\xbe", "\x20\x3f\xe1\x1f\x40\x01a\x01b\xbe",
		"\x10\x08password\x06secret", "\x7e\x01x", "\xff\xff\xff\xff\x0f", "\x00\x01a\x81\xff",
	} {
		f.Add([]byte(s), uint8(9))
		f.Add([]byte(s+s), uint8(len(s)))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		d, l := new(Decoder), new(List)
		d.Init(1<<30, 1<<30)
		var got []xnet.HeaderField
		x := xnet.NewDecoder(DefaultTableBytes, func(f xnet.HeaderField) { got = append(got, f) })
		for len(in) > 0 {
			n := min(int(cut)+1, len(in))
			block := in[:n]
			in = in[n:]
			got = got[:0]
			err := d.Decode(block, l)
			_, xerr := x.Write(block)
			if xerr == nil {
				xerr = x.Close()
			}
			if err != nil {
				if xerr == nil && err != ErrInteger && err != ErrSizeUpdate {
					t.Fatalf("%x: %v, x/net takes it", block, err)
				}
				return
			}
			if xerr != nil {
				t.Fatalf("%x: taken, x/net says %v", block, xerr)
			}
			if len(got) != len(l.Fields) {
				t.Fatalf("%x: %d fields, x/net %d", block, len(l.Fields), len(got))
			}
			size := 0
			for i, f := range l.Fields {
				if string(f.Name) != got[i].Name || string(f.Value) != got[i].Value || f.ID != wire.LookupField(f.Name) {
					t.Fatalf("%x: %q: %q (%v), x/net %v", block, f.Name, f.Value, f.ID, got[i])
				}
				size += len(f.Name) + len(f.Value) + EntryOverhead
			}
			if size != l.Bytes {
				t.Fatalf("size %d, want %d", l.Bytes, size)
			}
			checkTable(t, &d.t)
		}
	})
}

// checkTable checks that the counts of a table fit its entries.
func checkTable(t *testing.T, tab *table) {
	t.Helper()
	size, bytes := 0, 0
	for number := tab.next - tab.count; number != tab.next; number++ {
		e := tab.at(number)
		size += int(e.name) + int(e.value) + EntryOverhead
		bytes += int(e.name) + int(e.value)
	}
	if size != tab.size || size > tab.max || bytes > len(tab.buf) || int(tab.count) > len(tab.slots) {
		t.Fatalf("entries have %d bytes, the table says %d of %d; ring %d, slots %d of %d", size, tab.size, tab.max, len(tab.buf), tab.count, len(tab.slots))
	}
}

// Random traffic, as repetitive as real one, from our encoder to both decoders and from x/net's encoder to ours, with
// tables that change their size on the way.
func TestEncoderAgainstXNet(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var e Encoder
		e.Init([]int{0, 100, 4096, 1 << 16}[rng.IntN(4)])
		d, l := newDecoder(), new(List)
		d.Allow(1 << 16)
		var got []xnet.HeaderField
		x := xnet.NewDecoder(DefaultTableBytes, func(f xnet.HeaderField) { got = append(got, f) })
		x.SetAllowedMaxDynamicTableSize(1 << 16)
		var buf bytes.Buffer
		xe := xnet.NewEncoder(&buf)
		xd, xl := newDecoder(), new(List)
		xd.Allow(1 << 16)
		var block []byte
		for range 300 {
			if rng.IntN(20) == 0 {
				n := []uint32{0, 40, 200, 4096, 60000, 1 << 20}[rng.IntN(6)]
				e.Allow(n)
				xe.SetMaxDynamicTableSize(min(n, 1<<16))
			}
			buf.Reset()
			got = got[:0]
			var want strings.Builder
			block = e.Begin(block[:0])
			for range rng.IntN(12) {
				name, value := randomField(rng)
				want.WriteString(strings.ToLower(name) + ": " + value + "\n")
				block = appendAny(&e, block, name, value)
				_ = xe.WriteField(xnet.HeaderField{Name: strings.ToLower(name), Value: value, Sensitive: rng.IntN(20) == 0})
			}
			if err := d.Decode(block, l); err != nil || text(l.Fields) != want.String() {
				t.Fatalf("seed %d: error %v, %q, want %q", seed, err, text(l.Fields), want.String())
			}
			if _, err := x.Write(block); err != nil {
				t.Fatalf("seed %d: x/net: %v, %x", seed, err, block)
			}
			_ = x.Close()
			for i, f := range got {
				if f.Name != string(l.Fields[i].Name) || f.Value != string(l.Fields[i].Value) {
					t.Fatalf("seed %d: x/net has %v for %q", seed, f, l.Fields[i].Value)
				}
			}
			if err := xd.Decode(buf.Bytes(), xl); err != nil || text(xl.Fields) != want.String() {
				t.Fatalf("seed %d: from x/net: error %v, %q, want %q", seed, err, text(xl.Fields), want.String())
			}
			checkTable(t, &e.t)
			checkTable(t, &d.t)
			if e.t.size != d.t.size {
				t.Fatalf("seed %d: tables of %d and %d bytes", seed, e.t.size, d.t.size)
			}
		}
	}
}

func appendAny(e *Encoder, dst []byte, name, value string) []byte {
	n, v := []byte(name), []byte(value)
	switch name {
	case ":method":
		return e.AppendMethod(dst, wire.LookupMethod(v), v)
	case ":scheme":
		return e.AppendScheme(dst, v)
	case ":path":
		return e.AppendPath(dst, v)
	case ":authority":
		return e.AppendAuthority(dst, v)
	case ":protocol":
		return e.AppendProtocol(dst, v)
	case ":status":
		return e.AppendStatus(dst, int(v[0]-'0')*100+int(v[1]-'0')*10+int(v[2]-'0'))
	}
	return e.AppendField(dst, wire.LookupField(n), n, v)
}

func randomField(rng *rand.Rand) (string, string) {
	name := []string{":method", ":scheme", ":path", ":authority", ":protocol", ":status", "Accept-Encoding", "cookie", "Authorization", "X-Custom",
		"content-length", "User-Agent", "x-" + string(rune('a'+rng.IntN(26))), "TE", "date", "Set-Cookie", "server"}[rng.IntN(17)]
	switch name {
	case ":status":
		return name, []string{"200", "404", "302", "999", "103", "500", "304"}[rng.IntN(7)]
	case ":method":
		return name, []string{"GET", "POST", "PUT", "BREW"}[rng.IntN(4)]
	}
	return name, []string{"", "a", "/", "http", "https", "gzip, deflate", "/index.html", strings.Repeat("long/", rng.IntN(40)), "\xff\x00\x80",
		string(rune('a' + rng.IntN(26))), strings.Repeat("Z", rng.IntN(3000))}[rng.IntN(11)]
}

func TestPolicy(t *testing.T) {
	var e Encoder
	e.Init(4096)
	for _, c := range []struct {
		name, value string
		first       byte // of the literal, by the pattern of its upper bits
		third       bool // an index, the third time
	}{
		{"authorization", "Basic YTpi", 0x10, false},
		{"Proxy-Authorization", strings.Repeat("x", 50), 0x10, false},
		{"cookie", "a=b", 0x10, false},
		{"cookie", strings.Repeat("a=b;", 10), 0x00, false},
		{"x-request-id", "1", 0x00, false},
		{"user-agent", "curl", 0x40, true},
		{"x-any", "1", 0x00, true},
		{"x-any", strings.Repeat("1", 3000), 0x00, false},
	} {
		first := appendAny(&e, nil, c.name, c.value)
		if got := first[0] & 0xf0; first[0] >= 0x80 || got&0x40 != c.first&0x40 || c.first < 0x40 && got != c.first {
			t.Errorf("%s: %q begins with %#x, want %#x", c.name, c.value, first[0], c.first)
		}
		appendAny(&e, nil, c.name, c.value)
		if third := appendAny(&e, nil, c.name, c.value); (third[0] >= 0x80) != c.third {
			t.Errorf("%s: %q the third time is %#x", c.name, c.value, third)
		}
	}
}

func TestStateless(t *testing.T) {
	block := AppendStatelessStatus(nil, 200)
	block = AppendStatelessStatus(block, 418)
	for _, f := range [][2]string{{"Server", "blitz"}, {"Content-Length", "6"}, {"X-Custom", "y"}, {"Accept-Encoding", ""}, {"Authorization", "z"}, {"etag", ""}} {
		block = AppendStateless(block, []byte(f[0]), []byte(f[1]))
	}
	want := ":status: 200\n:status: 418\nserver: blitz\ncontent-length: 6\nx-custom: y\naccept-encoding: \nauthorization: z\netag: \n"
	d, l := newDecoder(), new(List)
	for range 2 {
		if err := d.Decode(block, l); err != nil || text(l.Fields) != want || d.t.count != 0 {
			t.Errorf("error %v, %d entries, %q", err, d.t.count, text(l.Fields))
		}
	}
}
