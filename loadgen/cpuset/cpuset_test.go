package cpuset

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for list, want := range map[string][]int{"": nil, "0": {0}, "0-3,6": {0, 1, 2, 3, 6}, "5,1-1": {5, 1}} {
		got, err := Parse(list)
		require.NoError(t, err, list)
		require.Equal(t, want, got, list)
	}
	for _, bad := range []string{"x", "1-", "-1", "3-1", "1,,2", "0-99999999", "1.5"} {
		_, err := Parse(bad)
		require.Error(t, err, bad)
	}
}
