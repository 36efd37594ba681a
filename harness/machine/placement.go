package machine

import (
	"fmt"
	"slices"
	"strings"
)

// placement looks at where the roles' CPUs are: the server's must not share cores with others, and should be of one node if they fit into one.
func placement(roles Roles, root string) []Check {
	r := reader(root)
	var out []Check
	others := slices.Concat(roles.Load, roles.Origin)
	var shared []string
	known := false
	for _, c := range roles.Server {
		siblings, err := ParseCPUSet(r.line(fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c)))
		if err != nil {
			continue
		}
		known = true
		for _, s := range siblings {
			if s != c && slices.Contains(others, s) {
				shared = append(shared, fmt.Sprintf("%d and %d", c, s))
			}
		}
	}
	if known {
		ch := Check{Name: "cores", Status: OK, Observed: "the server shares no core with load or origin",
			Reason: "two threads of one core take turns: what the load generator does slows the server down, and not equally for all targets"}
		if len(shared) > 0 {
			ch.Status, ch.Observed = Warn, "shared by server and load or origin: CPUs "+strings.Join(shared, ", ")
			ch.Mend = "give whole cores to each role (lscpu -e), or switch SMT off"
		}
		out = append(out, ch)
	}

	nodes, err := ParseCPUSet(r.line("sys/devices/system/node/online"))
	if err != nil || len(nodes) < 2 {
		return out
	}
	var on []string
	fits := false
	for _, n := range nodes {
		local, err := ParseCPUSet(r.line(fmt.Sprintf("sys/devices/system/node/node%d/cpulist", n)))
		if err != nil {
			continue
		}
		fits = fits || len(local) >= len(roles.Server)
		if slices.ContainsFunc(roles.Server, func(c int) bool { return slices.Contains(local, c) }) {
			on = append(on, fmt.Sprint(n))
		}
	}
	ch := Check{Name: "NUMA placement", Status: OK, Observed: "server on node " + strings.Join(on, ", "),
		Reason: "memory of another node is slower, and a page lies where it was first touched: figures depend on which thread came first"}
	if len(on) > 1 && fits {
		ch.Status, ch.Mend = Warn, "give the server CPUs of one node (lscpu | grep NUMA)"
	}
	return append(out, ch)
}
