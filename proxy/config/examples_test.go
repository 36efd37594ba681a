package config

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// allKeys appends every key that a value of type t may have below path, as in listeners[].tls.min_version.
func allKeys(keys []string, t reflect.Type, path string) []string {
	info := typeOf(t)
	switch {
	case info.scalar || info.headers:
	case info.kind == reflect.Pointer:
		return allKeys(keys, t.Elem(), path)
	case info.kind == reflect.Slice:
		return allKeys(keys, t.Elem(), path+"[]")
	case info.kind == reflect.Struct:
		for i, f := range info.fields {
			if f.key == "" || f.key == "-" || f.later {
				continue
			}
			key := f.key
			if path != "" {
				key = path + "." + f.key
			}
			keys = allKeys(append(keys, key), t.Field(i).Type, key)
		}
	}
	return keys
}

// givenKeys collects the keys in a document.
func givenKeys(seen map[string]bool, v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			key := k
			if path != "" {
				key = path + "." + k
			}
			seen[key] = true
			givenKeys(seen, x, key)
		}
	case []any:
		for _, x := range v {
			givenKeys(seen, x, path+"[]")
		}
	}
}

// examples/everything.yaml has every key that there is. test/e2e starts it, and holds it to what it says.
func TestEverythingIsInOneExample(t *testing.T) {
	keys := allKeys(nil, reflect.TypeFor[Config](), "")
	require.Greater(t, len(keys), 250)
	text, err := os.ReadFile("../../examples/everything.yaml")
	require.NoError(t, err)
	var doc any
	require.NoError(t, yaml.Unmarshal(text, &doc))
	seen := map[string]bool{}
	givenKeys(seen, doc, "")
	for _, key := range keys {
		require.True(t, seen[key], "examples/everything.yaml does not show %s", key)
	}
	// Where words choose between features, and one file may have all of them, it has.
	words := map[string][]string{}
	givenWords(words, doc, "")
	for _, x := range []struct {
		t        reflect.Type
		key, at  string
		standard string // stands for itself where the key is not given
	}{
		{reflect.TypeFor[Cluster](), "balance", "clusters[].balance", ""},
		{reflect.TypeFor[Cluster](), "protocol", "clusters[].protocol", "h1"},
		{reflect.TypeFor[HealthCheck](), "protocol", "clusters[].health_check.protocol", ""},
		{reflect.TypeFor[PanicThreshold](), "action", "clusters[].panic_threshold.action", ""},
		{reflect.TypeFor[Retry](), "when", "clusters[].retry.when[]", ""},
		{reflect.TypeFor[RouteRetry](), "when", "routes[].retry.when[]", ""},
		{reflect.TypeFor[AccessLog](), "fields", "access_log.fields[]", ""},
		{reflect.TypeFor[Listener](), "protocols", "listeners[].protocols[]", ""},
	} {
		fields := typeOf(x.t).fields
		f := fields[typeOf(x.t).find(x.key)]
		require.NotEmpty(t, f.enum, x.at)
		for _, w := range f.enum {
			require.True(t, w == x.standard || slices.Contains(words[x.at], w), "examples/everything.yaml does not show %s: %s", x.at, w)
		}
	}
}

// givenWords collects the strings in a document, by where they stand.
func givenWords(words map[string][]string, v any, path string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			key := k
			if path != "" {
				key = path + "." + k
			}
			givenWords(words, x, key)
		}
	case []any:
		for _, x := range v {
			givenWords(words, x, path+"[]")
		}
	case string:
		words[path] = append(words[path], v)
	}
}

// Files that examples include are read with them.
func TestExamplesLoad(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		_, err := Load(f)
		require.NoError(t, err)
	}
}
