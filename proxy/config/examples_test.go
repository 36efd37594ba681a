package config

import (
	"os"
	"path/filepath"
	"reflect"
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
