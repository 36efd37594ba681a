package gate

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/lab"
	"github.com/blitz-gateway/blitz/harness/lab/labtest"
	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
)

func TestMain(m *testing.M) { os.Exit(labtest.Run(m)) }

func TestOtherWorkIsMeasured(t *testing.T) {
	s := time.Second
	assert.NoError(t, use{busy: 10 * s, own: 9900 * time.Millisecond, all: 20 * s}.judge())
	assert.NoError(t, use{busy: 9 * s, own: 10 * s, all: 20 * s}.judge(), "ticks are coarser than clocks")
	assert.ErrorIs(t, use{busy: 10 * s, own: 8 * s, all: 20 * s}.judge(), errBusy)
	assert.ErrorContains(t, use{busy: s, steal: s, own: s, all: 20 * s}.judge(), "hypervisor")
	assert.NoError(t, use{}.judge())
}

// guard of a test disturbs the pairs that it is told to.
type guard struct {
	n       int
	disturb func(n int) bool
}

func (g *guard) Begin() (func() error, error) {
	g.n++
	n := g.n
	return func() error {
		if g.disturb(n) {
			return errBusy
		}
		return nil
	}, nil
}

func TestDisturbedPairsAreLeftOut(t *testing.T) {
	g := &guard{disturb: func(n int) bool { return n == 2 || n == 3 }}
	out := simulate(t, &world{noise: 0.002}, 1, func(c *Config) { c.Guard = g })
	assert.Equal(t, Pass, out.Verdict)
	assert.Equal(t, 9, out.Pairs)
	assert.Equal(t, 11, g.n)
	assert.Contains(t, out.Notes[0], "2 pairs were disturbed")
}

// A machine that is busy all the time makes the gate invalid, not passed, whatever the figures say.
func TestBusyMachineIsInvalid(t *testing.T) {
	for _, from := range []int{0, 7} {
		out := simulate(t, &world{noise: 0.002}, 1, func(c *Config) { c.Guard = &guard{disturb: func(n int) bool { return n > from }} })
		assert.Equal(t, Invalid, out.Verdict)
		assert.Equal(t, from, out.Pairs)
		assert.Equal(t, 3, out.Verdict.ExitCode())
		assert.Contains(t, out.Notes[0], "other processes")
	}
	broken := errors.New("no such file")
	_, err := Run(context.Background(), Config{
		Scenarios: []string{"s"}, Metrics: profiles["ci"].Metrics, MinPairs: 1, Step: 1, MaxPairs: 1, Guard: brokenGuard{broken},
		Order: func(n, rounds int, _ *rand.Rand) [][]int { return [][]int{{0, 1, 2}} }, Now: time.Now, Progress: func(string) {},
	})
	require.ErrorIs(t, err, broken)
}

type brokenGuard struct{ err error }

func (b brokenGuard) Begin() (func() error, error) { return nil, b.err }

// The watchman of a real laboratory counts a process that is not the laboratory's, and says its name.
func TestWatchmanSeesOtherWork(t *testing.T) {
	set := proc.NewSet(nil)
	defer set.Close()
	b := blitz.New("blitz", labtest.Programs(t)+"/blitz")
	l, err := lab.New(lab.Config{
		Set: set, Machine: machine.Spec{Roles: machine.Roles{Server: machine.CPUSet{0}, Load: machine.CPUSet{0}, Origin: machine.CPUSet{0}}},
		Targets: []lab.Located{{Target: b}}, Scratch: t.TempDir(), Profile: lab.Profile{Pairs: 1},
	})
	require.NoError(t, err)
	w, err := NewWatchman(l)
	require.NoError(t, err)
	end, err := w.Begin()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", "while :; do :; done")
	other := proc.NewSet(nil)
	defer other.Close()
	_, err = other.Start(proc.Spec{Path: cmd.Path, Args: cmd.Args[1:], CPUs: []int{0}})
	require.NoError(t, err)
	// The tests of other packages may share the CPU, so wait until this one process has had its part.
	require.Eventually(t, func() bool {
		d, err := other.CPU()
		return err == nil && d > 300*time.Millisecond
	}, 30*time.Second, 10*time.Millisecond)
	err = end()
	require.Error(t, err)
	if errors.Is(err, errBusy) { // a machine whose hypervisor steals says that first
		assert.Contains(t, err.Error(), "used")
	}
	w.spin[0] = 1
	require.ErrorContains(t, w.Finish(), "the machine has changed")
}
