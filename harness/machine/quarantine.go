package machine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
)

// ErrQuarantined says that figures of this machine cannot be compared with its earlier ones until it is calibrated again.
var ErrQuarantined = errors.New("this machine is in quarantine")

// Calibration is what was known of a machine when it was last trusted.
type Calibration struct {
	Schema      string      `json:"schema"`
	Machine     string      `json:"machine"`
	At          time.Time   `json:"at"`
	Fingerprint Fingerprint `json:"fingerprint"`
	// Quarantined says why it is not trusted now, since when; empty for a good machine.
	Quarantined string    `json:"quarantined,omitempty"`
	Since       time.Time `json:"since,omitzero"`
}

const calibrationSchema = "blitz.calibration/1"

// StateDir is where calibrations are kept: a directory of this machine's, never of the checkout.
func StateDir() string {
	if d := os.Getenv("BLITZLAB_STATE"); d != "" {
		return d
	}
	d, err := os.UserCacheDir()
	if err != nil {
		d = os.TempDir()
	}
	return filepath.Join(d, "blitzlab", "machines")
}

// Trust is nil when the machine may be measured on. A machine that is seen for the first time is trusted as it is. One that has changed since it was
// calibrated, or that was put into quarantine, is ErrQuarantined with the reason.
func Trust(dir, name string, f Fingerprint, now time.Time) error {
	c, err := readCalibration(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Calibrate(dir, name, f, now)
	}
	if err != nil {
		return err
	}
	if c.Quarantined == "" {
		changed := c.Fingerprint.Changes(f)
		if len(changed) == 0 {
			return c.complete(dir, f)
		}
		c.Quarantined, c.Since = "it has changed since it was calibrated: "+strings.Join(changed, "; "), now.UTC()
		if err := c.write(dir); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w since %s: %s; blitzlab doctor --calibrate trusts it again as it is now", ErrQuarantined, c.Since.Format(time.DateTime), c.Quarantined)
}

// complete adds to a calibration what was not known of the CPU when it was made, so that from now on it is compared.
func (c Calibration) complete(dir string, f Fingerprint) error {
	whole := c.Fingerprint.CPU.completed(f.CPU)
	if reflect.DeepEqual(whole, c.Fingerprint.CPU) {
		return nil
	}
	c.Fingerprint.CPU = whole
	return c.write(dir)
}

// Calibrate trusts the machine as it is now.
func Calibrate(dir, name string, f Fingerprint, now time.Time) error {
	return Calibration{Schema: calibrationSchema, Machine: name, At: now.UTC(), Fingerprint: f}.write(dir)
}

// Examined adds to the doctor's checks whether the machine is in quarantine. With calibrate it is trusted from now on, unless a check failed.
func Examined(dir, name string, f Fingerprint, checks []Check, calibrate bool, now time.Time) ([]Check, error) {
	if calibrate {
		if err := Unfit(checks); err != nil {
			return nil, fmt.Errorf("an unfit machine is not calibrated: %w", err)
		}
		if err := Calibrate(dir, name, f, now); err != nil {
			return nil, err
		}
	}
	c := Check{Name: "quarantine", Status: OK, Observed: "as it was when it was calibrated",
		Reason: "figures of a machine that has changed, or whose A/A run drifted, are not comparable with its earlier ones"}
	if err := Trust(dir, name, f, now); err != nil {
		c.Status, c.Observed, c.Mend = Fail, err.Error(), "find out why, then blitzlab doctor --calibrate"
	}
	return append(checks, c), nil
}

// Quarantine has the machine refused from now on, for a reason. The first reason stays.
func Quarantine(dir, name, reason string, f Fingerprint, now time.Time) error {
	c, err := readCalibration(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		c = Calibration{Schema: calibrationSchema, Machine: name, At: now.UTC(), Fingerprint: f}
	} else if err != nil {
		return err
	}
	if c.Quarantined == "" {
		c.Quarantined, c.Since = reason, now.UTC()
	}
	return c.write(dir)
}

func calibrationFile(dir, name string) string { return filepath.Join(dir, name+".json") }

func readCalibration(dir, name string) (c Calibration, err error) {
	file := calibrationFile(dir, name)
	b, err := os.ReadFile(file)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return c, fmt.Errorf("%s: %w; remove it, or blitzlab doctor --calibrate", file, err)
	}
	if c.Schema != calibrationSchema || c.Machine != name {
		return c, fmt.Errorf("%s: schema %q of machine %q is not what this program writes for %s", file, c.Schema, c.Machine, name)
	}
	return c, nil
}

// write replaces the file, which is whole at every moment.
func (c Calibration) write(dir string) error {
	b, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".calibration-*")
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), calibrationFile(dir, c.Machine))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Changes lists what differs now and decides on figures, each with what it was and what it is. The program that looks (its Go version) does not decide,
// and the congestion control is switched by runs themselves; a little memory comes and goes with the hypervisor. What one of the two does not know
// of the CPU is no change.
func (f Fingerprint) Changes(now Fingerprint) []string {
	var out []string
	add := func(what string, a, b any) {
		if fmt.Sprint(a) != fmt.Sprint(b) {
			out = append(out, fmt.Sprintf("%s was %v, is %v", what, a, b))
		}
	}
	add("kernel", f.Kernel, now.Kernel)
	add("CPU model", f.CPUModel, now.CPUModel)
	out = append(out, f.CPU.differs(now.CPU)...)
	if a, b := f.CPU.Microcode, now.CPU.Microcode; a != "" && b != "" && a != b {
		out = append(out, fmt.Sprintf("microcode was %s, is %s, and the cost of mitigations comes with it", a, b))
	}
	add("CPUs", f.CPUs, now.CPUs)
	add("threads of a core", f.ThreadsCore, now.ThreadsCore)
	add("NUMA nodes", f.NUMANodes, now.NUMANodes)
	add("hypervisor", orNone(f.Hypervisor), orNone(now.Hypervisor))
	add("governor", orNone(f.Governor), orNone(now.Governor))
	add("boost", orNone(f.Boost), orNone(now.Boost))
	add("huge pages", orNone(f.THP), orNone(now.THP))
	add("clocksource", orNone(f.Clocksource), orNone(now.Clocksource))
	add("kernel command line", f.CommandLine, now.CommandLine)
	for _, k := range keys(f.Mitigations, now.Mitigations) {
		add("mitigation of "+k, orNone(f.Mitigations[k]), orNone(now.Mitigations[k]))
	}
	for _, k := range keys(f.Sysctls, now.Sysctls) {
		if k != "net.ipv4.tcp_congestion_control" {
			add(k, orNone(f.Sysctls[k]), orNone(now.Sysctls[k]))
		}
	}
	if d := float64(f.MemoryBytes-now.MemoryBytes) / float64(max(f.MemoryBytes, 1)); d > 0.05 || d < -0.05 {
		add("memory", f.MemoryBytes>>20, now.MemoryBytes>>20)
	}
	return out
}

func keys(a, b map[string]string) []string {
	all := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(all)
	return slices.Compact(all)
}
