package hpack

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// text writes fields as lines.
func text(fields []wire.Field) string {
	var s strings.Builder
	for _, f := range fields {
		fmt.Fprintf(&s, "%s: %s\n", f.Name, f.Value)
	}
	return s.String()
}

func newDecoder() *Decoder {
	d := new(Decoder)
	d.Init(64<<10, 1000)
	return d
}

// The examples of RFC 7541 appendix C: blocks of one connection, what they mean, and the size of the table afterwards.
func TestAppendixC(t *testing.T) {
	type block struct {
		in, want string
		size     int
	}
	requests := []string{
		":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n",
		":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\ncache-control: no-cache\n",
		":method: GET\n:scheme: https\n:path: /index.html\n:authority: www.example.com\ncustom-key: custom-value\n",
	}
	common := "cache-control: private\ndate: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n"
	responses := []string{
		":status: 302\n" + common,
		":status: 307\n" + common,
		":status: 200\ncache-control: private\ndate: Mon, 21 Oct 2013 20:13:22 GMT\nlocation: https://www.example.com\n" +
			"content-encoding: gzip\nset-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\n",
	}
	for _, c := range []struct {
		name   string
		max    int
		blocks []block
	}{
		{"C.2.1", 4096, []block{{"400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", "custom-key: custom-header\n", 55}}},
		{"C.2.2", 4096, []block{{"040c 2f73 616d 706c 652f 7061 7468", ":path: /sample/path\n", 0}}},
		{"C.2.3", 4096, []block{{"1008 7061 7373 776f 7264 0673 6563 7265 74", "password: secret\n", 0}}},
		{"C.2.4", 4096, []block{{"82", ":method: GET\n", 0}}},
		{"C.3", 4096, []block{
			{"8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", requests[0], 57},
			{"8286 84be 5808 6e6f 2d63 6163 6865", requests[1], 110},
			{"8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65", requests[2], 164},
		}},
		{"C.4", 4096, []block{
			{"8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff", requests[0], 57},
			{"8286 84be 5886 a8eb 1064 9cbf", requests[1], 110},
			{"8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf", requests[2], 164},
		}},
		{"C.5", 256, []block{
			{"4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d 54" +
				"6e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d", responses[0], 222},
			{"4803 3330 37c1 c0bf", responses[1], 222},
			{"88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f" +
				"6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b" +
				"2076 6572 7369 6f6e 3d31", responses[2], 215},
		}},
		{"C.6", 256, []block{
			{"4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7" +
				"8f0b 97c8 e9ae 82ae 43d3", responses[0], 222},
			{"4883 640e ffc1 c0bf", responses[1], 222},
			{"88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335" +
				"dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07", responses[2], 215},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, l := newDecoder(), new(List)
			d.t.setMax(c.max)
			for i, b := range c.blocks {
				if err := d.Decode(unhex(t, b.in), l); err != nil {
					t.Fatalf("block %d: %v", i, err)
				}
				if got := text(l.Fields); got != b.want || d.t.size != b.size {
					t.Errorf("block %d: %q, table %d; want %q, table %d", i, got, d.t.size, b.want, b.size)
				}
			}
		})
	}
}

func TestIntegers(t *testing.T) {
	for _, c := range []struct { // RFC 7541 section C.1, and the edges
		v    uint32
		mask byte
		want string
	}{
		{10, 31, "0a"}, {1337, 31, "1f9a0a"}, {42, 255, "2a"}, {31, 31, "1f00"}, {30, 31, "1e"}, {127, 127, "7f00"},
		{127 + 127, 127, "7f7f"}, {127 + 128, 127, "7f8001"}, {maxInteger, 127, "7f80ffff7f"},
	} {
		b := appendInteger(nil, 0, c.mask, c.v)
		if hex.EncodeToString(b) != c.want {
			t.Errorf("%d is %x, want %s", c.v, b, c.want)
		}
		if v, n, err := readInteger(b, 0, c.mask); v != c.v || n != len(b) || err != nil {
			t.Errorf("%s is %d, %d bytes, error %v", c.want, v, n, err)
		}
		for n := 1; n < len(b); n++ {
			if _, _, err := readInteger(b[:n], 0, c.mask); err != ErrTruncated {
				t.Errorf("%s cut at %d: %v", c.want, n, err)
			}
		}
	}
	for _, s := range []string{"7f81ffff7f", "7fffffffff0f", "7f8080808000", "7fffffffffffffffffff01"} {
		if _, _, err := readInteger(unhex(t, s), 0, 127); err != ErrInteger {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestRefusedBlocks(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     *wire.Error
	}{
		{"index 0", "80", ErrIndex},
		{"index beyond both tables", "be", ErrIndex},
		{"index far beyond", "ffffff7f", ErrIndex},
		{"name index beyond both tables", "7e0161", ErrIndex},
		{"name index beyond, not inserted", "0f2f0161", ErrIndex},
		{"size update behind a field", "8220", ErrSizeUpdate},
		{"size update too large", "3fe21f", ErrSizeUpdate},
		{"three size updates", "20203fe11f", ErrSizeUpdate},
		{"two size updates are fine", "203fe11f82", nil},
		{"integer too large", "ffffffffff0f", ErrInteger},
		{"no name", "40", ErrTruncated},
		{"name cut", "400561", ErrTruncated},
		{"no value", "400161", ErrTruncated},
		{"value cut", "4001610561", ErrTruncated},
		{"value of a huge size", "4001617fffff7f", ErrTruncated},
		{"padding of eight ones", "000161831fffff", ErrHuffman},
		{"padding of zeros", "0001618118", ErrHuffman},
		{"end of string", "00016184ffffffff", ErrHuffman},
		{"only padding", "00016181ff", ErrHuffman},
		{"padding of seven ones", "0001618207ff", ErrHuffman},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, l := newDecoder(), new(List)
			if err := d.Decode(unhex(t, c.in), l); err != c.want {
				t.Errorf("%v, want %v; %q", err, c.want, text(l.Fields))
			}
		})
	}
}

func TestBadFields(t *testing.T) {
	for _, c := range []struct {
		name, value string
		want        uint8
	}{
		{"a", "", 0}, {"a", "b c\td\xff", 0}, {":x", "y", 0}, {"", "v", BadName}, {"A", "v", BadName}, {"a b", "v", BadName}, {"a:", "v", BadName},
		{"\xff", "v", BadName}, {"a\x00", "v", BadName}, {"a", " v", BadValue}, {"a", "v ", BadValue}, {"a", "\tv", BadValue}, {"a", "v\t", BadValue},
		{"a", "b\r\nc", BadValue}, {"a", "\x00", BadValue}, {"a", "b\x7f", BadValue}, {"A", "\n", BadName | BadValue},
	} {
		d, l := newDecoder(), new(List)
		b := append([]byte{0x40}, byte(len(c.name)))
		b = append(b, c.name...)
		b = append(append(b, byte(len(c.value))), c.value...)
		if err := d.Decode(b, l); err != nil || l.Bad != c.want {
			t.Errorf("%q: %q is %d, want %d; error %v", c.name, c.value, l.Bad, c.want, err)
		}
		if err := d.Decode([]byte{0xbe}, l); err != nil || l.Bad != c.want {
			t.Errorf("from the table: %q: %q is %d, want %d; error %v", c.name, c.value, l.Bad, c.want, err)
		}
		if err := d.Decode([]byte{0x7e, 1, 'x'}, l); err != nil || l.Bad != c.want&BadName {
			t.Errorf("name from the table: %q is %d, want %d; error %v", c.name, l.Bad, c.want&BadName, err)
		}
	}
}

// A small block that stands for a large list costs no memory, and the table stays in step.
func TestBomb(t *testing.T) {
	d, l := new(Decoder), new(List)
	d.Init(16<<10, 100)
	value := strings.Repeat("x", 3000)
	block := append([]byte{0x40, 1, 'a'}, appendText(nil, []byte(value))...)
	block = append(block, bytes.Repeat([]byte{0xbe}, 10000)...)
	block = append(block, 0x40, 1, 'b', 1, 'c')
	if err := d.Decode(block, l); err != nil || !l.Large || len(l.Fields) != 0 {
		t.Fatalf("error %v, large %v, %d fields", err, l.Large, len(l.Fields))
	}
	if cap(l.buf) > 64<<10 {
		t.Errorf("the list keeps %d bytes", cap(l.buf))
	}
	if err := d.Decode([]byte{0xbe}, l); err != nil || text(l.Fields) != "b: c\n" {
		t.Errorf("error %v, %q", err, text(l.Fields))
	}
	d.Init(16<<10, 3)
	if err := d.Decode([]byte{0x82, 0x82, 0x82, 0x82}, l); err != nil || !l.Large {
		t.Errorf("error %v, large %v", err, l.Large)
	}
}

// Fields of one block stay as they are although later fields of the block evict and overwrite their entries.
func TestFieldsSurviveEviction(t *testing.T) {
	d, l := newDecoder(), new(List)
	d.t.setMax(100)
	field := func(c byte) []byte {
		return append([]byte{0x40, 1, c, 40}, bytes.Repeat([]byte{c}, 40)...)
	}
	if err := d.Decode(field('a'), l); err != nil {
		t.Fatal(err)
	}
	block := []byte{0xbe}
	want := "a: " + strings.Repeat("a", 40) + "\n"
	for c := byte('b'); c <= 'z'; c++ {
		block = append(append(block, field(c)...), 0xbe)
		one := string(c) + ": " + strings.Repeat(string(c), 40) + "\n"
		want += one + one
	}
	if err := d.Decode(block, l); err != nil || text(l.Fields) != want {
		t.Errorf("error %v, %q", err, text(l.Fields))
	}
}

func TestMissingSizeUpdate(t *testing.T) {
	d, l := newDecoder(), new(List)
	d.Allow(100)
	if err := d.Decode([]byte{0x82}, l); err != ErrNoSizeUpdate {
		t.Errorf("got %v", err)
	}
	d = newDecoder()
	d.Allow(100)
	if err := d.Decode([]byte{0x3f, 100 - 31, 0x82}, l); err != nil {
		t.Errorf("got %v", err)
	}
	if err := d.Decode([]byte{0x3f, 101 - 31, 0x82}, l); err != ErrSizeUpdate {
		t.Errorf("got %v", err)
	}
}
