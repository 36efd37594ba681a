package machine

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Spec is a machine as machines/NAME.yaml describes it.
type Spec struct {
	// Name is the file's name without .yaml, and the directory in results/.
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Expect      Expect `yaml:"expect"`
	Roles       Roles  `yaml:"roles"`
	// Tuning and NIC are expected as well, but missing them makes the doctor warn, and not refuse.
	Tuning *Tuning `yaml:"tuning"`
	NIC    *NIC    `yaml:"nic"`
	// Hosts, if there are any, are a laboratory of several machines: the coordinator is none of them, or reaches itself over ssh as well.
	Hosts []Host `yaml:"hosts"`
	// Targets that are provisioned on the host of the proxy; empty: all.
	Targets []string `yaml:"targets"`
	// Objective is what the -slo scenarios seek the highest rate for, as blitzload find --slo spells it; empty: the scenario's own, which a machine whose
	// scheduling alone takes longer never holds.
	Objective string `yaml:"objective"`
	// Forecast holds assumptions for blitzlab project; nil: no forecast is made for this machine.
	Forecast *Forecast `yaml:"forecast"`
}

// Expect is what must be observed before a run may carry the machine's name.
type Expect struct {
	// Virtual: a VM is called a VM.
	Virtual bool `yaml:"virtual"`
	// CPUs that are online.
	CPUs int `yaml:"cpus"`
	// CPUModel must be contained in the kernel's model name.
	CPUModel string `yaml:"cpu_model"`
	// Generations of the CPU, of which it must be one, as CPU.Generation names them; empty: any. A machine that does not show its CPU is not held to it.
	Generations []string `yaml:"cpu_generation"`
	// MemoryGiB is the least memory.
	MemoryGiB float64 `yaml:"memory_gib"`
	// OpenFiles is the least hard limit of open files.
	OpenFiles uint64 `yaml:"open_files"`
	// Governor of CPU frequency; empty when the machine shows none (most VMs).
	Governor string `yaml:"governor"`
}

// check refuses a generation that no CPU can be of: a slip of the pen would refuse every machine.
func (e Expect) check() error {
	for _, g := range e.Generations {
		if !knownGeneration(g) {
			return fmt.Errorf("expect.cpu_generation: %q is none that is known (such as Zen 4c, Sapphire Rapids, Neoverse N1)", g)
		}
	}
	return nil
}

// Roles are the CPUs of each part. Load and origin may share CPUs, the server shares with nobody.
type Roles struct {
	Server CPUSet `yaml:"server"`
	Load   CPUSet `yaml:"load"`
	Origin CPUSet `yaml:"origin"`
}

// Load reads and checks one description.
func Load(path string) (Spec, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	s, err := parse(b)
	if err != nil {
		return Spec{}, fmt.Errorf("%s: %w", path, err)
	}
	if want := strings.TrimSuffix(filepath.Base(path), ".yaml"); s.Name != want {
		return Spec{}, fmt.Errorf("%s: name is %q, the file says %q", path, s.Name, want)
	}
	return s, nil
}

func parse(b []byte) (Spec, error) {
	var s Spec
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&s); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file is empty")
		}
		return Spec{}, err
	}
	return s, s.check()
}

func (s Spec) check() error {
	if err := errors.Join(s.Forecast.check(), s.Expect.check()); err != nil {
		return err
	}
	switch {
	case s.Name == "" || strings.ContainsAny(s.Name, `/\ `):
		return fmt.Errorf("name %q must be usable as a directory", s.Name)
	case len(s.Hosts) > 0:
		if err := s.checkHosts(); err != nil {
			return err
		}
		for _, h := range s.Hosts {
			if err := errors.Join(h.Tuning.check(), h.NIC.check()); err != nil {
				return fmt.Errorf("host %s: %w", h.Name, err)
			}
		}
		return errors.Join(s.Tuning.check(), s.NIC.check())
	case s.Expect.CPUs < 1:
		return errors.New("expect.cpus must be at least 1")
	case len(s.Roles.Server) == 0 || len(s.Roles.Load) == 0 || len(s.Roles.Origin) == 0:
		return errors.New("roles.server, roles.load and roles.origin must each name a CPU")
	case s.Roles.Server.Overlaps(s.Roles.Load) || s.Roles.Server.Overlaps(s.Roles.Origin):
		return fmt.Errorf("roles: server CPUs %v are shared with load %v or origin %v", s.Roles.Server, s.Roles.Load, s.Roles.Origin)
	}
	for _, set := range []CPUSet{s.Roles.Server, s.Roles.Load, s.Roles.Origin} {
		if set[len(set)-1] >= s.Expect.CPUs {
			return fmt.Errorf("roles: CPU %d does not exist among %d", set[len(set)-1], s.Expect.CPUs)
		}
	}
	return errors.Join(s.Tuning.check(), s.NIC.check())
}

// Match lists how the observed machine differs from the expected one; empty means it may carry the name.
func (s Spec) Match(f Fingerprint) []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if s.Expect.Virtual != f.Virtual() {
		add("expected a %s, this is a %s", kind(s.Expect.Virtual), kind(f.Virtual()))
	}
	if s.Expect.CPUs != f.CPUs {
		add("expected %d CPUs, %d are online", s.Expect.CPUs, f.CPUs)
	}
	if !strings.Contains(f.CPUModel, s.Expect.CPUModel) {
		add("expected a %s, this is a %s", s.Expect.CPUModel, f.CPUModel)
	}
	if f.CPU.Known() && len(s.Expect.Generations) > 0 && !slices.Contains(s.Expect.Generations, f.CPU.Generation()) {
		add("expected a CPU of generation %s, this is an %s", strings.Join(s.Expect.Generations, " or "), f.CPU)
	}
	if gib := float64(f.MemoryBytes) / (1 << 30); gib < s.Expect.MemoryGiB {
		add("expected %.1f GiB of memory, there are %.1f", s.Expect.MemoryGiB, gib)
	}
	return out
}

func kind(virtual bool) string {
	if virtual {
		return "VM"
	}
	return "bare-metal machine"
}

// Named loads the description of that name; the error for one that is not there lists those that are.
func Named(dir, name string) (Spec, error) {
	s, err := Load(filepath.Join(dir, name+".yaml"))
	if errors.Is(err, fs.ErrNotExist) {
		var there []string
		files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
		for _, f := range files {
			there = append(there, strings.TrimSuffix(filepath.Base(f), ".yaml"))
		}
		if len(there) == 0 {
			return s, fmt.Errorf("no machine %q: %s holds no description (*.yaml)", name, dir)
		}
		return s, fmt.Errorf("no machine %q in %s; there are %s", name, dir, strings.Join(there, ", "))
	}
	return s, err
}

// Find returns the named description of dir, or without a name the first one that matches the observed machine. If none does, the
// machine gets a generic name and split: the first half of the CPUs serves, the rest loads.
func Find(dir, name string, f Fingerprint) (Spec, error) {
	if name != "" {
		return Named(dir, name)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return Spec{}, err
	}
	for _, file := range files {
		s, err := Load(file)
		if err != nil {
			return Spec{}, err
		}
		if !s.Distributed() && len(s.Match(f)) == 0 {
			return s, nil
		}
	}
	return generic(f)
}

func generic(f Fingerprint) (Spec, error) {
	if f.CPUs < 2 {
		return Spec{}, errors.New("server and load need a CPU each: this machine has one")
	}
	var server, load CPUSet
	for c := range f.CPUs {
		if c < f.CPUs/2 {
			server = append(server, c)
		} else {
			load = append(load, c)
		}
	}
	what := "metal"
	if f.Virtual() {
		what = "vm"
	}
	return Spec{
		Name:        fmt.Sprintf("%s-%dcpu", what, f.CPUs),
		Description: "no description in machines/ matches; CPUs split in halves",
		Expect:      Expect{Virtual: f.Virtual(), CPUs: f.CPUs},
		Roles:       Roles{Server: server, Load: load, Origin: load},
	}, nil
}
