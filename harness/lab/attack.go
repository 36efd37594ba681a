package lab

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
)

// slowhttptest (Debian's package of that name) attacks a server with many connections that never get anywhere.
const attacker = "slowhttptest"

// attackConnections is how many connections the attack holds, opened at attackRate per second. attackLead is from its start to the load's.
const (
	attackConnections = 1000
	attackRate        = 1000
	attackLead        = (attackConnections/attackRate + 1) * time.Second
)

// attacks are the four modes of slowhttptest: what of a request or response is drawn out.
var attacks = map[string][]string{
	// Slowloris: a header field now and then, never the end of the head.
	"headers": {"-H", "-i", "2", "-x", "24"},
	// A body that was announced and drips.
	"body": {"-B", "-i", "2", "-s", "8192", "-x", "10"},
	// Range requests for a thousand overlapping pieces (CVE-2011-3192).
	"range": {"-R", "-t", "HEAD", "-a", "10", "-b", "3000"},
	// Pipelined requests whose responses are read a few bytes at a time through a tiny window.
	"read": {"-X", "-n", "5", "-z", "32", "-w", "512", "-y", "1024", "-k", "3"},
}

// attackArgs are those of a mode against addr, for longer than a load takes that begins attackLead later and lasts d with its warm-up.
func attackArgs(mode, addr, path string, d time.Duration) []string {
	const spare = 30 * time.Second // the load connects first, and a busy machine takes its time
	return append([]string{"-c", strconv.Itoa(attackConnections), "-r", strconv.Itoa(attackRate), "-l", strconv.Itoa(int((attackLead + d + spare).Seconds())),
		"-p", "3", "-u", "http://" + addr + path}, attacks[mode]...)
}

// startAttack runs a mode against addr for longer than a load of the length d takes, and returns when the attack has had time to connect. The caller
// stops it.
func (l *Lab) startAttack(ctx context.Context, mode, addr, path string, d time.Duration) (*proc.Process, error) {
	bin, err := exec.LookPath(attacker)
	if err != nil {
		return nil, fmt.Errorf("%s is not installed: apt-get install %s (%w)", attacker, attacker, err)
	}
	dir, err := l.dir("attack")
	if err != nil {
		return nil, err
	}
	p, err := l.Set.Start(proc.Spec{Path: bin, Args: attackArgs(mode, addr, path, d), Dir: dir, CPUs: l.Machine.Roles.Load, Log: filepath.Join(dir, "log")})
	if err != nil {
		return nil, err
	}
	select {
	case <-time.After(attackLead):
		return p, nil
	case <-p.Done():
		// Refused by the target at once, or finished: there is nothing left to stop, and the load still says how others fare.
		if strings.Contains(p.LogTail(), "Usage") {
			return nil, fmt.Errorf("%s: %s", p.Command(), p.LogTail())
		}
		return p, nil
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), p.Stop(time.Second))
	}
}
