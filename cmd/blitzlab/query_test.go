package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestQuery(t *testing.T) {
	// Two of the committed results: what the database makes of all of them is the subject of harness/query.
	results := t.TempDir()
	for _, name := range []string{"cold-start", "idle-10k"} {
		all, err := filepath.Glob(filepath.Join("../../results/*/*", name))
		require.NoError(t, err)
		require.NotEmpty(t, all)
		require.NoError(t, os.CopyFS(filepath.Join(results, "2026-01-02", "machine", name), os.DirFS(all[len(all)-1])))
	}
	cmd, out, _, tmp := blitzlab(t, "query", "--results", results, "--json", "SELECT count(*) AS n FROM runs")
	require.Equal(t, 0, exit(t, cmd))
	var rows []struct{ N int }
	require.NoError(t, json.Unmarshal(out.Bytes(), &rows), out.String())
	require.Len(t, rows, 1)
	assert.Positive(t, rows[0].N)

	db := filepath.Join(tmp, "x.db")
	cmd, _, errs, _ := blitzlab(t, "query", "--results", results, "--db", db)
	require.Equal(t, 0, exit(t, cmd), errs.String())
	assert.FileExists(t, db)

	cmd, out, _, _ = blitzlab(t, "query", "--schema")
	require.Equal(t, 0, exit(t, cmd))
	assert.Contains(t, out.String(), "CREATE TABLE ratios")

	for _, args := range [][]string{{"query"}, {"query", "--results", results, "DROP TABLE runs"}, {"query", "--json", "--csv", "SELECT 1"}} {
		cmd, _, errs, _ = blitzlab(t, args...)
		assert.Equal(t, cannot, exit(t, cmd), args)
		assert.NotEmpty(t, errs.String())
	}
}
