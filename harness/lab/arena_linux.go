package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/blitz-gateway/blitz/harness/proc"
)

// Addresses of the two namespaces on the link between them, and a station that nobody is.
const (
	nearAddr = "10.99.0.1"
	farAddr  = "10.99.0.2"
	nobody   = "02:00:00:00:00:99"
)

// newArena makes the namespaces if this process may. If it may not, the arena says why and is the machine itself.
func (l *Lab) newArena(ctx context.Context) (a *arena, err error) {
	a = &arena{}
	if os.Geteuid() != 0 {
		a.missing = "network namespaces need root"
		return a, nil
	}
	for _, tool := range []string{"unshare", "nsenter", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			a.missing = tool + " is not installed"
			return a, nil
		}
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	for _, holder := range []**proc.Process{&a.near, &a.far} {
		if *holder, err = l.holder(ctx); err != nil {
			if a.near == nil {
				// Forbidden, as in most containers.
				a.missing = err.Error()
				return a, nil
			}
			return a, err
		}
	}
	for _, c := range [][]string{
		{"near", "link set lo up"}, {"far", "link set lo up"},
		{"near", "link add chaos0 type veth peer name chaos1"},
		{"near", "link set chaos1 netns " + strconv.Itoa(a.far.PID())},
		{"near", "addr add " + nearAddr + "/24 dev chaos0"}, {"near", "link set chaos0 up"},
		{"far", "addr add " + farAddr + "/24 dev chaos1"}, {"far", "link set chaos1 up"},
	} {
		holder := a.near
		if c[0] == "far" {
			holder = a.far
		}
		if _, err := a.ip(holder, strings.Fields(c[1])...); err != nil {
			return a, err
		}
	}
	return a, a.cut(false)
}

// holder starts a process that does nothing in a network namespace of its own.
func (l *Lab) holder(ctx context.Context) (*proc.Process, error) {
	dir, err := l.dir("namespace")
	if err != nil {
		return nil, err
	}
	bin, err := exec.LookPath("unshare")
	if err != nil {
		return nil, err
	}
	p, err := l.Set.Start(proc.Spec{Path: bin, Args: []string{"--net", "--", "sleep", "86400"}, Dir: dir, Log: filepath.Join(dir, "log")})
	if err != nil {
		return nil, err
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil, errors.Join(err, p.Stop(time.Second))
	}
	for {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", p.PID()))
		if err == nil && theirs != ours {
			return p, nil
		}
		select {
		case <-p.Done():
			return nil, fmt.Errorf("no network namespace: %s", p.LogTail())
		case <-ctx.Done():
			return nil, errors.Join(ctx.Err(), p.Stop(time.Second))
		case <-time.After(time.Millisecond):
		}
	}
}

func enter(pid int) []string {
	path, err := exec.LookPath("nsenter")
	if err != nil {
		path = "nsenter" // the error comes when it is started
	}
	return []string{path, "-t", strconv.Itoa(pid), "-n", "--"}
}

// ip runs the command of that name in a namespace.
func (a *arena) ip(holder *proc.Process, args ...string) (string, error) {
	args = append(append(a.through(holder), "ip"), args...)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, out)
	}
	return string(out), nil
}

// cut sends packets for the far namespace to a station that is not there, or to the right one: nobody refuses anything, nothing arrives.
func (a *arena) cut(on bool) error {
	station := nobody
	if !on {
		text, err := a.ip(a.far, "-o", "link", "show", "chaos1")
		if err != nil {
			return err
		}
		for _, word := range strings.Fields(text) {
			if hw, err := net.ParseMAC(word); err == nil && hw[0] != 0xff {
				station = word
				break
			}
		}
	}
	_, err := a.ip(a.near, "neigh", "replace", farAddr, "lladdr", station, "dev", "chaos0", "nud", "permanent")
	return err
}

// dialIn connects from within the namespace of a process: a socket belongs to the one in which it was made. The thread that went there ends with its
// goroutine.
func dialIn(ctx context.Context, d *net.Dialer, pid int, addr string) (net.Conn, error) {
	type outcome struct {
		c   net.Conn
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		runtime.LockOSThread()
		c, err := func() (net.Conn, error) {
			f, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
				return nil, err
			}
			return d.DialContext(ctx, "tcp", addr) // an address in digits is connected to by this goroutine
		}()
		done <- outcome{c, err}
	}()
	o := <-done
	return o.c, o.err
}
