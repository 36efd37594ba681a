package nginx

import (
	"bufio"
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed balanced.conf.tmpl
var balanced string

// flushed is longer than the access log's buffer keeps a line.
const flushed = 1500 * time.Millisecond

// RenderBalanced implements target.Balancer.
func (system) RenderBalanced(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("nginx.conf", balanced, view{p})
	return target.Launch{Args: []string{"-p", p.Dir, "-c", "nginx.conf", "-e", "stderr"}, Files: []target.File{f}}, err
}

// Retries implements target.Balancer: attempts are counted in the access log, where every address after the first one is a repetition.
func (system) Retries(ctx context.Context, p target.Plan, _ target.Dial) (n int64, ok bool) {
	select {
	case <-time.After(flushed):
	case <-ctx.Done():
		return 0, false
	}
	f, err := os.Open(filepath.Join(p.Dir, "attempts.log"))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		n += int64(strings.Count(lines.Text(), ", "))
	}
	return n, lines.Err() == nil
}
