package machine

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAMachineThatChangedIsRefusedUntilItIsCalibrated(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "state"), time.Unix(1_800_000_000, 0)
	f := Fingerprint{Kernel: "6.1.0", CPUs: 2, MemoryBytes: 4 << 30, THP: "madvise", GoVersion: "go1.26", Sysctls: map[string]string{
		"net.core.somaxconn": "4096", "net.ipv4.tcp_congestion_control": "bbr"}}
	require.NoError(t, Trust(dir, "m", f, now), "seen for the first time")
	require.NoError(t, Trust(dir, "m", f, now))

	same := f
	same.GoVersion, same.MemoryBytes = "go1.27", f.MemoryBytes-1<<20
	same.Sysctls = map[string]string{"net.core.somaxconn": "4096", "net.ipv4.tcp_congestion_control": "cubic"}
	require.NoError(t, Trust(dir, "m", same, now), "what runs change themselves does not count")

	other := f
	other.Kernel, other.Sysctls = "6.8.0", map[string]string{"net.core.somaxconn": "128"}
	err := Trust(dir, "m", other, now)
	require.ErrorIs(t, err, ErrQuarantined)
	assert.ErrorContains(t, err, "kernel was 6.1.0, is 6.8.0; net.core.somaxconn was 4096, is 128")
	assert.ErrorContains(t, err, "--calibrate")
	require.ErrorIs(t, Trust(dir, "m", f, now), ErrQuarantined, "changing back does not heal it: what was measured in between is not known")
	require.NoError(t, Trust(dir, "n", other, now), "another machine is none of its business")

	require.NoError(t, Calibrate(dir, "m", other, now))
	require.NoError(t, Trust(dir, "m", other, now))
}

func TestAMachineThatDriftedIsRefused(t *testing.T) {
	dir, now, f := t.TempDir(), time.Unix(1_800_000_000, 0), Fingerprint{CPUs: 2}
	require.NoError(t, Quarantine(dir, "m", "its A/A run drifted by 9 %", f, now))
	require.NoError(t, Quarantine(dir, "m", "a later reason", f, now))
	assert.ErrorContains(t, Trust(dir, "m", f, now), "drifted by 9 %")
	require.NoError(t, Calibrate(dir, "m", f, now))
	assert.NoError(t, Trust(dir, "m", f, now))
}

func TestABrokenStateIsNotTrusted(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"{": "unexpected end", `{"schema":"blitz.calibration/9","machine":"m"}`: "blitz.calibration/9", `{"schema":"blitz.calibration/1","machine":"x"}`: `machine "x"`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "m.json"), []byte(text), 0o644))
		assert.ErrorContains(t, Trust(dir, "m", Fingerprint{}, time.Now()), want)
	}
}

// The doctor says that a machine is in quarantine, and ends it only where nothing else is wrong.
func TestCalibrationEndsTheQuarantineOfAFitMachine(t *testing.T) {
	dir, now, f := t.TempDir(), time.Unix(1_800_000_000, 0), Fingerprint{CPUs: 2}
	require.NoError(t, Quarantine(dir, "m", "its A/A run drifted by 9 %", f, now))
	checks, err := Examined(dir, "m", f, []Check{{Name: "load", Status: OK}}, false, now)
	require.NoError(t, err)
	require.Len(t, checks, 2)
	assert.Equal(t, Fail, checks[1].Status)
	assert.Contains(t, checks[1].Observed, "drifted by 9 %")
	assert.Contains(t, checks[1].Mend, "--calibrate")

	_, err = Examined(dir, "m", f, []Check{{Name: "load", Status: Fail, Observed: "busy"}}, true, now)
	require.ErrorContains(t, err, "load: busy")
	require.ErrorIs(t, Trust(dir, "m", f, now), ErrQuarantined)

	checks, err = Examined(dir, "m", f, []Check{{Name: "load", Status: Warn}}, true, now)
	require.NoError(t, err)
	assert.Equal(t, OK, checks[1].Status)
	assert.NoError(t, Trust(dir, "m", f, now))
}
