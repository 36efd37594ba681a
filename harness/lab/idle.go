package lab

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// idleWindow is how long the CPU time of doing nothing is counted.
const idleWindow = 500 * time.Millisecond

// perSource is how many connections come from one source address, well below the number of ports it has.
const perSource = 5000

// idleSample opens many connections, has each served once, and looks at the target's memory while they do nothing.
func (l *Lab) idleSample(ctx context.Context, s Scenario, t Located, sm *result.Sample) (err error) {
	sm.Phase = result.Idle
	want := []byte(target.StaticBody)
	n := l.connections(s)
	if need := uint64(n + 500); l.OpenFiles < need {
		return fmt.Errorf("%d connections need %d open files, the limit is %d (ulimit -n)", n, need, l.OpenFiles)
	}
	run, err := l.start(t, s, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	if err := l.ready(ctx, s, t, run, want); err != nil {
		return err
	}
	before, err := l.settledMemory(ctx, run)
	if err != nil {
		return err
	}
	conns, err := openMany(ctx, s, run.Plan.Addr(), n, want)
	defer func() {
		for _, c := range conns {
			// With a reset no port is left in TIME_WAIT: the next sample needs as many again.
			raw := c
			if t, ok := c.(*tls.Conn); ok {
				raw = t.NetConn()
			}
			_ = raw.(*net.TCPConn).SetLinger(0)
			raw.Close()
		}
	}()
	if err != nil {
		return fmt.Errorf("after %d connections: %w; log of %s: %s", len(conns), err, t.Name(), run.LogTail())
	}
	// The CPU time is that of the end of the wait: what was left to do has been done by then, and looking at the memory has not begun.
	if err := pauseFor(ctx, l.Profile.IdleAfter-idleWindow); err != nil {
		return err
	}
	cpu0, err := run.CPU()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := pauseFor(ctx, idleWindow); err != nil {
		return err
	}
	cpu1, err := run.CPU()
	if err != nil {
		return err
	}
	watched := time.Since(began)
	after, err := l.settledMemory(ctx, run)
	if err != nil {
		return err
	}
	sm.Idle = &result.Conn{
		Connections: n, Before: before, Memory: after, PerConnection: float64(after.Bytes()-before.Bytes()) / float64(n),
		IdleCPU: float64((cpu1 - cpu0).Microseconds()) / watched.Seconds(),
	}
	// Memory of connections that the target has closed meanwhile would be no memory of connections.
	for i := 0; i < n; i += max(1, n/100) {
		if a, err := exchange(conns[i], bufio.NewReader(conns[i]), s.path, false); err != nil || !bytes.Equal(a.body, want) {
			sm.Invalid = append(sm.Invalid, fmt.Sprintf("connection %d was no longer served: %v", i, err))
			break
		}
	}
	return nil
}

// settledMemory waits until two looks 50 ms apart agree within 0.5 %, at most two seconds.
func (l *Lab) settledMemory(ctx context.Context, run *target.Running) (result.Memory, error) {
	var last result.Memory
	for range 40 {
		m, err := run.Memory()
		if err != nil {
			return result.Memory{}, err
		}
		now := memory(m)
		if diff := now.Bytes() - last.Bytes(); max(diff, -diff) <= now.Bytes()/200 {
			return now, nil
		}
		last = now
		select {
		case <-ctx.Done():
			return last, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return last, nil
}

// openMany opens n connections from several loopback addresses and has each served once. On error it returns those that are open.
func openMany(ctx context.Context, s Scenario, addr string, n int, want []byte) ([]net.Conn, error) {
	const parallel = 32
	ctx, cancel := context.WithTimeoutCause(ctx, 60*time.Second, errors.New("60 s were not enough"))
	defer cancel()
	var (
		mu    sync.Mutex
		conns []net.Conn
		first error
		wg    sync.WaitGroup
	)
	for w := range parallel {
		wg.Go(func() {
			for i := w; i < n && ctx.Err() == nil; i += parallel {
				c, err := openOne(ctx, s, addr, net.IPv4(127, 0, 0, byte(2+i/perSource)), want)
				mu.Lock()
				if err != nil {
					if first == nil {
						first = err
					}
					cancel()
				} else {
					conns = append(conns, c)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if first == nil && len(conns) < n {
		first = context.Cause(ctx)
	}
	return conns, first
}

func openOne(ctx context.Context, s Scenario, addr string, source net.IP, want []byte) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: source}, Timeout: 10 * time.Second, Control: bindAddressOnly}
	c, err := s.dial(ctx, &d, addr)
	if err != nil {
		return nil, err
	}
	a, err := exchange(c, bufio.NewReaderSize(c, 512), s.path, false)
	if err == nil && (!bytes.Equal(a.body, want) || a.closes) {
		err = errors.New("the answer is wrong, or the connection is not kept")
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}
