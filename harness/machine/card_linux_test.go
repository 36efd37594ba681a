package machine

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/safchain/ethtool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The loopback has offloads, and neither rings nor a hash table.
func TestReadCardOfTheLoopback(t *testing.T) {
	c, err := ReadCard("lo")
	require.NoError(t, err)
	assert.NotEmpty(t, c.Offloads)
	o, ok := c.offload("generic-segmentation-offload")
	require.True(t, ok)
	assert.Equal(t, c.Offloads["tx-generic-segmentation"], o)
	assert.True(t, c.Offloads["loopback"].Fixed)
	assert.Zero(t, c.RxRing)
	assert.Empty(t, c.Spread)
	_, err = ReadCard("no-such-card")
	require.Error(t, err)
	_, err = ReadCard("a-name-that-is-longer-than-names-may-be")
	require.Error(t, err)
}

// A veth whose segmentation offload is switched off: the doctor sees it change. In a network namespace of its own.
func TestTheDoctorSeesAVethChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a network namespace and a veth need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("ip is not installed (Debian: iproute2)")
	}
	runtime.LockOSThread() // and never unlocked: the thread ends with this goroutine, and its namespace with it
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("this machine permits no network namespace: %v", err)
	}
	out, err := exec.Command("ip", "link", "add", "lab0", "type", "veth", "peer", "name", "lab1").CombinedOutput()
	require.NoError(t, err, string(out))
	n := &NIC{Interface: "lab0", Offloads: map[string]bool{"tcp-segmentation-offload": true, "rx-gro": false}, RxRing: 512}
	root := t.TempDir() // /sys shows the interfaces of the namespace in which it was mounted
	require.NoError(t, os.MkdirAll(filepath.Join(root, "sys/class/net/lab0"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "sys/class/net/lab0/mtu"), []byte("1500\n"), 0o644))
	look := func() map[string]Check { return byName(network(n, Roles{}, root, ReadCard)) }
	before := look()
	assert.Equal(t, OK, before["lab0 tcp-segmentation-offload"].Status, before["lab0 tcp-segmentation-offload"].Observed)
	assert.Equal(t, OK, before["lab0 rx-gro"].Status)
	assert.Contains(t, before["lab0 receive ring"].Observed, "not shown by this machine", "a veth has none")

	e, err := ethtool.NewEthtool()
	require.NoError(t, err)
	defer e.Close()
	change := map[string]bool{"rx-gro": true}
	c, err := ReadCard("lab0")
	require.NoError(t, err)
	for name := range c.Offloads {
		if strings.HasPrefix(name, "tx-tcp") {
			change[name] = false // newer kernels have more of them
		}
	}
	require.NoError(t, e.Change("lab0", change))
	after := look()
	assert.Equal(t, "off, expected on", after["lab0 tcp-segmentation-offload"].Observed)
	assert.Equal(t, "on, expected off", after["lab0 rx-gro"].Observed)
	assert.Contains(t, after["lab0 rx-gro"].Mend, "ethtool -K lab0 rx-gro off")
}
