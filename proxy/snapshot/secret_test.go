package snapshot

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Neither form of the configuration in force shows what a reference stands for, nor a secret that the file holds itself.
func TestSecretsAreNotShown(t *testing.T) {
	t.Setenv("BLITZ_TEST_SECRET", "tops3cret")
	s, err := BuildWith(parse(t, `
admin: {address: "127.0.0.1:9901", token: a-long-token-of-the-file}
listeners: [{address: ":8080"}]
routes:
  - {match: {path: /a}, respond: {headers: {X-A: "${BLITZ_TEST_SECRET}"}, body: "${BLITZ_TEST_SECRET}"}}
`), 1, nil)
	require.NoError(t, err)
	for _, text := range []string{string(s.Effective()), string(s.ConfigYAML())} {
		require.NotContains(t, text, "tops3cret")
		require.NotContains(t, text, "a-long-token")
		require.Contains(t, text, "${BLITZ_TEST_SECRET}")
	}
}
