package wire

import (
	"bytes"
	"net/url"
	"path"
	"strings"
	"testing"
)

var pathCases = []struct{ name, in, want string }{
	{"root", "/", "/"},
	{"plain", "/a/b.c", "/a/b.c"},
	{"slash at the end", "/a/", "/a/"},
	{"asterisk", "*", "*"},
	{"sub-delims", "/a;b=c,d:e@f!$&'()*+", "/a;b=c,d:e@f!$&'()*+"},
	{"bytes no URI should hold", "/a|b\"<>[]{}^`", "/a|b\"<>[]{}^`"},
	{"escape kept", "/a%20b%C3%A4", "/a%20b%C3%A4"},
	{"escape to upper case", "/%c3%a4", "/%C3%A4"},
	{"unreserved decoded", "/%61%7E%2d%5F%30%5a", "/a~-_0Z"},
	{"decoded once only", "/%2561/%252e%252e/", "/%2561/%252e%252e/"},
	{"double slash", "//a//b///", "/a/b/"},
	{"dot", "/a/./b", "/a/b"},
	{"dot at the end", "/a/.", "/a/"},
	{"dot alone", "/.", "/"},
	{"dots up", "/a/../b", "/b"},
	{"dots up at the end", "/a/b/..", "/a/"},
	{"dots up to the root", "/a/..", "/"},
	{"encoded dots", "/a/%2e%2E/b", "/b"},
	{"half encoded dots", "/a/.%2e/b", "/b"},
	{"dots and slashes", "/a//../b", "/b"},
	{"dots in names", "/.a/..b/c./d../...", "/.a/..b/c./d../..."},
	{"encoded slash", "/a%2fb", "/a%2Fb"},
	{"encoded slash in upper case", "/a%2Fb", "/a%2Fb"},
	{"encoded backslash", "/a%5cb", "/a%5Cb"},
	{"encoded control byte", "/a%0d%0A%7f", "/a%0D%0A%7F"},
	{"dots among parameters", "/a;..;./b", "/a;..;./b"},
	{"dots behind parameters", "/a;..%41", "/a;..A"},
	{"encoded question mark", "/a%3fb%23", "/a%3Fb%23"},

	{"empty", "", "bad_path"},
	{"relative", "a/b", "bad_path"},
	{"asterisk and more", "*/", "bad_path"},
	{"above the root", "/..", "path_above_root"},
	{"above the root by escape", "/%2e%2e/a", "path_above_root"},
	{"above the root in the middle", "/a/../../b/c", "path_above_root"},
	{"above the root by slashes", "///..", "path_above_root"},
	{"NUL", "/a%00", "path_nul"},
	{"raw NUL", "/a\x00", "bad_path_byte"},
	{"control byte", "/a\x1f", "bad_path_byte"},
	{"DEL", "/a\x7f", "bad_path_byte"},
	{"space", "/a b", "bad_path_byte"},
	{"non-ASCII", "/ä", "bad_path_byte"},
	{"backslash", "/a\\..\\b", "bad_path_byte"},
	{"question mark", "/a?b", "bad_path_byte"},
	{"hash", "/a#b", "bad_path_byte"},
	{"bad byte after a rewrite", "//a b", "bad_path_byte"},
	{"percent at the end", "/a%", "bad_path_escape"},
	{"one digit", "/a%4", "bad_path_escape"},
	{"not hexadecimal", "/a%4g", "bad_path_escape"},
	{"percent twice", "/%%61", "bad_path_escape"},
	{"IIS escape", "/%u002e", "bad_path_escape"},
	{"dots before an encoded slash", "/a/..%2fb", "path_hidden_dots"},
	{"dots behind an encoded slash", "/a%2F..", "path_hidden_dots"},
	{"dots between encoded slashes", "/a%2f%2e%2e%5Cb/c", "path_hidden_dots"},
	{"dot behind an encoded backslash", "/a%5c./b", "path_hidden_dots"},
	{"dots with parameters", "/a/..;/b", "path_hidden_dots"},
	{"dot with parameters", "/a/.;x=y/b", "path_hidden_dots"},
	{"encoded dots with parameters", "/a/%2e%2e;x/b", "path_hidden_dots"},
	{"dots behind parameters and an encoded slash", "/a;b%2F../c", "path_hidden_dots"},
}

func TestNormalizePath(t *testing.T) {
	for _, c := range pathCases {
		t.Run(c.name, func(t *testing.T) {
			norm, changed, err := NormalizePath(nil, []byte(c.in), NormalizeOptions{})
			if err != nil {
				if err.Code != c.want || err.Status != 400 || norm != nil {
					t.Errorf("error %v with status %d, want %s", err, err.Status, c.want)
				}
				return
			}
			if string(norm) != c.want || changed != (c.in != c.want) {
				t.Errorf("%q, changed %v, want %q", norm, changed, c.want)
			}
		})
	}
}

func TestNormalizePathOptions(t *testing.T) {
	for _, c := range []struct {
		name, in, want string
		opt            NormalizeOptions
	}{
		{"slashes kept", "//a//b///", "//a//b///", NormalizeOptions{KeepSlashes: true}},
		{"slashes kept beside dots", "/a//../b", "/a/b", NormalizeOptions{KeepSlashes: true}},
		{"empty segment removed", "//..", "/", NormalizeOptions{KeepSlashes: true}},
		{"slashes kept above the root", "/a/../..", "path_above_root", NormalizeOptions{KeepSlashes: true}},
		{"encoded slash refused", "/a%2Fb", "path_encoded_slash", NormalizeOptions{RefuseEncodedSlash: true}},
		{"encoded backslash refused", "/a%5cb", "path_encoded_slash", NormalizeOptions{RefuseEncodedSlash: true}},
		{"percent of a percent passes", "/a%252Fb", "/a%252Fb", NormalizeOptions{RefuseEncodedSlash: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			norm, _, err := NormalizePath(nil, []byte(c.in), c.opt)
			got := string(norm)
			if err != nil {
				got = err.Code
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestNormalizePathCopiesNothing(t *testing.T) {
	in := []byte("/static/app%20name/main.js")
	norm, changed, err := NormalizePath(make([]byte, 0, 64), in, NormalizeOptions{})
	if err != nil || changed || &norm[0] != &in[0] {
		t.Errorf("error %v, changed %v, same memory %v", err, changed, &norm[0] == &in[0])
	}
	dst := make([]byte, 0, 64)
	norm, changed, err = NormalizePath(dst, []byte("/a/../b"), NormalizeOptions{})
	if err != nil || !changed || &norm[0] != &dst[:1][0] {
		t.Errorf("error %v, changed %v: not built in dst", err, changed)
	}
	long := []byte("/" + strings.Repeat("a", 100) + "/./b")
	scratch := make([]byte, 0, len(long))
	for _, p := range [][]byte{in, long, []byte("/a%2f.."), []byte("/%zz")} {
		if n := testing.AllocsPerRun(100, func() { _, _, _ = NormalizePath(scratch, p, NormalizeOptions{}) }); n != 0 {
			t.Errorf("%q: %v allocations", p, n)
		}
	}
}

func FuzzNormalizePath(f *testing.F) {
	for _, c := range pathCases {
		f.Add([]byte(c.in), false, false)
		f.Add([]byte(c.in), true, true)
	}
	f.Fuzz(func(t *testing.T, in []byte, keep, refuse bool) {
		opt := NormalizeOptions{KeepSlashes: keep, RefuseEncodedSlash: refuse}
		before := bytes.Clone(in)
		norm, changed, err := NormalizePath(nil, in, opt)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was written to")
		}
		if err != nil {
			return
		}
		if changed == bytes.Equal(norm, in) {
			t.Fatalf("changed is %v: %q to %q", changed, in, norm)
		}
		if len(norm) > len(in) {
			t.Fatalf("%q grew to %q", in, norm)
		}
		if again, changed, err := NormalizePath(nil, norm, opt); err != nil || changed {
			t.Fatalf("%q became %q, which is not normal: %q, error %v", in, norm, again, err)
		}
		if string(in) == "*" {
			return
		}
		// What a server sees that decodes once: the same as it would have seen in the original, and no dot segment.
		got, err2 := url.PathUnescape(string(norm))
		if err2 != nil {
			t.Fatalf("%q: %v", norm, err2)
		}
		for seg := range strings.FieldsFuncSeq(got, func(r rune) bool { return r == '/' || r == '\\' }) {
			if seg == "." || seg == ".." {
				t.Fatalf("%q hides a dot segment", norm)
			}
		}
		if keep || bytes.Contains(bytes.ToUpper(in), []byte("%2F")) {
			return
		}
		raw, _ := url.PathUnescape(string(in))
		want := path.Clean(raw)
		if last := raw[strings.LastIndexByte(raw, '/')+1:]; want != "/" && (last == "" || last == "." || last == "..") {
			want += "/"
		}
		if got != want {
			t.Fatalf("%q became %q, which decodes to %q; want %q", in, norm, got, want)
		}
	})
}
