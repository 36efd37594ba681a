package query

import (
	"context"
	"database/sql"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// Schema is the database's, with comments.
//
//go:embed schema.sql
var Schema string

// applicationID marks our files (SQLite's PRAGMA application_id), so that no other database is ever replaced.
const applicationID = 0x424c545a

// Memory makes the database in memory. The caller must Close it.
func Memory(ctx context.Context, all []result.Stored) (*DB, error) { return open(ctx, ":memory:", all) }

// File makes the database as a file, in place of an older one of ours. The caller must Close it.
func File(ctx context.Context, path string, all []result.Stored) (*DB, error) {
	if err := replaceable(path); err != nil {
		return nil, err
	}
	// A whole database appears under the name, or none.
	dir, err := os.MkdirTemp(filepath.Dir(path), ".blitzlab-db-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tmp := filepath.Join(dir, "db")
	d, err := open(ctx, tmp, all)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(d.Close(), os.Rename(tmp, path)); err != nil {
		return nil, err
	}
	if d, err = connect(ctx, path); err != nil {
		return nil, err
	}
	return d, d.seal(ctx)
}

func replaceable(path string) error {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(b) < 100 || string(b[:15]) != "SQLite format 3" || uint32(b[68])<<24|uint32(b[69])<<16|uint32(b[70])<<8|uint32(b[71]) != applicationID:
		return fmt.Errorf("%s is there and no database of blitzlab: it is left alone", path)
	}
	return nil
}

func open(ctx context.Context, name string, all []result.Stored) (*DB, error) {
	db, err := connect(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := db.fill(ctx, all); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, db.seal(ctx)
}

// inserter prepares one statement for each table and remembers the first error.
type inserter struct {
	ctx   context.Context
	tx    *sql.Tx
	stmts map[string]*sql.Stmt
	err   error
}

func (in *inserter) add(table string, values ...any) {
	if in.err != nil {
		return
	}
	st := in.stmts[table]
	if st == nil {
		st, in.err = in.tx.PrepareContext(in.ctx, "INSERT INTO "+table+" VALUES (?"+strings.Repeat(", ?", len(values)-1)+")")
		if in.err != nil {
			return
		}
		in.stmts[table] = st
	}
	if _, err := st.ExecContext(in.ctx, values...); err != nil {
		in.err = fmt.Errorf("%s: %w", table, err)
	}
}

func (d *DB) fill(ctx context.Context, all []result.Stored) (err error) {
	if _, err := d.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d; %s", applicationID, Schema)); err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	tx, err := d.conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	in := &inserter{ctx: ctx, tx: tx, stmts: map[string]*sql.Stmt{}}
	newest := map[string]bool{}
	for _, st := range report.Latest(all) {
		newest[st.Rel] = true
	}
	var rs []*result.Result
	for _, st := range all {
		rs = append(rs, st.Result)
	}
	places := result.Places(rs)
	machines, runs, groups := map[string]int{}, map[string]bool{}, 0
	for _, st := range all {
		m := st.Machine
		print, err := json.Marshal(m.Fingerprint)
		if err != nil {
			return errors.Join(err, tx.Rollback())
		}
		key := m.Name + "\x00" + string(print)
		if machines[key] == 0 {
			machines[key] = len(machines) + 1
			f := m.Fingerprint
			in.add("machines", machines[key], m.Name, m.Description, f.OS, f.Arch, f.Kernel, f.CPUModel, f.CPUs, int64(f.MemoryBytes), f.Hypervisor, f.Governor,
				f.Clocksource, m.Server.String(), m.Load.String(), m.Origin.String(),
				seen(f.CPU.Known(), f.CPU.Vendor), seen(f.CPU.Known(), f.CPU.Family), seen(f.CPU.Known(), f.CPU.Model), seen(f.CPU.Known(), f.CPU.Stepping), shown(f.CPU.Microcode), shown(f.CPU.L3Bytes),
				shown(f.CPU.Generation()), string(print))
		}
		r := st.Run
		if !runs[r.ID+"\x00"+m.Name] {
			runs[r.ID+"\x00"+m.Name] = true
			in.add("runs", r.ID, m.Name, machines[key], stamp(r.Started), stamp(r.Finished), r.Profile, r.Pairs, strconv.FormatUint(r.Seed, 10), r.Command, r.Revision,
				r.Forced, strings.Join(r.Unfit, "; "), places[result.RunOn{Machine: m.Name, Run: r.ID}].Number)
		}
		groups = in.result(st, newest[st.Rel], groups)
	}
	if in.err != nil {
		return errors.Join(in.err, tx.Rollback())
	}
	return tx.Commit()
}

// seen is v, or NULL for what was not recorded.
func seen(recorded bool, v any) any {
	if !recorded {
		return nil
	}
	return v
}

// shown is v, or NULL for what was not shown.
func shown[T comparable](v T) any {
	var none T
	if v == none {
		return nil
	}
	return v
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// result inserts one result and returns the ID of its last group.
func (in *inserter) result(st result.Stored, newest bool, groups int) int {
	run, m, s := st.Run.ID, st.Machine.Name, st.Scenario
	protocol, origin := s.Protocol, s.OriginProtocol
	if protocol == "" {
		protocol = "h1"
	}
	if origin == "" && s.Proxied {
		origin = "h1"
	}
	in.add("scenarios", run, m, s.Name, s.Title, protocol, s.TLS, s.Proxied, origin, s.BodyBytes, s.Connections, s.Streams, newest, st.Rel)
	for _, t := range st.Targets {
		in.add("targets", run, m, s.Name, t.Name, target.IsVanilla(t.Name), t.Version, strings.Join(t.Command, " "), t.HeadBytes)
		for _, f := range t.Config {
			in.add("configs", run, m, s.Name, t.Name, f.Name, f.Text)
		}
	}
	for _, x := range st.Samples {
		in.add("samples", append([]any{run, m, s.Name, x.Target, string(x.Phase), x.Rate, x.Round, x.Order, stamp(x.Started), x.Valid(),
			strings.Join(x.Invalid, "; "), strings.Join(x.Warnings, "; ")}, figures(x)...)...)
	}
	for _, g := range st.Groups {
		groups++
		in.add("groups", groups, run, m, s.Name, g.Target, string(g.Phase), g.Rate, g.Samples, g.Response.Count, g.Response.Mean, g.Response.Max, st.Rel+"/"+g.Log, g.SHA256)
		for _, q := range report.Quantiles(st.Result, g) {
			in.add("quantiles", groups, q.Quantile, q.Nanos, q.Lo, q.Hi, q.Rounds, q.Confidence)
		}
	}
	for _, f := range report.Figures(st.Result) {
		in.add("figures", run, m, s.Name, f.Target, string(f.Phase), f.Rate, f.Metric, f.Unit, f.MoreIsBetter, f.N, f.Median, f.Lo, f.Hi, f.Confidence, f.Min, f.Max)
	}
	for _, q := range report.Ratios(st.Result) {
		differs := !q.Short && q.N > 1 && q.Excludes(1)
		in.add("ratios", run, m, s.Name, q.Target, q.Reference, string(q.Phase), q.Rate, q.Metric, q.MoreIsBetter, q.N, q.Estimate, q.Lo, q.Hi, q.Confidence,
			differs, differs && (q.Estimate > 1) == q.MoreIsBetter)
	}
	return groups
}

// figures are a sample's from window_seconds on.
func figures(x result.Sample) []any {
	out := make([]any, 31)
	set := func(at int, values ...any) { copy(out[at:], values) }
	memory := func(m result.Memory) {
		set(17, m.RSS, m.PSS, nil, m.PeakRSS)
		if m.Alone > 0 {
			set(19, m.Alone)
		}
	}
	if l := x.Load; l != nil {
		h := l.Response
		set(0, l.WindowSeconds, l.Responses, l.RPS, l.ServerCPUSeconds, l.ServerCPUMicros, l.ServerUse, l.LoadUse, l.OriginUse, l.OtherUse, l.Steal, l.Errors.Total(),
			h.P50, h.P90, h.P99, h.P999, h.P9999, h.Max)
		memory(l.Memory)
	}
	if c := x.Idle; c != nil {
		memory(c.Memory)
		set(21, c.Connections, c.PerConnection, c.IdleCPU)
	}
	if c := x.Cold; c != nil {
		memory(c.Memory)
		set(24, c.Milliseconds, c.CPUMillis)
	}
	if f := x.Search; f != nil {
		set(26, f.Objective, f.Rate, f.FailedAt)
	}
	if c := x.Chaos; c != nil {
		h := c.Response
		set(3, c.ServerCPUSeconds)
		set(11, h.P50, h.P90, h.P99, h.P999, h.P9999, h.Max)
		set(29, c.Requests, c.Failed)
	}
	return out
}
