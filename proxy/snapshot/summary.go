package snapshot

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/blitz-gateway/blitz/internal/loop"
	"github.com/blitz-gateway/blitz/proxy/cluster"
)

// Summary says in a few words what a reload from prev to next changes.
func Summary(prev, next *Snapshot) string {
	var parts []string
	say := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }

	if prev.Table != next.Table {
		say("%d routes, before %d", len(next.Actions), len(prev.Actions))
	}
	had := make(map[*cluster.Cluster]bool, len(prev.Clusters))
	names := make(map[string]bool, len(prev.Clusters))
	for _, c := range prev.Clusters {
		had[c], names[c.Name] = true, true
	}
	kept, changed, added := 0, 0, 0
	for _, c := range next.Clusters {
		switch {
		case had[c]:
			kept++
		case names[c.Name]:
			changed++
		default:
			added++
		}
	}
	if removed := len(prev.Clusters) - kept - changed; changed+added+removed > 0 {
		say("clusters: %d kept, %d changed, %d added, %d removed", kept, changed, added, removed)
	}
	old := make(map[loop.Addr]int, len(prev.Listeners))
	for i := range prev.Listeners {
		old[prev.Listeners[i].Address] = i
	}
	kept, changed, added = 0, 0, 0
	for i := range next.Listeners {
		j, ok := old[next.Listeners[i].Address]
		switch {
		case !ok:
			added++
		case reflect.DeepEqual(next.Listeners[i], prev.Listeners[j]):
			kept++
		default:
			changed++
		}
	}
	if removed := len(prev.Listeners) - kept - changed; changed+added+removed > 0 {
		say("listeners: %d kept, %d changed, %d added, %d removed", kept, changed, added, removed)
	}
	if !prev.AccessLog.Equal(&next.AccessLog) {
		say("access log")
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, "; ")
}
