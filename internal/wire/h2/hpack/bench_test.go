package hpack

import (
	"bytes"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
	xnet "golang.org/x/net/http2/hpack"
)

var browser = [][2]string{
	{":method", "GET"}, {":scheme", "https"}, {":authority", "www.example.com"}, {":path", "/static/app/main.js"},
	{"user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}, {"accept", "*/*"},
	{"accept-language", "en-US,en;q=0.5"}, {"accept-encoding", "gzip, deflate, br, zstd"}, {"referer", "https://www.example.com/"},
	{"cookie", "session=0123456789abcdef0123456789abcdef"},
}

var answer = [][2]string{
	{":status", "200"}, {"server", "blitz"}, {"date", "Mon, 21 Oct 2013 20:13:21 GMT"}, {"content-type", "text/plain; charset=utf-8"},
	{"content-length", "1024"},
}

type pair struct {
	id          wire.FieldID
	name, value []byte
}

func pairs(fields [][2]string) (p []pair) {
	for _, f := range fields {
		p = append(p, pair{wire.LookupField([]byte(f[0])), []byte(f[0]), []byte(f[1])})
	}
	return p
}

// encodeRequest and encodeAnswer encode as a codec would: it knows which pseudo-header is which.
func encodeRequest(e *Encoder, dst []byte, p []pair) []byte {
	dst = e.Begin(dst)
	dst = e.AppendMethod(dst, wire.MethodGet, p[0].value)
	dst = e.AppendScheme(dst, p[1].value)
	dst = e.AppendAuthority(dst, p[2].value)
	dst = e.AppendPath(dst, p[3].value)
	for i := range p[4:] {
		f := &p[4+i]
		dst = e.AppendField(dst, f.id, f.name, f.value)
	}
	return dst
}

func encodeAnswer(e *Encoder, dst []byte, p []pair) []byte {
	dst = e.AppendStatus(e.Begin(dst), 200)
	for i := range p[1:] {
		f := &p[1+i]
		dst = e.AppendField(dst, f.id, f.name, f.value)
	}
	return dst
}

func literals(fields [][2]string) (block []byte) {
	for _, f := range fields {
		block = AppendStateless(block, []byte(f[0]), []byte(f[1]))
	}
	return block
}

func TestNoAllocations(t *testing.T) {
	var e Encoder
	e.Init(4096)
	d, l := newDecoder(), new(List)
	req, ans, lit := pairs(browser), pairs(answer), literals(browser)
	buf := make([]byte, 0, 4096)
	inserting := []byte{0x40, 1, 'a', 1, 'b'}
	refused := []byte{0x80}
	n := 0
	for what, f := range map[string]func(){
		"request":  func() { buf = encodeRequest(&e, buf[:0], req); _ = d.Decode(buf, l) },
		"answer":   func() { buf = encodeAnswer(&e, buf[:0], ans); _ = d.Decode(buf, l) },
		"literals": func() { _ = d.Decode(lit, l) },
		"changing": func() {
			inserting[2], inserting[4] = byte('a'+n%26), byte('a'+n/26%26)
			n++
			_ = d.Decode(inserting, l)
		},
		"refused": func() { _ = d.Decode(refused, l) },
	} {
		for range 500 {
			f()
		}
		if n := testing.AllocsPerRun(200, f); n != 0 {
			t.Errorf("%s: %v allocations", what, n)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	req, ans := pairs(browser), pairs(answer)
	buf := make([]byte, 0, 4096)
	b.Run("request", func(b *testing.B) {
		var e Encoder
		e.Init(4096)
		for b.Loop() {
			buf = encodeRequest(&e, buf[:0], req)
		}
	})
	b.Run("answer", func(b *testing.B) {
		var e Encoder
		e.Init(4096)
		for b.Loop() {
			buf = encodeAnswer(&e, buf[:0], ans)
		}
	})
	for name, fields := range map[string][][2]string{"request": browser, "answer": answer} {
		b.Run(name+"-xnet", func(b *testing.B) {
			var out bytes.Buffer
			e := xnet.NewEncoder(&out)
			for b.Loop() {
				out.Reset()
				for _, f := range fields {
					_ = e.WriteField(xnet.HeaderField{Name: f[0], Value: f[1]})
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	var e Encoder
	e.Init(4096)
	p := pairs(browser)
	begin := append(encodeRequest(&e, nil, p), encodeRequest(&e, nil, p)...)
	later := encodeRequest(&e, nil, p)
	for name, c := range map[string]struct{ begin, block []byte }{"indexed": {begin, later}, "literal": {nil, literals(browser)}} {
		b.Run(name, func(b *testing.B) {
			d, l := newDecoder(), new(List)
			_ = d.Decode(c.begin, l)
			for b.Loop() {
				if err := d.Decode(c.block, l); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"-xnet", func(b *testing.B) {
			d := xnet.NewDecoder(4096, func(xnet.HeaderField) {})
			_, _ = d.Write(c.begin)
			for b.Loop() {
				if _, err := d.Write(c.block); err != nil {
					b.Fatal(err)
				}
				_ = d.Close()
			}
		})
	}
}
