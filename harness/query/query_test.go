package query

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
)

var read = sync.OnceValues(func() ([]result.Stored, error) { return result.ReadAll("../../results") })

func committed(t *testing.T) []result.Stored {
	t.Helper()
	all, err := read()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func memory(t *testing.T, all []result.Stored) *DB {
	t.Helper()
	db, err := Memory(context.Background(), all)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

var fenced = regexp.MustCompile("(?s)```sql\n(.*?)```")

// Every query of docs/QUERY.md runs over the committed results and finds something.
func TestDocumentedQueries(t *testing.T) {
	page, err := os.ReadFile("../../docs/QUERY.md")
	require.NoError(t, err)
	db := memory(t, committed(t))
	found := fenced.FindAllStringSubmatch(string(page), -1)
	assert.GreaterOrEqual(t, len(found), 5)
	for _, q := range found {
		a, err := db.Ask(context.Background(), q[1])
		require.NoError(t, err, q[1])
		assert.NotEmpty(t, a.Rows, q[1])
		var b bytes.Buffer
		require.NoError(t, a.Table(&b))
		t.Log(b.String())
	}
}

// The database says what the results say: every sample, and the report's own medians and ratios.
func TestTheDatabaseIsTheResults(t *testing.T) {
	all := committed(t)
	db := memory(t, all)
	one := func(q string) any {
		a, err := db.Ask(context.Background(), q)
		require.NoError(t, err, q)
		require.Len(t, a.Rows, 1, q)
		return a.Rows[0][0]
	}
	samples, figures, ratios, newest := 0, 0, 0, len(report.Latest(all))
	for _, s := range all {
		samples, figures, ratios = samples+len(s.Samples), figures+len(report.Figures(s.Result)), ratios+len(report.Ratios(s.Result))
		here := " WHERE run = '" + s.Run.ID + "' AND scenario = '" + s.Scenario.Name + "'"
		valid := 0
		for _, x := range s.Samples {
			if x.Valid() {
				valid++
			}
		}
		assert.EqualValues(t, valid, one("SELECT count(*) FROM samples"+here+" AND valid"), "%s %s", s.Run.ID, s.Scenario.Name)
		of := report.Figures(s.Result)
		if len(of) == 0 {
			assert.Equal(t, "scaling", s.Scenario.Name, "all others have figures; its table has a row for each number of workers")
			continue
		}
		f := of[0]
		where := " FROM figures" + here + " AND target = '" + f.Target + "' AND metric = '" + f.Metric + "' ORDER BY rate LIMIT 1"
		assert.Equal(t, f.Median, one("SELECT median"+where))
		assert.Equal(t, f.Lo, one("SELECT lo"+where))
	}
	assert.EqualValues(t, samples, one("SELECT count(*) FROM samples"))
	assert.EqualValues(t, figures, one("SELECT count(*) FROM figures"))
	assert.EqualValues(t, ratios, one("SELECT count(*) FROM ratios"))
	assert.EqualValues(t, newest, one("SELECT sum(newest) FROM scenarios"))
	assert.EqualValues(t, 0, one("SELECT count(*) FROM quantiles WHERE NOT lo_ns <= ns OR NOT ns <= hi_ns"))
	assert.EqualValues(t, 0, one("SELECT count(*) FROM ratios WHERE better AND NOT differs"))
}

// Nothing can be changed, and no other file reached.
func TestOnlyReading(t *testing.T) {
	db := memory(t, committed(t)[:1])
	ctx := context.Background()
	dir := t.TempDir()
	for statement, why := range map[string]string{
		"":                                      "no statement",
		" -- nothing\n/* at all */ ;":           "no statement",
		"DELETE FROM runs":                      "DELETE is not run",
		"/* SELECT */ drop table runs":          "DROP is not run",
		"PRAGMA query_only = OFF":               "PRAGMA is not run",
		"ATTACH '" + dir + "/x' AS x":           "ATTACH is not run",
		"VACUUM INTO '" + dir + "/x'":           "VACUUM is not run",
		"SELECT 1; DELETE FROM runs":            "one statement",
		"SELECT ';' ; -- well\n SELECT 2":       "one statement",
		"WITH x AS (SELECT 1) DELETE FROM runs": "readonly",
		"SELECT * FROM nowhere":                 "no such table",
		"SELEKT 1":                              "SELEKT is not run",
	} {
		_, err := db.Ask(ctx, statement)
		if assert.Error(t, err, statement) {
			assert.Contains(t, strings.ReplaceAll(err.Error(), "a statement that begins with ", ""), why, statement)
		}
	}
	for _, fine := range []string{"SELECT ';' AS x, \"run\", [machine], '--', 'it''s' FROM runs; -- end", "values (1)", "EXPLAIN QUERY PLAN SELECT 1", "with x as (select 2) select * from x;"} {
		_, err := db.Ask(ctx, fine)
		assert.NoError(t, err, fine)
	}
	// The engine holds it too, whatever the first word.
	for _, statement := range []string{"ATTACH '" + dir + "/x' AS x", "VACUUM INTO '" + dir + "/x'", "DELETE FROM runs", "CREATE TABLE x (y)"} {
		_, err := db.conn.ExecContext(ctx, statement)
		assert.Error(t, err, statement)
	}
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.db")
	for range 2 { // the second one replaces the first
		db, err := File(context.Background(), path, committed(t)[:2])
		require.NoError(t, err)
		a, err := db.Ask(context.Background(), "SELECT count(*) FROM scenarios")
		require.NoError(t, err)
		assert.EqualValues(t, 2, a.Rows[0][0])
		_, err = db.conn.ExecContext(context.Background(), "DELETE FROM runs")
		assert.Error(t, err)
		require.NoError(t, db.Close())
	}
	other := filepath.Join(dir, "mine")
	require.NoError(t, os.WriteFile(other, []byte("precious"), 0o644))
	_, err := File(context.Background(), other, nil)
	assert.ErrorContains(t, err, "left alone")
	b, err := os.ReadFile(other)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(b))
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2)
}

func TestOutput(t *testing.T) {
	a, err := memory(t, nil).Ask(context.Background(), `SELECT 1 AS n, 0.1 + 0.2 AS f, NULL AS z, 'a,"b' AS s, 2 AS n`)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, a.CSV(&b))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	assert.Equal(t, [][]string{{"n", "f", "z", "s", "n"}, {"1", "0.30000000000000004", "", `a,"b`, "2"}}, rows)
	b.Reset()
	require.NoError(t, a.JSON(&b))
	var objects []map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &objects), b.String())
	assert.Equal(t, []map[string]any{{"n": 1.0, "f": 0.30000000000000004, "z": nil, "s": `a,"b`, "n_2": 2.0}}, objects)
	b.Reset()
	require.NoError(t, a.Table(&b))
	assert.Regexp(t, `1 +0\.3 +– +a,"b +2`, b.String())
	b.Reset()
	require.NoError(t, (&Answer{Columns: []string{"x"}}).JSON(&b))
	require.NoError(t, json.Unmarshal(b.Bytes(), &objects))
	assert.Empty(t, objects)
}
