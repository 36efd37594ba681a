package provision

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const roles = "../../ansible/roles"

func load(t *testing.T, into any, path ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{roles}, path...)...))
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(b, into), path)
}

// Every role is in the playbook under its tag, and what it may be told is described with the defaults that it has.
func TestRolesSayWhatTheyTake(t *testing.T) {
	want := []string{"blitz", "caddy", "envoy", "facts", "h2o", "haproxy", "kernel", "limits", "loadgen", "nginx", "nic", "origin"}
	dirs, err := filepath.Glob(roles + "/*")
	require.NoError(t, err)
	var have []string
	for _, d := range dirs {
		have = append(have, filepath.Base(d))
	}
	require.Equal(t, want, have)

	var plays []struct {
		Roles []struct {
			Role string
			Tags []string
		}
	}
	load(t, &plays, "..", "site.yml")
	var played []string
	for _, p := range plays {
		for _, r := range p.Roles {
			played = append(played, r.Role)
			assert.Contains(t, r.Tags, r.Role, "a role can be chosen by its name")
		}
	}
	slices.Sort(played)
	assert.Equal(t, want, played)

	for _, role := range want {
		var spec struct {
			ArgumentSpecs struct {
				Main struct {
					ShortDescription string `yaml:"short_description"`
					Options          map[string]struct {
						Type, Description string
						Required          bool
						Default           any
					}
				}
			} `yaml:"argument_specs"`
		}
		defaults := map[string]any{}
		load(t, &spec, role, "meta", "argument_specs.yml")
		if _, err := os.Stat(filepath.Join(roles, role, "defaults", "main.yml")); err == nil {
			load(t, &defaults, role, "defaults", "main.yml")
		}
		main := spec.ArgumentSpecs.Main
		assert.NotEmpty(t, main.ShortDescription, role)
		for name, o := range main.Options {
			assert.True(t, strings.HasPrefix(name, role+"_"), name)
			assert.NotEmpty(t, o.Type, name)
			assert.NotEmpty(t, o.Description, name)
			if o.Required {
				assert.NotContains(t, defaults, name, "a default would stand in for what must be given")
				continue
			}
			assert.Contains(t, defaults, name, "a default that is described must be there")
			assert.Equal(t, defaults[name], o.Default, name)
		}
		for name := range defaults {
			assert.Contains(t, main.Options, name, "what can be set is described")
		}
	}
}

// One version of Envoy, held to its checksum; the assertion of the role refuses anything that is no SHA-256.
func TestEnvoyIsPinned(t *testing.T) {
	var d struct {
		Version string `yaml:"envoy_version"`
		URL     string `yaml:"envoy_url"`
		SHA256  string `yaml:"envoy_sha256"`
	}
	load(t, &d, "envoy", "defaults", "main.yml")
	assert.Regexp(t, `^\d+\.\d+\.\d+$`, d.Version)
	assert.Equal(t, 2, strings.Count(d.URL, "{{ envoy_version }}"), "the version decides what is fetched")
	assert.Regexp(t, `^[0-9a-f]{64}$`, d.SHA256)
}
