package fleet

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// echo is a service whose clock is an hour ahead.
type echo struct{}

func (echo) Clock(_ struct{}, now *int64) error {
	*now = time.Now().Add(time.Hour).UnixNano()
	return nil
}

func (echo) Hang(_ struct{}, _ *int) error { select {} }

// The test binary is the agent.
func TestMain(m *testing.M) {
	switch os.Getenv("FLEET_TEST") {
	case "serve":
		_ = Serve(os.Stdin, os.Stdout, "Echo", echo{}, func() { os.Exit(0) })
		os.Exit(0)
	case "fail":
		_, _ = os.Stderr.WriteString("no such program\n")
		os.Exit(127)
	}
	os.Exit(m.Run())
}

func agent(t *testing.T, what string) *Conn {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	c, err := Dial(Host{Name: "h", Agent: []string{"env", "FLEET_TEST=" + what, self}}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func TestTheOffsetOfAClockIsFound(t *testing.T) {
	c := agent(t, "serve")
	require.NoError(t, c.Measure(context.Background(), "Echo"))
	require.Positive(t, c.Clock.Bound)
	require.InDelta(t, float64(time.Hour), float64(c.Clock.Ahead), float64(c.Clock.Bound)+float64(time.Millisecond))
	now := time.Now()
	require.Equal(t, c.Clock.Ahead, c.Clock.There(now).Sub(now.Round(0)))
}

func TestTheQuickestAnswerCounts(t *testing.T) {
	sent := time.Unix(100, 0)
	best := Offset{Bound: time.Hour}
	best = closer(best, sent, 10*time.Millisecond, sent.Add(25*time.Millisecond).UnixNano())
	require.Equal(t, Offset{20 * time.Millisecond, 5 * time.Millisecond}, best)
	best = closer(best, sent, 2*time.Millisecond, sent.Add(21*time.Millisecond).UnixNano())
	require.Equal(t, Offset{20 * time.Millisecond, time.Millisecond}, best)
	require.Equal(t, best, closer(best, sent, 2*time.Second, sent.UnixNano()), "a slower answer says less")
}

func TestABrokenAgentSaysWhy(t *testing.T) {
	err := agent(t, "fail").Measure(context.Background(), "Echo")
	require.ErrorContains(t, err, "host h")
	require.ErrorContains(t, err, "no such program")
}

func TestACallEndsWithItsContext(t *testing.T) {
	c := agent(t, "serve")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out int
	require.ErrorIs(t, c.Call(ctx, "Echo.Hang", struct{}{}, &out), context.Canceled)
}

func TestTheCommandOverSSH(t *testing.T) {
	h := Host{SSH: "root@192.0.2.1", Port: 2222, Options: []string{"-i", "key"}, Agent: []string{"/opt/it's/blitzlab", "agent"}}
	argv := h.Command()
	require.Equal(t, "ssh", argv[0])
	require.Contains(t, argv, "BatchMode=yes")
	require.Equal(t, []string{"-p", "2222", "-i", "key", "--", "root@192.0.2.1", `'/opt/it'\''s/blitzlab'`, `'agent'`}, argv[len(argv)-8:])
}
