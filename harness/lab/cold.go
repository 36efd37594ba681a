package lab

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// coldSample starts a target and asks without pause, on another CPU, until it answers.
func (l *Lab) coldSample(ctx context.Context, s Scenario, t Located, sm *result.Sample) (err error) {
	sm.Phase = result.ColdStart
	run, err := l.start(t, s, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, run.Stop()) }()
	const atMost = 15 * time.Second
	deadline := run.Started.Add(atMost)
	var c net.Conn
	for {
		if c, err = net.DialTimeout("tcp", run.Plan.Addr(), time.Second); err == nil {
			break
		}
		select {
		case <-run.Done():
			return fmt.Errorf("it ended before it answered (%s): %s", run.Exit(), run.LogTail())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no answer within %v (%w): %s", atMost, err, run.LogTail())
		}
	}
	a, err := exchange(c, bufio.NewReader(c), s.path, false)
	answered := time.Now()
	c.Close()
	if err != nil {
		return err
	}
	cpu, err := run.CPU()
	if err != nil {
		return err
	}
	mem, err := run.Memory()
	if err != nil {
		return err
	}
	sm.Cold = &result.Cold{
		Milliseconds: float64(answered.Sub(run.Started).Nanoseconds()) / 1e6, CPUMillis: float64(cpu.Nanoseconds()) / 1e6, Memory: memory(mem),
	}
	if !bytes.Equal(a.body, []byte(target.StaticBody)) {
		return errors.New("the first answer has the wrong body")
	}
	l.describe(t, run, a.headBytes)
	return nil
}
