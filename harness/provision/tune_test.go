package provision

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tuner runs Ansible's module tune on files that stand in for the kernel's.
type tuner struct {
	t     *testing.T
	dir   string
	state string
	// python is run before the module: it may break something.
	python string
	// card is what the module is told of a network card, and bin has an ethtool that stands in for it.
	card map[string]any
	bin  string
}

func newTuner(t *testing.T, files map[string]string) *tuner {
	t.Helper()
	if exec.Command("/usr/bin/python3", "-c", "import ansible.module_utils.basic").Run() != nil {
		t.Skip("ansible-core is not installed (Debian: apt-get install ansible-core)")
	}
	u := &tuner{t: t, dir: t.TempDir(), state: t.TempDir(), card: map[string]any{}}
	for name, text := range files {
		u.set(name, text)
	}
	return u
}

func (u *tuner) path(name string) string { return filepath.Join(u.dir, name) }

func (u *tuner) set(name, text string) {
	require.NoError(u.t, os.MkdirAll(filepath.Dir(u.path(name)), 0o755))
	require.NoError(u.t, os.WriteFile(u.path(name), []byte(text), 0o644))
}

func (u *tuner) get(name string) string {
	b, err := os.ReadFile(u.path(name))
	require.NoError(u.t, err)
	return string(b)
}

// said is the module's answer.
type said struct {
	Changed bool
	Failed  bool
	Missing []string
}

func (u *tuner) run(state string, check bool, settings map[string]string) (out said) {
	u.t.Helper()
	list := []Setting{}
	for name, v := range settings {
		list = append(list, Setting{u.path(name), v})
	}
	type m = map[string]any
	words := []m{}
	for _, s := range list {
		words = append(words, m{"path": s.Path, "value": s.Value})
	}
	args, err := json.Marshal(m{"ANSIBLE_MODULE_ARGS": m{"name": "kernel", "state": state, "settings": words, "ethtool": u.card, "_ansible_check_mode": check}})
	require.NoError(u.t, err)
	lib, err := filepath.Abs("../../ansible/library")
	require.NoError(u.t, err)
	_, err = os.ReadFile(filepath.Join(lib, "tune.py")) // so that go test knows what the outcome depends on
	require.NoError(u.t, err)
	cmd := exec.Command("/usr/bin/python3", "-B", "-c", "import sys; sys.path.insert(0, sys.argv[1]); import tune; tune.STATE = sys.argv[2]; sys.argv = sys.argv[:1]\n"+u.python+"\ntune.main()", lib, u.state)
	cmd.Env = append(os.Environ(), "PATH="+u.bin+":"+os.Getenv("PATH"))
	cmd.Stdin = strings.NewReader(string(args))
	b, err := cmd.Output()
	if u.python != "" {
		require.Error(u.t, err)
		return out
	}
	require.NoError(u.t, err, string(b))
	require.NoError(u.t, json.Unmarshal(b, &out), string(b))
	return out
}

func TestTuningIsIdempotentAndUndone(t *testing.T) {
	u := newTuner(t, map[string]string{"thp": "always [madvise] never", "a/scaling_governor": "powersave\n", "b/scaling_governor": "performance\n"})
	want := map[string]string{"*/scaling_governor": "performance", "gone": "1"}
	assert.True(t, u.run("present", true, want).Changed)
	assert.Equal(t, "powersave\n", u.get("a/scaling_governor"), "check mode changes nothing")
	out := u.run("present", false, want)
	assert.True(t, out.Changed)
	assert.Equal(t, []string{u.path("gone")}, out.Missing)
	assert.Equal(t, "performance", u.get("a/scaling_governor"))
	assert.False(t, u.run("present", false, want).Changed)
	assert.False(t, u.run("present", false, map[string]string{"thp": "madvise"}).Changed, "the bracketed word is the one in force")

	// A description that has changed meanwhile takes nothing from what is put back.
	assert.True(t, u.run("undone", false, nil).Changed)
	assert.Equal(t, "powersave", u.get("a/scaling_governor"))
	assert.Equal(t, "performance\n", u.get("b/scaling_governor"), "what was not changed is not touched")
	assert.False(t, u.run("undone", false, want).Changed)
}

// "1,2" and "12" are other CPUs; only in masks are commas and zeros for the eye.
func TestListsOfCPUsAreNoMasks(t *testing.T) {
	u := newTuner(t, map[string]string{"41/smp_affinity_list": "12\n", "42/smp_affinity_list": "2\n", "rx-0/rps_cpus": "00000000,0000000c\n"})
	assert.True(t, u.run("present", false, map[string]string{"41/smp_affinity_list": "1,2", "42/smp_affinity_list": "0,2"}).Changed)
	assert.Equal(t, "1,2", u.get("41/smp_affinity_list"))
	assert.Equal(t, "0,2", u.get("42/smp_affinity_list"))
	assert.False(t, u.run("present", false, map[string]string{"rx-0/rps_cpus": "c"}).Changed)
}

// Who is killed in the middle of a change has already said how to undo it.
func TestAnInterruptedTuningCanBeUndone(t *testing.T) {
	u := newTuner(t, map[string]string{"somaxconn": "128\n"})
	u.python = "def put(path, value):\n    open(path, 'w').write(value)\n    raise KeyboardInterrupt\ntune.write = put"
	u.run("present", false, map[string]string{"somaxconn": "4096"})
	require.Equal(t, "4096", u.get("somaxconn"))
	u.python = ""
	assert.True(t, u.run("undone", false, nil).Changed)
	assert.Equal(t, "128", u.get("somaxconn"))
}

// A CPU that is offline when the tunings are undone gets its setting back when it is there again.
func TestWhatIsAwayIsUndoneLater(t *testing.T) {
	u := newTuner(t, map[string]string{"cpu0": "powersave", "cpu1": "powersave"})
	u.run("present", false, map[string]string{"cpu*": "performance"})
	require.NoError(t, os.Rename(u.path("cpu1"), u.path("off1")))
	out := u.run("undone", false, nil)
	assert.Equal(t, []string{u.path("cpu1")}, out.Missing)
	assert.Equal(t, "powersave", u.get("cpu0"))
	require.NoError(t, os.Rename(u.path("off1"), u.path("cpu1")))
	assert.True(t, u.run("undone", false, nil).Changed)
	assert.Equal(t, "powersave", u.get("cpu1"))
	left, err := filepath.Glob(filepath.Join(u.state, "*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

// What a card had is put back, also what the description does not mention any more.
func TestACardIsTunedAndUndone(t *testing.T) {
	u := newTuner(t, map[string]string{"rx": "512\n", "tso": "on\n"})
	u.bin = t.TempDir()
	script := "#!/bin/sh\ncd '" + u.dir + "'\ncase $1 in\n-k) echo \"tcp-segmentation-offload: $(cat tso)\" ;;\n-K) echo $4 >tso ;;\n" +
		"-g) printf 'Pre-set maximums:\\nRX: 4096\\nCurrent hardware settings:\\nRX: %s\\n' $(cat rx) ;;\n-G) echo $4 >rx ;;\nesac\n"
	require.NoError(t, os.WriteFile(filepath.Join(u.bin, "ethtool"), []byte(script), 0o755))
	u.card = map[string]any{"interface": "eth0", "rx": 4096, "offloads": map[string]bool{"tcp-segmentation-offload": false}}
	assert.True(t, u.run("present", false, nil).Changed)
	assert.Equal(t, "4096\n", u.get("rx"))
	assert.Equal(t, "off\n", u.get("tso"))
	assert.False(t, u.run("present", false, nil).Changed)

	u.card = map[string]any{"interface": "eth0"}
	assert.True(t, u.run("undone", false, nil).Changed)
	assert.Equal(t, "512\n", u.get("rx"))
	assert.Equal(t, "on\n", u.get("tso"))
	assert.False(t, u.run("undone", false, nil).Changed)
}
