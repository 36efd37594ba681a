package query

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// DB is a database of results that can be asked and not changed. It is used by one goroutine.
type DB struct {
	pool *sql.DB
	// conn is the only connection: a database in memory belongs to it, and so do the restrictions.
	conn *sql.Conn
}

func connect(ctx context.Context, name string) (*DB, error) {
	pool, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &DB{pool, conn}, nil
}

// seal forbids the connection to change anything: no statement writes, and no other file can be reached (ATTACH, and VACUUM INTO, which uses it).
func (d *DB) seal(ctx context.Context) error {
	if _, err := sqlite.Limit(d.conn, lib.SQLITE_LIMIT_ATTACHED, 0); err != nil {
		return err
	}
	_, err := d.conn.ExecContext(ctx, "PRAGMA query_only = ON")
	return err
}

// Close gives the database up.
func (d *DB) Close() error { return errors.Join(d.conn.Close(), d.pool.Close()) }

// Answer is a table. A value is nil, int64, float64 or string.
type Answer struct {
	Columns []string
	Rows    [][]any
}

// Ask runs one statement that reads: SELECT, WITH, VALUES or EXPLAIN.
func (d *DB) Ask(ctx context.Context, statement string) (*Answer, error) {
	if err := reads(statement); err != nil {
		return nil, err
	}
	rows, err := d.conn.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	a := &Answer{}
	if a.Columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]any, len(a.Columns))
		at := make([]any, len(row))
		for i := range row {
			at[i] = &row[i]
		}
		if err := rows.Scan(at...); err != nil {
			return nil, err
		}
		for i, v := range row {
			switch v := v.(type) {
			case nil, int64, float64, string:
			case []byte:
				row[i] = fmt.Sprintf("%x", v)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		a.Rows = append(a.Rows, row)
	}
	return a, rows.Err()
}

// reading are the words with which a statement that reads begins. The engine holds it to that as well; this gives the better message, and keeps out PRAGMA, which
// could lift what the engine holds.
var reading = []string{"SELECT", "WITH", "VALUES", "EXPLAIN"}

func reads(statement string) error {
	words, more := outline(statement)
	switch {
	case words == "":
		return errors.New("there is no statement")
	case !slices.Contains(reading, words):
		return fmt.Errorf("a statement that begins with %s is not run: only %s read", words, strings.Join(reading, ", "))
	case more:
		return errors.New("one statement at a time: something follows the first semicolon")
	}
	return nil
}

// outline returns the first word of a statement in capitals, and whether something but spaces and comments follows its semicolon.
func outline(s string) (first string, more bool) {
	ended := false
	for i := 0; i < len(s); {
		c := s[i]
		rest := s[i:]
		switch {
		case strings.HasPrefix(rest, "--"):
			i += span(rest, 2, "\n")
		case strings.HasPrefix(rest, "/*"):
			i += span(rest, 2, "*/")
		case strings.IndexByte(" \t\r\n\f", c) >= 0:
			i++
		case c == ';':
			ended = true
			i++
		case ended:
			return first, true
		case c == '\'' || c == '"' || c == '`':
			i += span(rest, 1, string(c)) // a doubled quote is two strings side by side, which is the same here
		case c == '[':
			i += span(rest, 1, "]")
		default:
			n := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"))
			if n = max(n, 1); first == "" {
				first = strings.ToUpper(rest[:n])
			}
			i += n
		}
	}
	return first, false
}

// span is the length up to and with the end mark, sought from a position on; all if it is missing.
func span(s string, from int, end string) int {
	if i := strings.Index(s[from:], end); i >= 0 {
		return from + i + len(end)
	}
	return len(s)
}
