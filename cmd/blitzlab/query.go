package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/blitz-gateway/blitz/harness/query"
)

type queryCmd struct {
	SQL     string `arg:"" optional:"" name:"sql" help:"One statement that reads: SELECT, WITH, VALUES or EXPLAIN."`
	Results string `default:"results" help:"Root of the results." placeholder:"DIR"`
	DB      string `name:"db" help:"Keep the database in this file; without a statement, only make it." placeholder:"FILE"`
	Schema  bool   `help:"Print the tables and what their columns mean."`
	JSON    bool   `name:"json" help:"Print a JSON array of objects." xor:"form"`
	CSV     bool   `name:"csv" help:"Print CSV with a head." xor:"form"`
}

// Run implements the command.
func (c *queryCmd) Run(ctx context.Context) (err error) {
	if c.Schema {
		fmt.Print(query.Schema)
		return nil
	}
	if c.SQL == "" && c.DB == "" {
		return errors.New(`a statement is needed, as in blitzlab query "SELECT * FROM runs"; --schema prints the tables`)
	}
	all, err := published(c.Results)
	if err != nil {
		return fmt.Errorf("nothing is answered: %w", err)
	}
	var db *query.DB
	if c.DB == "" {
		db, err = query.Memory(ctx, all)
	} else {
		db, err = query.File(ctx, c.DB, all)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if c.SQL == "" {
		say(fmt.Sprintf("query: %d results in %s", len(all), c.DB))
		return nil
	}
	a, err := db.Ask(ctx, c.SQL)
	if err != nil {
		return err
	}
	switch {
	case c.JSON:
		return a.JSON(os.Stdout)
	case c.CSV:
		return a.CSV(os.Stdout)
	}
	return a.Table(os.Stdout)
}
