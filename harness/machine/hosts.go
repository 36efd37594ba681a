package machine

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What a host of a laboratory with several does.
const (
	RoleProxy  = "proxy"
	RoleLoad   = "load"
	RoleOrigin = "origin"
)

// Host is one machine of a laboratory that has several. A host may have more than one role, except that the proxy shares with nobody.
type Host struct {
	// Name in the inventory and in results.
	Name string `yaml:"name"`
	// Address on the network that carries the load.
	Address string `yaml:"address"`
	// SSH is [USER@]ADDRESS on the network of administration; empty for root at Address.
	SSH string `yaml:"ssh"`
	// Port of sshd; 0 for ssh's own choice.
	Port int `yaml:"port"`
	// SSHOptions are handed to ssh as they are.
	SSHOptions []string `yaml:"ssh_options"`
	// Roles: proxy, load, origin.
	Roles []string `yaml:"roles"`
	// CPUs of the role's program.
	CPUs CPUSet `yaml:"cpus"`
	// Generators is how many load generators run on a host with the role load, 1 if it is not given. They share its CPUs.
	Generators int `yaml:"generators"`
	// Expect, Tuning and NIC of this host, in place of the laboratory's.
	Expect *Expect `yaml:"expect"`
	Tuning *Tuning `yaml:"tuning"`
	NIC    *NIC    `yaml:"nic"`
}

// Has tells whether the host has a role.
func (h Host) Has(role string) bool { return slices.Contains(h.Roles, role) }

// Login is where ssh connects to.
func (h Host) Login() string {
	if h.SSH != "" {
		return h.SSH
	}
	return "root@" + h.Address
}

// Distributed tells whether the laboratory has hosts of its own, reached over ssh.
func (s Spec) Distributed() bool { return len(s.Hosts) > 0 }

// With returns the hosts that have a role.
func (s Spec) With(role string) []Host {
	var out []Host
	for _, h := range s.Hosts {
		if h.Has(role) {
			out = append(out, h)
		}
	}
	return out
}

var hostName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// maxGenerators on one host keeps a slip of the finger from starting thousands.
const maxGenerators = 64

func (s Spec) checkHosts() error {
	seen := map[string]bool{}
	for _, h := range s.Hosts {
		if !hostName.MatchString(h.Name) || seen[h.Name] {
			return fmt.Errorf("hosts: %q is not a name of small letters, digits and dashes, or is there twice", h.Name)
		}
		seen[h.Name] = true
		if _, err := netip.ParseAddr(h.Address); err != nil {
			return fmt.Errorf("host %s: address: %w", h.Name, err)
		}
		if h.Port < 0 || h.Port > 65535 || h.Generators < 0 || h.Generators > maxGenerators {
			return fmt.Errorf("host %s: port must be within 0 and 65535, generators within 0 and %d", h.Name, maxGenerators)
		}
		if len(h.Roles) == 0 || len(h.CPUs) == 0 {
			return fmt.Errorf("host %s: roles and cpus must be given", h.Name)
		}
		for _, r := range h.Roles {
			if r != RoleProxy && r != RoleLoad && r != RoleOrigin {
				return fmt.Errorf("host %s: role %q; there are proxy, load and origin", h.Name, r)
			}
		}
		if h.Has(RoleProxy) && len(h.Roles) > 1 {
			return fmt.Errorf("host %s: the proxy shares its host with nobody", h.Name)
		}
		e := s.Expect
		if h.Expect != nil {
			e = *h.Expect
			if err := e.check(); err != nil {
				return fmt.Errorf("host %s: %w", h.Name, err)
			}
		}
		if e.CPUs > 0 && h.CPUs[len(h.CPUs)-1] >= e.CPUs {
			return fmt.Errorf("host %s: CPU %d does not exist among %d", h.Name, h.CPUs[len(h.CPUs)-1], e.CPUs)
		}
		if h.Has(RoleLoad) && h.Generators > len(h.CPUs) && h.Generators > 2 {
			return fmt.Errorf("host %s: %d generators on %d CPUs", h.Name, h.Generators, len(h.CPUs))
		}
	}
	switch {
	case len(s.With(RoleProxy)) != 1:
		return fmt.Errorf("hosts: %d have the role proxy, there must be one", len(s.With(RoleProxy)))
	case len(s.With(RoleOrigin)) != 1:
		return fmt.Errorf("hosts: %d have the role origin, there must be one", len(s.With(RoleOrigin)))
	case len(s.With(RoleLoad)) == 0:
		return errors.New("hosts: none has the role load")
	case len(s.Roles.Server)+len(s.Roles.Load)+len(s.Roles.Origin) > 0:
		return errors.New("roles are of a laboratory on one machine: with hosts, each says its own roles and cpus")
	}
	return nil
}

// Alone is the description of one host as if it were a machine on its own, whose CPUs all serve.
func (s Spec) Alone(h Host) Spec {
	out := Spec{Name: h.Name, Description: s.Description, Expect: s.Expect, Tuning: s.Tuning, NIC: s.NIC, Roles: Roles{Server: h.CPUs}}
	if h.Expect != nil {
		out.Expect = *h.Expect
	}
	if h.Tuning != nil {
		out.Tuning = h.Tuning
	}
	if h.NIC != nil {
		out.NIC = h.NIC
	}
	return out
}

// MemlockKiB is the limit of locked memory of this process; 0 if it is not known, and the largest number for none.
func MemlockKiB(root string) uint64 {
	for line := range strings.Lines(reader(root).line("proc/self/limits")) {
		rest, ok := strings.CutPrefix(line, "Max locked memory")
		f := strings.Fields(rest)
		if !ok || len(f) < 2 {
			continue
		}
		if f[1] == "unlimited" {
			return math.MaxUint64
		}
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return 0
		}
		return n / 1024
	}
	return 0
}
