package blitz

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed full.yaml.tmpl
var everything string

// RenderFull implements target.Equipped.
func (s system) RenderFull(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("blitz.yaml", everything, p)
	return target.Launch{Args: []string{"serve", "--config", f.Name}, Files: []target.File{f}}, err
}

// Lost implements target.Equipped.
func (system) Lost(ctx context.Context, run *target.Running) (int64, error) {
	dial := func(ctx context.Context, addr string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}
	page, err := target.Page(ctx, dial, net.JoinHostPort(run.Plan.Host, strconv.Itoa(run.Plan.AdminPort)), "/metrics")
	if err != nil {
		return 0, err
	}
	n, ok := counter(page, "blitz_access_log_dropped_total")
	if !ok {
		return 0, fmt.Errorf("/metrics does not tell blitz_access_log_dropped_total")
	}
	return n, nil
}

// counter finds a metric without labels.
func counter(page, name string) (int64, bool) {
	for line := range strings.Lines(page) {
		if v, mine := strings.CutPrefix(line, name+" "); mine {
			f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			return int64(f), err == nil
		}
	}
	return 0, false
}
