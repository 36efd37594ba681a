package provision

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/blitz-gateway/blitz/harness/machine"
)

// Options of Inventory and Run.
type Options struct {
	// BinDir holds blitz, blitzload, blitzlab and, if it is wanted, caddy, for the hosts' system.
	BinDir string
	// Undo puts back what tunings changed, and does nothing else.
	Undo bool
	// Check shows what would change. Tags are those of site.yml; none for all.
	Check bool
	Tags  []string
	// Extra variables for every host, over those of the description.
	Extra map[string]string
}

// AllTargets are those that roles exist for.
var AllTargets = []string{"blitz", "nginx", "haproxy", "h2o", "caddy", "envoy"}

// Standard limits, where a description says none.
const (
	openFiles  = 65536
	memlockKiB = 65536
)

// groupOf are the inventory's groups. They are not called like the roles, which are likely names of hosts.
var groupOf = map[string]string{machine.RoleProxy: "proxies", machine.RoleLoad: "generators", machine.RoleOrigin: "origins"}

// Inventory renders the hosts and their variables. A machine without hosts is provisioned itself, without ssh, in all roles.
func Inventory(s machine.Spec, o Options) ([]byte, error) {
	hosts := s.Hosts
	if !s.Distributed() {
		hosts = []machine.Host{{Name: s.Name, Address: "127.0.0.1", SSH: "local", Roles: []string{machine.RoleProxy, machine.RoleLoad, machine.RoleOrigin}}}
	}
	all, groups := map[string]any{}, map[string]map[string]any{}
	for _, g := range groupOf {
		groups[g] = map[string]any{}
	}
	for _, h := range hosts {
		all[h.Name] = hostVars(s, h, o)
		for _, r := range h.Roles {
			groups[groupOf[r]][h.Name] = nil
		}
	}
	targets := s.Targets
	if len(targets) == 0 {
		// Envoy is in no package of Debian's and comes from outside: it is there for those who ask for it.
		targets = slices.DeleteFunc(slices.Clone(AllTargets), func(t string) bool { return t == "envoy" })
	}
	state := "present"
	if o.Undo {
		state = "undone"
	}
	vars := map[string]any{
		"lab_targets": targets, "lab_undo": o.Undo, "kernel_state": state, "nic_state": state, "limits_state": state,
		"blitz_bin_dir": o.BinDir, "loadgen_bin_dir": o.BinDir, "origin_bin_dir": o.BinDir, "caddy_bin_dir": o.BinDir, "facts_bin_dir": o.BinDir,
	}
	for k, v := range o.Extra {
		vars[k] = v
	}
	children := map[string]any{}
	for name, members := range groups {
		children[name] = map[string]any{"hosts": members}
	}
	var b bytes.Buffer
	b.WriteString("# Made by blitzlab provision from machines/" + s.Name + ".yaml.\n")
	err := yaml.NewEncoder(&b, yaml.Indent(2)).Encode(map[string]any{"all": map[string]any{"hosts": all, "vars": vars, "children": children}})
	return b.Bytes(), err
}

func hostVars(s machine.Spec, h machine.Host, o Options) map[string]any {
	expect, tuning, nic := s.Expect, s.Tuning, s.NIC
	if h.Expect != nil {
		expect = *h.Expect
	}
	if h.Tuning != nil {
		tuning = h.Tuning
	}
	if h.NIC != nil {
		nic = h.NIC
	}
	files, memlock := uint64(openFiles), uint64(memlockKiB)
	if expect.OpenFiles > 0 {
		files = max(files, expect.OpenFiles)
	}
	if tuning != nil && tuning.MemlockKiB > 0 {
		memlock = tuning.MemlockKiB
	}
	v := map[string]any{
		"kernel_settings": KernelSettings(tuning, expect.Governor), "nic_settings": NICSettings(nic), "nic_ethtool": ethtool(nic),
		"limits_open_files": files, "limits_memlock_kib": memlock, "nic_interface": "", "nic_irq_cpus": "",
	}
	if nic != nil {
		v["nic_interface"], v["nic_irq_cpus"] = nic.Interface, nic.IRQCPUs.String()
	}
	if h.SSH == "local" {
		v["ansible_connection"] = "local"
		return v
	}
	user, host, ok := strings.Cut(h.Login(), "@")
	if !ok {
		user, host = "", h.Login()
	}
	v["ansible_host"] = host
	if user != "" {
		v["ansible_user"] = user
	}
	if h.Port != 0 {
		v["ansible_port"] = h.Port
	}
	if len(h.SSHOptions) > 0 {
		var words []string
		for _, w := range h.SSHOptions {
			words = append(words, word(w))
		}
		v["ansible_ssh_common_args"] = strings.Join(words, " ")
	}
	return v
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// word quotes for the shell what needs it, and nothing else: Ansible strips quotes that surround the whole.
func word(w string) string {
	if plain.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}
