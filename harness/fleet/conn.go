package fleet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"net/rpc/jsonrpc"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blitz-gateway/blitz/harness/proc"
)

// Host says how to reach a host.
type Host struct {
	Name string
	// SSH is [USER@]ADDRESS; empty for this machine.
	SSH string
	// Port of sshd; 0 is ssh's own choice.
	Port int
	// Options are handed to ssh as they are, such as -i FILE or -o Key=Value.
	Options []string
	// Agent is the command that serves: program and arguments.
	Agent []string
}

// Command is what is started on this machine to have an agent on that host.
func (h Host) Command() []string {
	if h.SSH == "" {
		return h.Agent
	}
	// BatchMode: a question that nobody answers would be a hang. ServerAlive: a host that went away ends the run after half a minute.
	args := []string{"ssh", "-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=10", "-o", "ServerAliveCountMax=3"}
	if h.Port != 0 {
		args = append(args, "-p", strconv.Itoa(h.Port))
	}
	args = append(append(args, h.Options...), "--", h.SSH)
	for _, a := range h.Agent {
		args = append(args, quote(a))
	}
	return args
}

// quote makes a word of the remote shell's.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// Conn is an agent that runs. It is safe for concurrent use.
type Conn struct {
	Host
	// Clock is what Measure found.
	Clock Offset

	cmd    *exec.Cmd
	in     io.Closer
	client *rpc.Client
	errs   *tail
	watch  *proc.Watcher
	done   chan struct{}
	err    error // of the command, valid after done is closed
	once   sync.Once
}

// Dial starts the agent. Its first answer, to a call of the caller's, shows that it runs.
func Dial(h Host, watch *proc.Watcher) (*Conn, error) {
	c := &Conn{Host: h, errs: &tail{}, done: make(chan struct{}), watch: watch}
	argv := h.Command()
	c.cmd = exec.Command(argv[0], argv[1:]...)
	proc.OwnGroup(c.cmd)
	c.cmd.Stderr = c.errs
	c.cmd.WaitDelay = 2 * time.Second
	// Plain pipes and not cmd.StdoutPipe: that one is closed by Wait, under the feet of who reads.
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stdout = outW
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, errors.Join(err, outR.Close(), outW.Close())
	}
	c.in = in
	if err := c.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("host %s: %w", h.Name, err), outR.Close(), outW.Close())
	}
	watch.Add(c.cmd.Process.Pid)
	_ = outW.Close()
	c.client = jsonrpc.NewClient(pipe{outR, in})
	go func() {
		c.err = c.cmd.Wait()
		close(c.done)
	}()
	return c, nil
}

type pipe struct {
	io.ReadCloser
	in io.WriteCloser
}

func (p pipe) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p pipe) Close() error { return errors.Join(p.in.Close(), p.ReadCloser.Close()) }

// Call asks the agent for SERVICE.METHOD and waits for the answer, or for the end of ctx.
func (c *Conn) Call(ctx context.Context, method string, args, reply any) error {
	call := c.client.Go(method, args, reply, make(chan *rpc.Call, 1))
	select {
	case <-ctx.Done():
		return fmt.Errorf("host %s: %s: %w", c.Name, method, ctx.Err())
	case <-call.Done:
	}
	if call.Error == nil {
		return nil
	}
	var said rpc.ServerError
	if !errors.As(call.Error, &said) {
		// The way there is broken: what ssh or the agent wrote says why.
		select {
		case <-c.done:
			return fmt.Errorf("host %s: the agent is gone (%v): %s", c.Name, c.err, c.errs)
		case <-time.After(2 * time.Second):
		}
		return fmt.Errorf("host %s: %s: %w: %s", c.Name, method, call.Error, c.errs)
	}
	return fmt.Errorf("host %s: %w", c.Name, call.Error)
}

// Close ends the agent and waits for it. It is safe to call twice.
func (c *Conn) Close() (err error) {
	c.once.Do(func() {
		pid := c.cmd.Process.Pid
		_ = c.in.Close() // the agent's sign to end what it started
		select {
		case <-c.done:
		case <-time.After(15 * time.Second):
			proc.KillGroup(pid)
			<-c.done
			err = fmt.Errorf("host %s: the agent did not end by itself within 15 s: %s", c.Name, c.errs)
		}
		_ = c.client.Close()
		c.watch.Remove(pid)
	})
	return err
}

// Serve answers calls to service, under name, until the input ends. It calls ended then, at once, and returns when the calls that are under way have
// come back: ended has to see to it that they do.
func Serve(r io.Reader, w io.WriteCloser, name string, service any, ended func()) error {
	s := rpc.NewServer()
	if err := s.RegisterName(name, service); err != nil {
		return err
	}
	s.ServeCodec(jsonrpc.NewServerCodec(pipe{io.NopCloser(&noticing{Reader: r, ended: ended}), w}))
	return nil
}

// noticing tells of the end of the input.
type noticing struct {
	io.Reader
	ended func()
}

func (n *noticing) Read(b []byte) (int, error) {
	k, err := n.Reader.Read(b)
	if err != nil {
		n.ended()
	}
	return k, err
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailBytes = 2000

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	if n := len(t.b) - tailBytes; n > 0 {
		t.b = append(t.b[:0], t.b[n:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.b))
}
