package haproxy

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target"
)

//go:embed reloadable.cfg.tmpl
var reloadable string

// RenderReloadable implements target.Reloader: a master with a worker, the new one of which takes the listening sockets over, and a map for the routes,
// which is how many routes are written there.
func (system) RenderReloadable(p target.Plan) (target.Launch, error) {
	f, err := target.RenderFile("haproxy.cfg", reloadable, p)
	var routes strings.Builder
	for _, n := range p.RouteNumbers() {
		fmt.Fprintf(&routes, "/r/%d %d\n", n, n)
	}
	return target.Launch{Args: []string{"-W", "-db", "-f", f.Name}, Files: []target.File{f, {Name: "routes.map", Text: routes.String()}}}, err
}

// Ready implements target.Awaiter: the master replaces itself by a new program at each reload, and a signal is lost from then on until that one catches it. What systemd
// takes from READY=1 is seen here in the master's signal masks.
func (system) Ready(ctx context.Context, run *target.Running) error {
	for {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(run.PID()) + "/status")
		if err != nil {
			return err
		}
		if inMask(b, "SigCgt:", proc.User2) && !inMask(b, "SigBlk:", proc.User2) && !inMask(b, "SigPnd:", proc.User2) && !inMask(b, "ShdPnd:", proc.User2) {
			return nil
		}
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// inMask tells whether a signal is in a mask of proc_pid_status(5).
func inMask(status []byte, name string, sig syscall.Signal) bool {
	for line := range strings.Lines(string(status)) {
		if hex, ok := strings.CutPrefix(line, name); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			return err == nil && mask&(1<<(uint(sig)-1)) != 0
		}
	}
	return false
}

// Reload implements target.Reloader.
func (system) Reload(_ context.Context, run *target.Running) error { return run.Signal(proc.User2) }
