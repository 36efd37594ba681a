package haproxy

import (
	"context"
	_ "embed"
	"encoding/csv"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed balanced.cfg.tmpl
var balanced string

// RenderBalanced implements target.Balancer.
func (system) RenderBalanced(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("haproxy.cfg", balanced, p)
	return target.Launch{Args: []string{"-db", "-f", f.Name}, Files: []target.File{f}}, err
}

// Retries implements target.Balancer: wretr of the backend, which counts repetitions to another server (wredis) too.
func (system) Retries(ctx context.Context, p target.Plan, dial target.Dial) (n int64, ok bool) {
	page, err := target.Page(ctx, dial, net.JoinHostPort(p.Host, strconv.Itoa(p.AdminPort)), "/;csv")
	if err != nil {
		return 0, false
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(page, "# ")))
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	if err != nil || len(rows) == 0 {
		return 0, false
	}
	col := func(name string) int { return slices.Index(rows[0], name) }
	name, kind, retr := col("pxname"), col("svname"), col("wretr")
	if min(name, kind, retr) < 0 {
		return 0, false
	}
	for _, row := range rows[1:] {
		if len(row) > max(name, kind, retr) && row[name] == "origin" && row[kind] == "BACKEND" {
			n, err = strconv.ParseInt(row[retr], 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
