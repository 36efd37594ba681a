package result

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/blitz-gateway/blitz/harness/machine"
)

func TestPlaces(t *testing.T) {
	zen5 := machine.Fingerprint{Kernel: "6.1", Mitigations: map[string]string{"srso": "c"}, CPU: machine.CPU{Vendor: "AuthenticAMD", Family: 26, Model: 2, Stepping: 1}}
	zen3 := machine.Fingerprint{Kernel: "6.1", CPU: machine.CPU{Vendor: "AuthenticAMD", Family: 25, Model: 1, Stepping: 1}}
	weak := func(s string) machine.Fingerprint {
		return machine.Fingerprint{Kernel: "6.1", Mitigations: map[string]string{"srso": s}}
	}
	var all []*Result
	on := func(name string, day int, f machine.Fingerprint) {
		r := &Result{Run: Run{ID: fmt.Sprintf("%02d", day), Started: time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC)}, Machine: Machine{Name: name, Fingerprint: f}}
		all = append([]*Result{r}, all...) // the order of reading does not matter
	}
	same := zen3
	same.Mitigations = map[string]string{"srso": "b"}
	for day, f := range []machine.Fingerprint{weak("a"), weak("a"), weak("b"), same, {Kernel: "6.2"}, zen5, zen3, same, weak("b"), zen5} {
		on("vm", day+1, f)
	}
	on("other", 1, zen3)
	got := Places(all)
	var numbers []int
	for day := range 10 {
		numbers = append(numbers, got[RunOn{"vm", fmt.Sprintf("%02d", day+1)}].Number)
	}
	assert.Equal(t, []int{1, 1, 2, 2, 2, 3, 2, 2, 2, 3}, numbers, "an old host by its weaknesses, what tells nothing is where the machine was, and a host that comes back is the same")
	assert.Equal(t, 1, got[RunOn{"other", "01"}].Number, "each machine by itself")
	assert.Equal(t, []string{"weakness srso was 'a', is 'b'"}, got[RunOn{"vm", "03"}].Moved)
	assert.Equal(t, []string{"CPU was AMD Zen 3 (family 25, model 1, stepping 1), is AMD Zen 5 (family 26, model 2, stepping 1)"}, got[RunOn{"vm", "06"}].Moved)
	assert.Empty(t, got[RunOn{"vm", "04"}].Moved)
	assert.Equal(t, "not recorded", got[RunOn{"vm", "03"}].CPU)
	assert.Equal(t, "AMD Zen 3 (family 25, model 1, stepping 1)", got[RunOn{"vm", "04"}].CPU)

	// Of several hosts any may be another one; those that are not in both are no claim.
	lab := func(load machine.Fingerprint) Machine {
		return Machine{Name: "lab", Fingerprint: zen5, Hosts: []Host{{Name: "p", Roles: []string{"proxy"}, Fingerprint: zen5}, {Name: "l", Roles: []string{"load"}, Fingerprint: load}}}
	}
	assert.Empty(t, lab(zen5).Moved(lab(zen5)))
	assert.Equal(t, []string{"host l: CPU was AMD Zen 5 (family 26, model 2, stepping 1), is AMD Zen 3 (family 25, model 1, stepping 1)"}, lab(zen5).Moved(lab(zen3)))
	assert.Empty(t, lab(zen5).Moved(Machine{Name: "lab", Fingerprint: zen5}))
}
