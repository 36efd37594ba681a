// Package query makes a SQLite database of published results and answers read-only questions about it.
//
// It may import harness/{report,result,target} and modernc.org/sqlite. What flows through: results as result.ReadAll believes them go in, tables come out,
// with the medians, ratios and intervals that the report shows, computed by the report's own functions. The JSON files are the source of truth: the database
// is made anew each time, in memory or as a file, and nothing is ever read back from it into results.
//
// The tables stand in schema.sql, with what each column means.
package query
