//go:build linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func get(t *testing.T, url string) string {
	t.Helper()
	c := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := c.Get(url)
	require.NoError(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(b)
}

func TestEmbeddedDefault(t *testing.T) {
	ln, err := net.Listen("tcp", ":8080")
	if err != nil {
		t.Skip("port 8080, which the embedded configuration uses, is taken: ", err)
	}
	require.NoError(t, ln.Close())
	p := start(t, "serve")
	require.Equal(t, "hello\n", strings.ToLower(get(t, "http://127.0.0.1:8080/hello")))
	require.NotEmpty(t, get(t, "http://127.0.0.1:8080/"))
	require.NotEmpty(t, get(t, "http://127.0.0.1:8080/health"))
	require.Contains(t, p.log(), "reason=", "which engine runs, and why")
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit(), p.log())
}

func TestBadConfigurationEndsTheStart(t *testing.T) {
	name := file(t, "listeners:\n  - adress: :8080\nroutes:\n  - cluster: x\n")
	p := launch(t, "serve", "--config", name)
	require.Equal(t, 1, p.exit())
	require.Contains(t, p.log(), name+`:2:5: unknown key "adress"; did you mean "address"?`)
	require.Contains(t, p.log(), name+`:4:14: unknown cluster "x"`)

	p = launch(t, "serve", "--config", filepath.Join(t.TempDir(), "none.yaml"))
	require.Equal(t, 1, p.exit())
	require.Contains(t, p.log(), "no such file or directory")
}

// SO_REUSEPORT would let a second gateway take half of the connections without a word.
func TestPortInUseIsRefused(t *testing.T) {
	config := func(addr string) string {
		return "listeners:\n  - {name: edge, address: \"" + addr + "\"}\nroutes:\n  - {respond: {body: x}}\n"
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	first := start(t, "serve", "--config", file(t, config("127.0.0.1:0")))
	for who, addr := range map[string]string{"another program": ln.Addr().String(), "another gateway": first.addr} {
		p := launch(t, "serve", "--config", file(t, config(addr)))
		require.Equal(t, 1, p.exit(), who)
		require.Contains(t, p.log(), "listener edge: ", who)
		require.Contains(t, p.log(), addr, who)
		require.Contains(t, p.log(), "address already in use", who)
	}
	require.Equal(t, "x", get(t, "http://"+first.addr+"/"))
}

// held is a gateway with one request that its origin has not answered yet.
func held(t *testing.T, engine string) (p *process, client net.Conn, answer chan struct{}) {
	t.Helper()
	answer, arrived := make(chan struct{}), make(chan struct{})
	p = start(t, "serve", "--config", file(t, proxy(engine, origin(t, func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		select {
		case <-answer:
		case <-r.Context().Done():
		}
		_, _ = io.WriteString(w, "held")
	}))))
	client, err := net.Dial("tcp", p.addr)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	require.NoError(t, client.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
	require.NoError(t, err)
	<-arrived
	return p, client, answer
}

// until waits for words in the log.
func (p *process) until(words string) {
	p.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(p.log(), words); time.Sleep(time.Millisecond) {
		require.True(p.t, time.Now().Before(end), "no %q in the log: %s", words, p.log())
	}
}

func TestTermDrains(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p, client, answer := held(t, engine)
		idle, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		defer idle.Close()
		require.NoError(t, idle.SetDeadline(time.Now().Add(patience)))
		r := bufio.NewReader(idle)
		_, err = io.WriteString(idle, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		res, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, res.Body)

		p.signal(syscall.SIGTERM)
		_, err = r.ReadByte()
		require.Equal(t, io.EOF, err, "an idle connection is closed")
		for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
			c, err := net.Dial("tcp", p.addr)
			if err != nil {
				break // new connections are refused
			}
			c.Close()
			require.True(t, time.Now().Before(end), "still accepting")
		}
		close(answer)
		res, err = http.ReadResponse(bufio.NewReader(client), nil)
		require.NoError(t, err)
		require.True(t, res.Close)
		b, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Equal(t, "held", string(b))
		require.Zero(t, p.exit(), p.log())
		require.Contains(t, p.log(), "stopped")
	})
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		p, client, _ := held(t, engine)
		p.signal(syscall.SIGTERM)
		p.until("draining")
		p.signal(syscall.SIGINT)
		require.Equal(t, 1, p.exit())
		require.Contains(t, p.log(), "stopped with 1 connections still in use")
		_, err := bufio.NewReader(client).ReadByte()
		require.Error(t, err)
	})
}

func TestDrainTimeoutStops(t *testing.T) {
	engines(t, func(t *testing.T, engine string) {
		arrived := make(chan struct{})
		addr := origin(t, func(_ http.ResponseWriter, r *http.Request) { close(arrived); <-r.Context().Done() })
		p := start(t, "serve", "--config", file(t, "drain_timeout: 50ms\n"+proxy(engine, addr)))
		client, err := net.Dial("tcp", p.addr)
		require.NoError(t, err)
		defer client.Close()
		_, err = io.WriteString(client, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
		require.NoError(t, err)
		<-arrived
		p.signal(syscall.SIGTERM)
		require.Equal(t, 1, p.exit())
	})
}

func TestAccessLogSurvivesRotation(t *testing.T) {
	name := filepath.Join(t.TempDir(), "access.log")
	p := start(t, "serve", "--config", file(t, fmt.Sprintf("access_log: {path: %q}\n", name)+proxy("auto", "127.0.0.1:1")))
	get(t, "http://"+p.addr+"/hello?before")
	require.NoError(t, os.Rename(name, name+".1"))
	p.signal(syscall.SIGUSR1)
	p.until("access log reopened")
	get(t, "http://"+p.addr+"/hello?after")
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.exit(), p.log())
	before, err := os.ReadFile(name + ".1")
	require.NoError(t, err)
	after, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, 2, strings.Count(string(before)+string(after), "\n"), "no line is lost")
	require.Contains(t, string(after), `"query":"after"`)
}
