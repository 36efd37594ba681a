package result

import (
	"cmp"
	"fmt"
	"slices"
)

// Place is the host that a run of a machine was on. A virtual machine is moved from one to another, and keeps its name.
type Place struct {
	// Number tells the hosts of a machine apart, 1 for that of its first run. Runs of one number are not known to differ in their host.
	Number int
	// CPU of the host in words; "not recorded" in results from before it was.
	CPU string
	// Moved says by what the host is known to be another one than that of the machine's run before; nil if it is not.
	Moved []string
}

// RunOn names a run of a machine.
type RunOn struct{ Machine, Run string }

// Moved lists by what two observations of a machine are known to be of different hosts (machine.Fingerprint.Moved), for a laboratory of several those of
// all hosts that are in both.
func (m Machine) Moved(now Machine) []string {
	out := m.Fingerprint.Moved(now.Fingerprint)
	for _, a := range m.Hosts {
		i := slices.IndexFunc(now.Hosts, func(b Host) bool { return b.Name == a.Name })
		if i < 0 || slices.Contains(a.Roles, "proxy") { // whose fingerprint is the machine's
			continue
		}
		for _, d := range a.Fingerprint.Moved(now.Hosts[i].Fingerprint) {
			out = append(out, fmt.Sprintf("host %s: %s", a.Name, d))
		}
	}
	return out
}

// Places tells for each run of each machine on which host it was. Forced runs count as well.
func Places(all []*Result) map[RunOn]Place {
	runs := map[RunOn]*Result{}
	var order []RunOn
	for _, r := range all {
		k := RunOn{r.Machine.Name, r.Run.ID}
		switch old := runs[k]; {
		case old == nil:
			order = append(order, k)
			runs[k] = r
		case !old.Machine.Fingerprint.CPU.Known():
			runs[k] = r // a run that was interrupted and went on with a newer program
		}
	}
	slices.SortFunc(order, func(a, b RunOn) int {
		return cmp.Or(cmp.Compare(a.Machine, b.Machine), runs[a].Run.Started.Compare(runs[b].Run.Started), cmp.Compare(a.Run, b.Run))
	})
	out := map[RunOn]Place{}
	var hosts []Machine // of one machine, by number; each as it was seen last, or when its CPU was
	var last *Machine
	at := 0
	for _, k := range order {
		now := runs[k].Machine
		if last == nil || last.Name != now.Name {
			hosts, last, at = nil, nil, 0
		}
		p := Place{CPU: now.Fingerprint.CPU.String()}
		if last != nil {
			p.Moved = hosts[at].Moved(now)
		}
		if last == nil || len(p.Moved) > 0 {
			// One that is known to be the same goes before one of which too little is known to tell.
			at = slices.IndexFunc(hosts, func(h Machine) bool { return h.Fingerprint.CPU.Known() && len(h.Moved(now)) == 0 })
			if at < 0 {
				at = slices.IndexFunc(hosts, func(h Machine) bool { return len(h.Moved(now)) == 0 })
			}
			if at < 0 {
				at, hosts = len(hosts), append(hosts, now)
			}
		}
		if now.Fingerprint.CPU.Known() || !hosts[at].Fingerprint.CPU.Known() {
			hosts[at] = now
		}
		p.Number, last = at+1, &now
		out[k] = p
	}
	return out
}
