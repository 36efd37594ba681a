//go:build linux

package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/programs"
)

// rate of requests per second; one in ten is a POST.
const rate = 300

func TestChaos(t *testing.T) {
	length := 8 * time.Second
	if s := os.Getenv("BLITZ_CHAOS"); s != "" {
		var err error
		length, err = time.ParseDuration(s)
		require.NoError(t, err)
	}
	root := os.Geteuid() == 0
	if root && os.Getenv(insideEnv) == "" {
		inNamespace(t, length)
		return
	}
	dir := t.TempDir()
	binary := os.Getenv(insideEnv)
	if binary == "" {
		binary = build(t)
	}
	posts := filepath.Join(dir, "posts")
	endpoints := []*endpoint{{t: t, addr: free(t), posts: posts}, {t: t, addr: free(t), posts: posts}, {t: t, addr: free(t), posts: posts}}
	kinds := []string{"kill", "stop", "slow", "reset", "flap"}
	cut := func(bool) {}
	if root {
		var ns int
		ns, cut = network(t)
		endpoints[2].ns, endpoints[2].addr = ns, "10.99.0.2:8080"
		kinds = append(kinds, "cut off")
	} else {
		t.Log("not root: no endpoint is cut off from the network")
	}
	for _, e := range endpoints {
		e.start()
		t.Cleanup(e.kill)
	}
	g := startGateway(t, binary, endpoints)

	// One thing goes wrong at a time, so that two endpoints are there at any moment.
	l := startLoad(g)
	seed := uint64(time.Now().UnixNano())
	chance := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	end := time.Now().Add(length)
	for n := 0; time.Now().Before(end); n++ {
		kind := kinds[n%len(kinds)]
		e := endpoints[chance.IntN(3)]
		d := 200*time.Millisecond + time.Duration(chance.IntN(600))*time.Millisecond
		trouble(e, kind, d, func(on bool) { e = endpoints[2]; cut(on) })
		require.Eventually(t, func() bool { return g.healthy() == 3 }, patience, 20*time.Millisecond, "after %s", kind)
	}
	total := l.stop()
	t.Logf("chaos for %v: %d GETs, %.3f %% without error, p99 %v; %d POSTs, %.3f %% without error", length, total.gets, 100*total.success(), total.p99(), total.posts,
		100*(1-float64(total.postErrors)/float64(max(total.posts, 1))))
	require.Greater(t, total.gets, 100)
	require.Greater(t, total.success(), 0.97, "%v", total.errors)

	// Budget: of all requests so far, and the free ones of all seconds, a window of ten more for the last partial one.
	retries := g.metric("blitz_upstream_retries_total") - g.metric("blitz_upstream_stale_total")
	allowed := float64(total.gets+total.posts)*percent/100 + perSecond*(time.Since(l.began).Seconds()+10)
	t.Logf("%.0f retries, %.0f allowed", retries, allowed)
	require.LessOrEqual(t, retries, allowed)

	// One of three is dead: once that is noticed no client sees an error.
	endpoints[0].kill()
	require.Eventually(t, func() bool { return g.healthy() == 2 }, patience, 10*time.Millisecond)
	l = startLoad(g)
	time.Sleep(2 * time.Second) // of load
	after := l.stop()
	t.Logf("one of three dead: %d GETs and %d POSTs, p99 %v", after.gets, after.posts, after.p99())
	require.Greater(t, after.gets, 100)
	require.Empty(t, after.errors)
	require.Zero(t, after.postErrors)

	b, err := os.ReadFile(posts)
	require.NoError(t, err)
	ids := strings.Fields(string(b))
	require.NotEmpty(t, ids)
	slices.Sort(ids)
	require.Len(t, slices.Compact(slices.Clone(ids)), len(ids), "a POST arrived twice")
}

// trouble makes something wrong for a time d, and puts it right.
func trouble(e *endpoint, kind string, d time.Duration, cut func(bool)) {
	switch kind {
	case "kill":
		e.kill()
		time.Sleep(d)
		e.start()
	case "stop":
		e.signal(syscall.SIGSTOP)
		time.Sleep(d)
		e.signal(syscall.SIGCONT)
	case "slow":
		e.signal(slow)
		time.Sleep(d)
		e.signal(slow)
	case "reset":
		e.signal(reset)
		time.Sleep(d)
		e.signal(reset)
	case "flap":
		for range 3 {
			e.kill()
			e.start()
		}
	case "cut off":
		cut(true)
		time.Sleep(d)
		cut(false)
	}
}

// inNamespace runs this test again in a network namespace of its own.
func inNamespace(t *testing.T, length time.Duration) {
	self, err := os.Executable()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), length+2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "--net", "--", self, "-test.run=^TestChaos$", "-test.v", "-test.count=1")
	cmd.Env = append(os.Environ(), insideEnv+"="+build(t))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	require.NoError(t, err)
}

func build(t *testing.T) string {
	dir := t.TempDir()
	require.NoError(t, programs.Build(dir, "blitz"))
	return filepath.Join(dir, "blitz")
}

// load sends requests at a fixed rate, each when its time has come, whatever becomes of the others.
type load struct {
	began  time.Time
	cancel context.CancelFunc
	done   chan struct{}
	mu     sync.Mutex
	tally  tally
}

// tally is what came of it.
type tally struct {
	gets, posts, postErrors int
	errors                  map[string]int // of GETs
	times                   []time.Duration
}

func (x *tally) success() float64 {
	n := 0
	for _, k := range x.errors {
		n += k
	}
	return 1 - float64(n)/float64(max(x.gets, 1))
}

func (x *tally) p99() time.Duration {
	slices.Sort(x.times)
	if len(x.times) == 0 {
		return 0
	}
	return x.times[len(x.times)*99/100].Round(100 * time.Microsecond)
}

var lastID int

func startLoad(g *gateway) *load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &load{began: time.Now(), cancel: cancel, done: make(chan struct{}), tally: tally{errors: map[string]int{}}}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	go func() {
		defer close(l.done)
		defer client.CloseIdleConnections()
		var all sync.WaitGroup
		tick := time.NewTicker(time.Second / rate)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				all.Wait()
				return
			case due := <-tick.C:
				lastID++
				id := lastID
				all.Go(func() { l.one(client, g.addr, id, due) })
			}
		}
	}()
	return l
}

func (l *load) one(c *http.Client, addr string, id int, due time.Time) {
	method, body := http.MethodGet, io.Reader(nil)
	if id%10 == 0 {
		method, body = http.MethodPost, strings.NewReader("money")
	}
	r, err := http.NewRequest(method, fmt.Sprintf("http://%s/?id=%d", addr, id), body)
	if err != nil {
		panic(err)
	}
	r.GetBody = nil // Go's client must not repeat it either
	what := ""
	if res, err := c.Do(r); err != nil {
		what = err.Error()
	} else {
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 {
			what = fmt.Sprint(res.Status, " ", strings.TrimSpace(string(b)), err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	x := &l.tally
	x.times = append(x.times, time.Since(due))
	switch {
	case method == http.MethodGet:
		x.gets++
		if what != "" {
			x.errors[what]++
		}
	default:
		x.posts++
		if what != "" {
			x.postErrors++
		}
	}
}

func (l *load) stop() *tally {
	l.cancel()
	<-l.done
	return &l.tally
}
