package archtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const root = "../.."

func TestPackageMap(t *testing.T) {
	g, err := Load(root)
	require.NoError(t, err)
	require.Contains(t, g, "./internal/loop")
	require.Contains(t, g["./proxy/snapshot"], "./proxy/config", "the graph has edges")
	assert.Empty(t, Check(g))
}

func TestRulesNameTheirReasonAndRealFolders(t *testing.T) {
	g, err := Load(root)
	require.NoError(t, err)
	later := []string{"./proxy/policy", "./internal/wire/h3"} // on the map, but not in the tree yet
	exists := func(pkg string) {
		if !strings.HasPrefix(pkg, ours) || pkg == ours || withinAny(pkg, later) {
			return
		}
		for p := range g {
			if within(p, pkg) {
				return
			}
		}
		t.Errorf("a rule names %s, which does not exist: was it renamed?", pkg)
	}
	for _, r := range Rules {
		assert.NotEmpty(t, r.Why, r.Package)
		exists(ours + r.Package)
		for _, p := range append(r.MayNot, r.Except...) {
			exists(p)
		}
	}
	for _, i := range Importers {
		assert.NotEmpty(t, i.Why, i.Package)
		exists(i.Package)
		for _, p := range i.Only {
			exists(p)
		}
	}
}

// The checker itself: every kind of violation, each in a graph that is otherwise fine.
func TestViolationsAreFound(t *testing.T) {
	for _, c := range []struct {
		name string
		g    Graph
		want string // "" means fine
	}{
		{"nothing wrong", Graph{"./proxy/snapshot": {"./proxy/config", "fmt"}, "./proxy/config": {"os"}}, ""},
		{"engine knows proxy", Graph{"./internal/wire/h1": {"./proxy/exchange"}}, "./internal/wire/h1 must not import ./proxy/exchange: the engine knows neither"},
		{"codec does I/O", Graph{"./internal/wire/h1": {"net"}}, "./internal/wire/h1 must not import net: codecs do no I/O"},
		{"codec may parse addresses", Graph{"./internal/wire/h1": {"net/netip", "./internal/wire"}}, ""},
		{"codec sees the loop", Graph{"./internal/wire/h2": {"./internal/loop"}}, "codecs are bytes in"},
		{"a name that only begins alike", Graph{"./internal/wire": {"network", "ostrich"}}, ""},
		{"config imports ours", Graph{"./proxy/config": {"./internal/loop"}}, "./proxy/config must not import ./internal/loop"},
		{"config may import below itself", Graph{"./proxy/config": {"./proxy/config/internal/x"}}, ""},
		{"second importer of config", Graph{"./proxy/server": {"./proxy/config"}}, "./proxy/server must not import ./proxy/config: packages take"},
		{"cmd may import config", Graph{"./cmd/blitz": {"./proxy/config"}}, ""},
		{"policies import each other", Graph{"./proxy/policy/cors": {"./proxy/policy/jwt"}}, "policies are combined"},
		{"policies share their folder", Graph{"./proxy/policy/cors": {"./proxy/policy", "./proxy/policy/cors/internal/x"}}, ""},
		{"downstream knows upstream", Graph{"./proxy/downstream": {"./proxy/upstream"}}, "./proxy/downstream must not import ./proxy/upstream"},
		{"balance knows cluster", Graph{"./proxy/balance": {"./proxy/cluster"}}, "./proxy/balance must not import ./proxy/cluster"},
		{"load generator uses the proxy", Graph{"./loadgen/client": {"./proxy/upstream"}}, "a load generator must never"},
		{"harness uses the engine", Graph{"./harness/lab": {"./internal/loop"}}, "the lab meets programs"},
		{"harness reads runs", Graph{"./harness/lab": {"./internal/runfmt", "./internal/hdr"}}, ""},
		{"gateway imports the lab", Graph{"./cmd/blitz": {"./harness/stat"}}, "three programs"},
		{"somebody imports a command", Graph{"./harness/lab": {"./cmd/blitzload"}}, "./harness/lab must not import ./cmd/blitzload"},
		{"heavy start, two steps away", Graph{"./cmd/blitz": {"./proxy/server"}, "./proxy/server": {"github.com/invopop/jsonschema"}}, "./cmd/blitz must not import github.com/invopop/jsonschema"},
		{"circle", Graph{"./loadgen/run": {"./loadgen/client"}, "./loadgen/client": {"./loadgen/run"}}, "that is a circle"},
		{"new top-level folder", Graph{"./util": nil}, "./util is in no folder of the package map"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Check(c.g)
			if c.want == "" {
				assert.Empty(t, got)
				return
			}
			require.NotEmpty(t, got)
			assert.Contains(t, strings.Join(got, "\n"), c.want)
		})
	}
}
