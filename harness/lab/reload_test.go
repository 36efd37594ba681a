package lab

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/floor"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
	"github.com/blitz-gateway/blitz/internal/programs"
)

// Each pair of sections has one with reloads and one without, and the pair after it the other way round: both stand at the same mean time.
func TestSectionsAreBalanced(t *testing.T) {
	orders := map[string]bool{}
	for seed := range uint64(50) {
		o := reloadOrder(seed, "reload-10")
		require.Len(t, o, 2*sectionCount)
		assert.Equal(t, o, reloadOrder(seed, "reload-10"), "the same for each target of a run")
		text, busy, quiet := "", 0, 0
		for i, reloads := range o {
			if reloads {
				busy += i
				text += "r"
			} else {
				quiet += i
				text += "q"
			}
			assert.NotEqual(t, reloads, o[i^1], "a pair has one of each")
			assert.Equal(t, reloads, o[i/4*4+3-i%4], "there and back")
		}
		assert.Equal(t, busy, quiet, "the same mean time")
		orders[text] = true
	}
	assert.Len(t, orders, 8, "two orders for each of three blocks")
}

func TestTimesOfSections(t *testing.T) {
	for of, want := range map[time.Duration][2]time.Duration{6 * time.Second: {500 * time.Millisecond, time.Second}, time.Second: {500 * time.Millisecond, time.Second}, time.Minute: {5 * time.Second, 10 * time.Second}} {
		quiet, busy := sectionTimes(of)
		assert.Equal(t, want, [2]time.Duration{quiet, busy}, of)
	}
	sum := 0
	for i := range sectionCount {
		sum += askedIn(i, 10*time.Second)
	}
	assert.Equal(t, 1000, sum, "1,000 reloads in a minute, though none of six sections holds a whole number of periods")
}

// The real programs, for some seconds: the configuration changes under load and nobody is harmed, and the result is one that a reader believes.
func TestReloadsOfTheRealProgram(t *testing.T) {
	bin := t.TempDir()
	require.NoError(t, programs.Build(bin, "blitz", "blitzload"))
	set := proc.NewSet(nil)
	defer func() { require.NoError(t, set.Close()) }()
	gateway := blitz.New("blitz", filepath.Join(bin, "blitz"))
	located, err := gateway.Locate(context.Background())
	require.NoError(t, err)
	l, err := New(Config{
		Set: set, Blitzload: filepath.Join(bin, "blitzload"), Scratch: t.TempDir(), Seed: 3, OpenFiles: 4096, Progress: func(s string) { t.Log(s) },
		Machine: machine.Spec{Roles: machine.Roles{Server: []int{0}, Load: []int{0}, Origin: []int{0}}},
		Targets: []Located{{Target: gateway, Binary: located}, {Target: floor.New("")}},
		Profile: Profile{Name: "test", Pairs: 1, Warmup: 100 * time.Millisecond, Reload: 1200 * time.Millisecond},
	})
	require.NoError(t, err)
	s, err := Select([]string{"reload-10"}, false)
	require.NoError(t, err)
	s[0].rates = []float64{200}
	o, err := l.Run(context.Background(), s[0])
	require.NoError(t, err)
	require.Len(t, o.Result.Scenario.Unsupported, 1)
	require.Len(t, o.Result.Samples, 1)
	sm := o.Result.Samples[0]
	require.Equal(t, result.Reloading, sm.Phase)
	require.Empty(t, sm.Invalid)
	v := sm.Reload
	assert.Equal(t, 100, v.Asked, "the shortest sections with reloads last a second")
	require.Len(t, v.Sections, 2*sectionCount)
	for i, x := range v.Sections {
		assert.Equal(t, reloadOrder(3, "reload-10")[i], x.Reloads)
		assert.Positive(t, x.Kept.Requests, i)
		assert.Positive(t, x.Kept.Response.P99, i)
		assert.Positive(t, x.Closed.Requests, i)
		assert.Equal(t, x.Reloads, x.Done > 0, i)
		assert.Equal(t, x.Reloads, x.Seen.P50 > 0, i)
	}
	assert.Positive(t, v.Done)
	assert.Zero(t, v.Lost, v.Reasons)
	assert.EqualValues(t, v.Done, v.Seen.Count)
	assert.Zero(t, v.WebSocketsClosed)
	assert.Equal(t, reloadSockets, v.WebSockets)
	for name, served := range map[string]result.Served{"kept": v.Kept, "closed": v.Closed, "kept, quiet": v.QuietKept, "closed, quiet": v.QuietClosed} {
		assert.Positive(t, served.Requests, name)
		assert.Zero(t, served.Failed, "%s: %v", name, served.Errors)
	}
	assert.Greater(t, v.Kept.Requests, v.Closed.Requests)
	assert.Equal(t, 1, v.Processes)
	assert.Positive(t, v.ServerCPUSeconds)
	o.Result.Run.ID, o.Result.Machine.Name = "x", "x"
	_, err = result.Encode(o.Result)
	require.NoError(t, err)
	v.Sections[1].Kept.Requests++
	_, err = result.Encode(o.Result)
	require.ErrorContains(t, err, "sections do not make")
	v.Done++
	_, err = result.Encode(o.Result)
	require.ErrorContains(t, err, "contradict")
}

// A socket that is closed from the other side counts as lost, and only that one.
func TestClosedSocketsAreCounted(t *testing.T) {
	o, err := startWS()
	require.NoError(t, err)
	s, err := openSockets(context.Background(), o.ln.Addr().String(), 3)
	require.NoError(t, err)
	require.NoError(t, s.conns[1].(*net.TCPConn).CloseRead()) // whatever comes is the end for its reader
	ctx, cancel := context.WithCancel(context.Background())
	s.talk(ctx)
	require.Eventually(t, func() bool { return s.lost.Load() == 1 }, 10*time.Second, time.Millisecond)
	cancel()
	s.close()
	require.NoError(t, o.close())
	assert.EqualValues(t, 1, s.lost.Load())
}

// Everything on is a target of its own beside the bare form; nginx and HAProxy are yardsticks, the others are left out.
func TestTargetsWithEverythingOn(t *testing.T) {
	l := &Lab{Config: Config{Targets: []Located{{Target: blitz.New("blitz", "blitz")}, {Target: named{name: "caddy"}}, {Target: nginx.New()}, {Target: named{name: "nginx" + target.VanillaSuffix}, Sparing: true}}}}
	s, err := Select([]string{"h1-proxy-full"}, false)
	require.NoError(t, err)
	can, cannot := l.supported(s[0])
	assert.Equal(t, []string{"blitz", "blitz-full", "nginx"}, namesOf(can))
	assert.Empty(t, cannot)
	assert.Equal(t, 3, withAble(s, l.Targets)[0].able)
}
