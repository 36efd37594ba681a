package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
)

func TestScheduleIsABBA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for n := 1; n <= 5; n++ {
		s := Schedule(n, 7, rng)
		require.Len(t, s, 7)
		for i, order := range s {
			sorted := slices.Sorted(slices.Values(order))
			for k, v := range sorted {
				assert.Equal(t, k, v, "every target once")
			}
			if i%2 == 1 {
				back := slices.Clone(order)
				slices.Reverse(back)
				assert.Equal(t, s[i-1], back, "the second of a block runs backwards")
			}
		}
	}
	first := map[int]int{}
	for _, order := range Schedule(3, 600, rng) {
		first[order[0]]++
	}
	for k := range 3 {
		assert.InDelta(t, 200, first[k], 60, "each target begins about as often")
	}
}

func TestSelect(t *testing.T) {
	names := func(s []Scenario) (out []string) {
		for _, x := range s {
			out = append(out, x.Name)
		}
		return out
	}
	const standard = "h1-static h1-proxy-100b h1-proxy-1k h1-churn h1-large h1-tls-proxy h2-static h2-proxy h2-proxy-h2 grpc-unary tls-handshake " +
		"tls-handshake-resumed h1-slo h2-slo h1-proxy-full idle-10k idle-10k-tls scaling cold-start reload-10 reload-10k chaos"
	for _, c := range []struct{ in, want string }{
		{"cold-start,h1-static", "h1-static cold-start"},
		{"h1-proxy", "h1-proxy-100b h1-proxy-1k"},
		{"h1-proxy,h1-proxy-1k", "h1-proxy-100b h1-proxy-1k"},
		{"all", standard},
		{"", standard},
		{"h1-attack", "h1-attack-none h1-attack-headers h1-attack-body h1-attack-range h1-attack-read"},
	} {
		var in []string
		if c.in != "" {
			in = strings.Split(c.in, ",")
		}
		got, err := Select(in, true)
		require.NoError(t, err)
		assert.Equal(t, c.want, strings.Join(names(got), " "))
	}
	quick, err := Select(nil, false)
	require.NoError(t, err)
	assert.Equal(t, "h1-static h1-proxy-100b h1-proxy-1k h1-churn h1-large h1-tls-proxy h2-static h2-proxy idle-10k cold-start", strings.Join(names(quick), " "))
	_, err = Select([]string{"h1-typo"}, true)
	assert.ErrorContains(t, err, "h1-static")
}

func TestRoundRate(t *testing.T) {
	for in, want := range map[float64]float64{33987: 33000, 120000: 120000, 999: 990, 12.7: 12, 7.9: 7, 0.2: 1} {
		assert.InDelta(t, want, RoundRate(in), 1e-6)
	}
}

func sat(name string, rps float64) result.Sample {
	return result.Sample{Target: name, Phase: result.Saturation, Load: &result.Load{RPS: rps}}
}

func TestRatesFitTheSlowestTarget(t *testing.T) {
	l := &Lab{Config: Config{Profile: Profile{HalfRate: true}, Targets: []Located{{Target: blitz.New("a", "")}, {Target: blitz.New("b", "")}}}}
	s := Scenario{rates: []float64{20000}}
	rates, skipped := l.rates(s, []result.Sample{sat("a", 200000), sat("b", 100000)})
	assert.Equal(t, []float64{20000, 50000}, rates)
	assert.Empty(t, skipped)
	rates, skipped = l.rates(s, []result.Sample{sat("a", 200000), sat("b", 10000)})
	assert.Equal(t, []float64{5000}, rates)
	assert.Len(t, skipped, 1)
	rates, _ = l.rates(s, []result.Sample{sat("a", 200000), sat("b", 42000)})
	assert.Equal(t, []float64{20000}, rates, "21,000 is no second rate")
	l.Profile.HalfRate = false
	rates, _ = l.rates(s, []result.Sample{sat("a", 200000), sat("b", 100000)})
	assert.Equal(t, []float64{20000}, rates)
	rates, _ = l.rates(s, []result.Sample{sat("a", 200000), sat("b", 10000)})
	assert.Equal(t, []float64{5000}, rates, "a scenario is never without response times")
	rates, skipped = l.rates(s, []result.Sample{sat("a", 200000)})
	assert.Empty(t, rates)
	assert.NotEmpty(t, skipped)
}

// serve answers each connection with the texts given, one for each request.
func serve(t *testing.T, closeAfter bool, answers ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				br := bufio.NewReader(c)
				for _, a := range answers {
					for line := ""; line != "\r\n"; {
						if line, err = br.ReadString('\n'); err != nil {
							return
						}
					}
					_, _ = io.WriteString(c, a)
				}
				if !closeAfter {
					_, _ = br.ReadByte()
				}
			}()
		}
	}()
	return l.Addr().String()
}

func TestVerifyRefusesWrongAnswers(t *testing.T) {
	ok := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	closing := "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
	ctx := context.Background()
	head, err := verify(ctx, Scenario{path: "/"}, serve(t, false, ok, ok), []byte("ok"))
	require.NoError(t, err)
	assert.Equal(t, len(ok)-2, head)
	_, err = verify(ctx, Scenario{path: "/", newConnection: true}, serve(t, true, closing), []byte("ok"))
	require.NoError(t, err)

	for name, c := range map[string]struct {
		answers []string
		closing bool
		ends    bool
		want    string
	}{
		"status":            {[]string{"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"}, false, false, "404"},
		"body":              {[]string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"}, false, false, "not the expected"},
		"length":            {[]string{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\no"}, false, false, "not the expected"},
		"no length":         {[]string{"HTTP/1.1 200 OK\r\n\r\nok"}, false, true, "Content-Length"},
		"more than said":    {[]string{ok + "x"}, false, false, "follow"},
		"not kept":          {[]string{ok}, false, true, "read the head"},
		"says close":        {[]string{closing}, false, true, "close announced"},
		"does not close":    {[]string{ok}, true, true, "close announced"},
		"half a body":       {[]string{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"}, false, true, "read the body"},
		"second is another": {[]string{ok, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"}, false, false, "not the expected"},
		"not HTTP":          {[]string{"hello\r\n\r\n"}, false, false, "malformed"},
		"endless head":      {[]string{"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20000)}, false, false, "does not end"},
	} {
		_, err := verify(ctx, Scenario{path: "/", newConnection: c.closing}, serve(t, c.ends, c.answers...), []byte("ok"))
		assert.ErrorContains(t, err, c.want, name)
	}
}

// testProfile is as short as a measurement can be.
var testProfile = Profile{Name: "test", Pairs: 1, Warmup: 10 * time.Millisecond, Saturation: 50 * time.Millisecond, Rate: 50 * time.Millisecond,
	HalfRate: true, ColdStarts: 1, Search: time.Second, Connections: 1, IdleConnections: 40}

// testMachine pins nothing: the tests of the whole project share the CPUs. Use per role is computed over one CPU.
var testMachine = machine.Spec{Name: "test", Expect: machine.Expect{CPUs: 1}, Roles: machine.Roles{Server: machine.CPUSet{0}, Load: machine.CPUSet{0}, Origin: machine.CPUSet{0}}}

func newLab(t *testing.T, dir string) (*Lab, *proc.Set) {
	t.Helper()
	set := proc.NewSet(nil)
	t.Cleanup(func() { assert.NoError(t, set.Close()) })
	var located []Located
	for _, name := range []string{"blitz", "other"} {
		tg := blitz.New(name, filepath.Join(dir, "blitz"))
		bin, err := tg.Locate(context.Background())
		require.NoError(t, err)
		located = append(located, Located{Target: tg, Binary: bin})
	}
	l, err := New(Config{
		Set: set, Machine: testMachine, Targets: located, Blitzload: filepath.Join(dir, "blitzload"), Profile: testProfile, Seed: 1,
		Scratch: t.TempDir(), OpenFiles: 10000,
	})
	require.NoError(t, err)
	return l, set
}

func scenario(t *testing.T, name string) Scenario {
	s, err := Select([]string{name}, true)
	require.NoError(t, err)
	return s[0]
}

// Every kind of scenario runs over two stand-ins, and its result can be written and read back.
func TestScenarios(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	for _, name := range []string{"h1-static", "h1-proxy-1k", "idle-10k", "h1-slo", "scaling", "cold-start"} {
		t.Run(name, func(t *testing.T) {
			out, err := l.Run(context.Background(), scenario(t, name))
			require.NoError(t, err)
			r := out.Result
			r.Run = result.Run{ID: "x", Started: time.Unix(1, 0), Finished: time.Unix(2, 0)}
			r.Machine.Name = "test"
			dir := filepath.Join(t.TempDir(), "r")
			require.NoError(t, result.Write(dir, r, out.Logs))
			back, err := result.Read(dir)
			require.NoError(t, err)
			require.Len(t, back.Targets, 2)
			assert.Equal(t, "blitz stand-in", back.Targets[0].Version)
			assert.Equal(t, []string{"workers=1 engine=net reason=stand-in"}, back.Targets[0].Notes)
			assert.Positive(t, back.Targets[0].HeadBytes)
			assert.NotContains(t, strings.Join(back.Targets[0].Command, " "), l.Scratch, "no path of this machine")
			for _, s := range back.Samples {
				require.Empty(t, s.Invalid)
				switch {
				case s.Search != nil:
					assert.EqualValues(t, 1000, s.Search.Rate)
					assert.Equal(t, "p99<1ms,errors<0.1%", s.Search.Objective)
				case s.Load != nil:
					assert.Positive(t, s.Load.Responses)
					assert.Positive(t, s.Load.ServerCPUMicros)
					assert.Positive(t, s.Load.PSS)
				case s.Idle != nil:
					assert.Equal(t, 40, s.Idle.Connections)
					assert.Positive(t, s.Idle.PSS)
				case s.Cold != nil:
					assert.Positive(t, s.Cold.Milliseconds)
				}
			}
			for _, g := range back.Groups {
				ivs, err := result.Intervals(dir, g)
				require.NoError(t, err)
				var n int64
				for _, iv := range ivs {
					if iv.Tag == "response" {
						n += iv.Count()
					}
				}
				assert.Equal(t, g.Response.Count, n, "the merged summary is that of the log")
			}
		})
	}
}

func TestWrongBytesAreNotTimed(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t, "BODY=wrong"))
	_, err := l.Run(context.Background(), scenario(t, "h1-static"))
	assert.ErrorContains(t, err, "nothing was timed")
	_, err = l.Run(context.Background(), scenario(t, "cold-start"))
	assert.ErrorContains(t, err, "wrong body")
	_, err = l.Run(context.Background(), scenario(t, "idle-10k"))
	assert.Error(t, err)
}

// A run that may not be believed spoils the sample. The round is repeated once, and the samples are kept and left out of the groups.
func TestInvalidSamplesAreKeptApart(t *testing.T) {
	t.Setenv("ERRORS", "1")
	l, _ := newLab(t, labtest.Programs(t))
	out, err := l.Run(context.Background(), scenario(t, "h1-static"))
	require.NoError(t, err)
	assert.Len(t, out.Result.Samples, 2*2*testProfile.Pairs)
	for _, s := range out.Result.Samples {
		require.NotEmpty(t, s.Invalid)
		assert.Contains(t, s.Invalid[0], "had an error, more than 1 %")
	}
	assert.Empty(t, out.Result.Groups)
	assert.NotEmpty(t, out.Result.Scenario.Skipped, "without a valid saturation there is no rate")
}

// An interrupt in the middle of a sample ends everything that was started.
func TestInterruptLeavesNothingBehind(t *testing.T) {
	l, set := newLab(t, labtest.Programs(t))
	l.Profile.Saturation = time.Minute
	ctx, cancel := context.WithCancel(context.Background())
	done, s := make(chan error, 1), scenario(t, "h1-proxy-1k")
	go func() {
		_, err := l.Run(ctx, s)
		done <- err
	}()
	require.Eventually(t, func() bool {
		// The load directory appears when the generator is started: origin, target and generator are running.
		m, _ := filepath.Glob(filepath.Join(l.Scratch, "*-load", "log"))
		return len(m) > 0
	}, 20*time.Second, 5*time.Millisecond)
	cancel()
	select {
	case err := <-done:
		require.ErrorIs(t, err, context.Canceled)
	case <-time.After(20 * time.Second):
		t.Fatal("the run did not end")
	}
	require.NoError(t, set.Close())
	running, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, p := range running {
		if dir, err := os.Readlink(p); err == nil {
			assert.False(t, strings.HasPrefix(dir, l.Scratch), "%s still runs in %s", p, dir)
		}
	}
}

func TestTooFewDescriptorsAreSaid(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	l.OpenFiles = 100
	_, err := l.Run(context.Background(), scenario(t, "idle-10k"))
	assert.ErrorContains(t, err, "open files")
}

// A bench writes whole results under its date and machine; a machine that is not fit is refused, or the results are marked.
func TestBench(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // a lock of its own
	dir, machines, out := labtest.Programs(t), t.TempDir(), t.TempDir()
	unfit := "name: other\nexpect: {cpus: 4096, cpu_model: Z80}\nroles: {server: \"0\", load: \"1\", origin: \"1\"}\n"
	require.NoError(t, os.WriteFile(filepath.Join(machines, "other.yaml"), []byte(unfit), 0o644))
	o := Options{
		Scenarios: []Scenario{scenario(t, "cold-start")}, Targets: []target.Target{blitz.New("blitz", filepath.Join(dir, "blitz")), missing{}}, Required: []string{"blitz"},
		Profile: testProfile, MachineName: "other", MachinesDir: machines, Blitzload: filepath.Join(dir, "blitzload"), Out: out, Command: "again",
	}
	_, err := Bench(context.Background(), o)
	require.ErrorIs(t, err, ErrUnfit)
	assert.ErrorContains(t, err, "Z80")
	left, err := os.ReadDir(out)
	require.NoError(t, err)
	assert.Empty(t, left)

	o.Force = true
	for n := range 2 {
		at, err := Bench(context.Background(), o)
		require.NoError(t, err)
		assert.Equal(t, "other", filepath.Base(at))
		r, err := result.Read(filepath.Join(at, "cold-start"))
		require.NoError(t, err)
		assert.True(t, r.Run.Forced)
		assert.NotEmpty(t, r.Run.Unfit)
		require.Len(t, r.Targets, 1, "what is not installed is left out")
		days, err := os.ReadDir(out)
		require.NoError(t, err)
		assert.Len(t, days, n+1, "an earlier run of the same day is kept")
	}
	o.Required = append(o.Required, "missing")
	_, err = Bench(context.Background(), o)
	assert.ErrorIs(t, err, target.ErrNotFound)
}

type missing struct{}

func (missing) Name() string { return "missing" }
func (missing) Locate(context.Context) (target.Binary, error) {
	return target.Binary{}, fmt.Errorf("missing: %w", target.ErrNotFound)
}
func (missing) Render(target.Plan) (target.Launch, error) {
	return target.Launch{}, errors.New("never")
}

// A machine that holds no scenario's objective at any rate has one of its own.
func TestObjectiveOfTheMachine(t *testing.T) {
	l, _ := newLab(t, labtest.Programs(t))
	l.Machine.Objective = "p99<5ms"
	out, err := l.Run(context.Background(), scenario(t, "h1-slo"))
	require.NoError(t, err)
	require.NotEmpty(t, out.Result.Samples)
	for _, s := range out.Result.Samples {
		require.Equal(t, "p99<5ms", s.Search.Objective)
	}
	assert.Contains(t, out.Result.Scenario.About, "The objective is p99<5ms.")
}
