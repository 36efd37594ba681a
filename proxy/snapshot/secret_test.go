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
  - {match: {path: "/hook/${BLITZ_TEST_SECRET}", methods: [GET]}, respond: {}}
  - {match: {path_regex: "/${BLITZ_TEST_SECRET}[0-9]", host: "${BLITZ_TEST_SECRET}.example.com", source: ["${BLITZ_TEST_NETWORK:-10.0.0.0/8}"]}, respond: {}}
  - match:
      headers: [{name: X-Key, exact: "${BLITZ_TEST_SECRET}"}, {name: X-Key, prefix: "${BLITZ_TEST_SECRET}"}]
      query: [{name: key, regex: "${BLITZ_TEST_SECRET}"}]
    respond: {}
`), 1, nil)
	require.NoError(t, err)
	// Names of routes are in logs and metrics.
	for i := range s.Actions {
		host, path, methods := s.RouteText(i)
		require.NotContains(t, s.Actions[i].Name+host+path, "tops3cret")
		if i == 1 {
			require.Equal(t, "GET /hook/${BLITZ_TEST_SECRET}", s.Actions[i].Name)
			require.Equal(t, "/hook/${BLITZ_TEST_SECRET}", path)
			require.Equal(t, []string{"GET"}, methods)
		}
	}
	require.Equal(t, "${BLITZ_TEST_SECRET}.example.com~/${BLITZ_TEST_SECRET}[0-9] from ${BLITZ_TEST_NETWORK:-10.0.0.0/8}", s.Actions[2].Name)
	require.Equal(t, "/* X-Key=${BLITZ_TEST_SECRET} X-Key=${BLITZ_TEST_SECRET}* ?key~${BLITZ_TEST_SECRET}", s.Actions[3].Name)
	for _, text := range []string{string(s.Effective()), string(s.ConfigYAML())} {
		require.NotContains(t, text, "tops3cret")
		require.NotContains(t, text, "a-long-token")
		require.Contains(t, text, "${BLITZ_TEST_SECRET}")
	}
}
