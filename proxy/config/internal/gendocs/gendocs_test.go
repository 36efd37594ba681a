package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

const docs = "../../../../docs/"

func TestDocsAreCurrent(t *testing.T) {
	files, err := generate("../..")
	require.NoError(t, err)
	for name, want := range files {
		got, err := os.ReadFile(docs + name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "docs/%s is stale: run go generate ./proxy/config", name)
	}
}

func compile(t *testing.T) *validator.Schema {
	t.Helper()
	text, err := os.ReadFile(docs + "config.schema.json")
	require.NoError(t, err)
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	require.NoError(t, err)
	c := validator.NewCompiler()
	require.NoError(t, c.AddResource("config.schema.json", doc))
	s, err := c.Compile("config.schema.json")
	require.NoError(t, err)
	return s
}

// check validates YAML text against the schema.
func check(t *testing.T, s *validator.Schema, text []byte) error {
	t.Helper()
	var v any
	require.NoError(t, yaml.Unmarshal(text, &v))
	asJSON, err := json.Marshal(v)
	require.NoError(t, err)
	doc, err := validator.UnmarshalJSON(bytes.NewReader(asJSON))
	require.NoError(t, err)
	return s.Validate(doc)
}

func TestExamplesFollowTheSchema(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob("../../../../examples/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		require.NoError(t, check(t, s, text), f)
	}
}

// The golden files of package config: the schema accepts all good ones, and refuses those that are bad in a way that a schema can see.
func TestGoldenFilesAgainstTheSchema(t *testing.T) {
	s := compile(t)
	files, err := filepath.Glob("../../testdata/*.txt")
	require.NoError(t, err)
	visible := map[string]bool{}
	for _, name := range []string{
		"all_missing", "balance_unknown", "bounds", "cluster_empty", "count", "durations", "endpoint_is_a_string", "engine", "later_engine", "later_keys",
		"lists_empty", "lists_null", "many_at_once", "misspelt_deep", "misspelt_top", "not_a_mapping", "null_value", "route_nothing", "route_two_actions",
		"scalar_document", "sizes", "types", "unknown_key_far",
	} {
		visible["bad_"+name] = true
	}
	seen := 0
	for _, f := range files {
		name := strings.TrimSuffix(filepath.Base(f), ".txt")
		raw, err := os.ReadFile(f)
		require.NoError(t, err)
		input, _, _ := strings.Cut(string(raw), "----------\n")
		switch {
		case visible[name]:
			seen++
			require.Error(t, check(t, s, []byte(input)), name)
		case !strings.HasPrefix(name, "bad_"):
			require.NoError(t, check(t, s, []byte(input)), name)
		}
	}
	require.Equal(t, len(visible), seen)
}

func TestEveryFieldHasAComment(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.go"), []byte("package config\n\n// A is.\ntype A struct {\n\tB int `yaml:\"b\"`\n}\n"), 0o600))
	_, err := readComments(dir)
	require.ErrorContains(t, err, "A.B has no comment")
}
