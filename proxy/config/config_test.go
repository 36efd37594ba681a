package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDefaultParses(t *testing.T) {
	c := Default()
	require.Len(t, c.Listeners, 1)
	require.Equal(t, ":8080", c.Listeners[0].Address)
	var paths []string
	for _, r := range c.Routes {
		paths = append(paths, r.Match.Path)
	}
	require.ElementsMatch(t, []string{"/", "/hello", "/health", "/echo/*"}, paths)
}

func TestScalars(t *testing.T) {
	good := []struct {
		value scalar
		text  string
		want  any
		shown string
	}{
		{new(Duration), "250us", Duration(250 * time.Microsecond), "250us"},
		{new(Duration), "1m30s", Duration(90 * time.Second), "1m30s"},
		{new(Duration), "90s", Duration(90 * time.Second), "1m30s"},
		{new(Duration), "60m", Duration(time.Hour), "1h"},
		{new(Duration), "3600s", Duration(time.Hour), "1h"},
		{new(Duration), "1h1s", Duration(time.Hour + time.Second), "1h0m1s"},
		{new(Duration), "0", Duration(0), "0s"},
		{new(Duration), "1.5ms", Duration(1500 * time.Microsecond), "1.5ms"},
		{new(Size), "0", Size(0), "0B"},
		{new(Size), "512", Size(512), "512B"},
		{new(Size), "512B", Size(512), "512B"},
		{new(Size), "16KiB", Size(16384), "16KiB"},
		{new(Size), "16 KiB", Size(16384), "16KiB"},
		{new(Size), "1MB", Size(1_000_000), "1MB"},
		{new(Size), "1kB", Size(1000), "1KB"},
		{new(Size), "2TiB", Size(2 << 40), "2TiB"},
		{new(Size), "8388607TiB", Size(8388607 << 40), "8388607TiB"},
		{new(Count), "auto", Count(0), "auto"},
		{new(Count), "4", Count(4), "4"},
		{new(CPUs), "3", CPUs{3}, "3"},
		{new(CPUs), "0-3", CPUs{0, 1, 2, 3}, "0-3"},
		{new(CPUs), "0,2, 4-5", CPUs{0, 2, 4, 5}, "0,2,4-5"},
		{new(CPUs), "5,4", CPUs{5, 4}, "5,4"},
	}
	for _, tt := range good {
		require.NoError(t, tt.value.parse(tt.text), tt.text)
		got := reflect.ValueOf(tt.value).Elem().Interface()
		require.Equal(t, tt.want, got, tt.text)
		require.Equal(t, tt.shown, fmt.Sprint(got))
		again := reflect.New(reflect.TypeOf(got)).Interface().(scalar)
		require.NoError(t, again.parse(tt.shown), "the notation shown must parse")
		require.Equal(t, got, reflect.ValueOf(again).Elem().Interface())
	}
	bad := []struct {
		value scalar
		texts []string
	}{
		{new(Duration), []string{"", "5", "-5s", "5 s", "s", "1e3s", "five", "9999999999h"}},
		{new(Size), []string{"", "-1", "16k", "1.5MB", "KiB", "1KiBB", "0x10", "8388608TiB", "9223372036854775808", "+5"}},
		{new(Count), []string{"", "0", "-1", "1.5", "many", "99999999999"}},
		{new(CPUs), []string{"", ",", "1,", "3-1", "1-", "-1", "a", "0-9000", "1,1", "0-2,2", "99999"}},
	}
	for _, tt := range bad {
		for _, text := range tt.texts {
			require.Error(t, tt.value.parse(text), "%T %q", tt.value, text)
		}
	}
}

// Every tag of every struct must be readable, and every field must have a decoder: both would otherwise panic on an operator's machine.
func TestTags(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var visit func(reflect.Type)
	visit = func(s reflect.Type) {
		switch s.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(s.Elem())
			return
		case reflect.Struct:
		default:
			return
		}
		if seen[s] {
			return
		}
		seen[s] = true
		for i := range s.NumField() {
			f := s.Field(i)
			if !f.IsExported() {
				continue
			}
			require.NotEmpty(t, f.Tag.Get("yaml"), f.Name)
			for _, tag := range []string{"min", "max"} {
				if v := f.Tag.Get(tag); v != "" {
					require.NotPanics(t, func() { tagValue(f.Type, v) }, f.Name)
				}
			}
			if _, own := reflect.New(f.Type).Interface().(scalar); !own {
				kinds := []reflect.Kind{reflect.Struct, reflect.Pointer, reflect.Slice, reflect.String, reflect.Bool, reflect.Int}
				require.Contains(t, kinds, f.Type.Kind(), f.Name)
			}
			visit(f.Type)
		}
	}
	visit(reflect.TypeFor[Config]())
	require.Contains(t, seen, reflect.TypeFor[RouteTimeouts]())
}

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		":8080":                 {Port: 8080},
		"127.0.0.1:0":           {Host: "127.0.0.1"},
		"[::1]:80":              {Host: "::1", Port: 80},
		"[fe80::1%eth0]:80":     {Host: "fe80::1%eth0", Port: 80},
		"my_app.internal:65535": {Host: "my_app.internal", Port: 65535},
		"host.:1":               {Host: "host.", Port: 1},
		"unix:/run/a.sock":      {Unix: "/run/a.sock"},
	} {
		got, err := ParseAddress(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"", ":", "a", "a:", "a:b", "a:-1", "a:65536", "::1:80", "[::1:80", "[a]:80", "[1.2.3.4]:80", "1.2.3:80", "a b:80", "é:80", "a..b:80", "-a:80", "a-:80",
		"unix:", "unix:a", "unix:/\x00", strings.Repeat("a", 64) + ":80", strings.Repeat("a.", 130) + "a:80"} {
		_, err := ParseAddress(text)
		require.Error(t, err, text)
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "abc", 3}, {"port", "prot", 1}, {"kitten", "sitting", 3}, {"adress", "address", 1}, {"ab", "ba", 1}, {"abc", "abc", 0}} {
		require.Equal(t, tt.want, editDistance(tt.a, tt.b), "%s %s", tt.a, tt.b)
		require.Equal(t, tt.want, editDistance(tt.b, tt.a), "%s %s", tt.b, tt.a)
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	_, err := Load(filepath.Join(dir, "none.yaml"))
	require.ErrorIs(t, err, os.ErrNotExist)

	_, err = Load(dir)
	require.Error(t, err)

	file := filepath.Join(dir, "a.yaml")
	require.NoError(t, os.WriteFile(file, DefaultYAML(), 0o600))
	c, err := Load(file)
	require.NoError(t, err)
	require.Equal(t, bare(Default()), bare(c))

	big := filepath.Join(dir, "big.yaml")
	require.NoError(t, os.WriteFile(big, nil, 0o600))
	require.NoError(t, os.Truncate(big, maxFile+1))
	_, err = Load(big)
	require.ErrorContains(t, err, "expected at most 67108864")
}

// A file cut off anywhere is either right or refused with a position inside of it; the parser must not fall over.
func TestTruncatedAtEveryByte(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, f := range files {
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		input, _, _ := strings.Cut(string(raw), dashes)
		if len(input) > 250 {
			continue // long files hold many values of one kind: nothing new happens inside of them
		}
		lines := strings.Count(input, "\n") + 1
		for i := range input {
			c, err := Parse("f", []byte(input[:i]))
			if err == nil {
				require.NotEmpty(t, c.Listeners)
				require.NotEmpty(t, c.Routes)
				continue
			}
			var problems Errors
			require.ErrorAs(t, err, &problems)
			for _, p := range problems {
				require.True(t, p.Line >= 1 && p.Line <= lines && p.Column >= 1, "%s cut at %d: %v", f, i, p)
			}
		}
	}
}

// Aliases must not unfold without end.
func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("listeners: [{address: ':8080'}]\nroutes:\n  - match: &m\n      methods: &l [")
	for i := range 2000 {
		fmt.Fprintf(&b, "M%d, ", i)
	}
	b.WriteString("GET]\n    echo: true\n")
	for range 1000 {
		b.WriteString("  - {match: *m, echo: true}\n")
	}
	_, err := Parse("f", []byte(b.String()))
	require.ErrorContains(t, err, "2001 methods; expected at most 64")
	require.ErrorContains(t, err, "aliases in this file unfold to too many values")
}

func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		input, _, _ := strings.Cut(string(raw), dashes)
		f.Add([]byte(input))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse("f", data)
		if (c == nil) == (err == nil) {
			t.Fatal("neither a configuration nor an error, or both")
		}
	})
}

func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Default()
	}
}

func BenchmarkManyRoutes(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		var s strings.Builder
		s.WriteString("listeners:\n  - address: :8080\nclusters:\n  - {name: a, endpoints: [{address: '127.0.0.1:1'}]}\nroutes:\n")
		for i := range n {
			fmt.Fprintf(&s, "  - match: {host: h%d.example.com, path: /v1/*}\n    cluster: a\n", i)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if _, err := Parse("f", []byte(s.String())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
