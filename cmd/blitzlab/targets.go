package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/target"
	"github.com/blitz-gateway/blitz/harness/target/blitz"
	"github.com/blitz-gateway/blitz/harness/target/caddy"
	"github.com/blitz-gateway/blitz/harness/target/envoy"
	"github.com/blitz-gateway/blitz/harness/target/floor"
	"github.com/blitz-gateway/blitz/harness/target/h2o"
	"github.com/blitz-gateway/blitz/harness/target/haproxy"
	"github.com/blitz-gateway/blitz/harness/target/nginx"
	"github.com/blitz-gateway/blitz/harness/target/traefik"
)

// allTargets are all that there are, each in its tuned configuration.
var allTargets = []string{"blitz", "nginx", "haproxy", "h2o", "envoy", "caddy", "floor"}

// vanillaGroup names all targets with the configuration that is shipped.
const vanillaGroup = "vanilla"

func known(blitzPath, blitzloadPath string) (tuned, vanilla []target.Target) {
	tuned = []target.Target{blitz.New("blitz", blitzPath), nginx.New(), haproxy.New(), h2o.New(), envoy.New(), caddy.New(), traefik.New(), floor.New(blitzloadPath)}
	for _, t := range tuned {
		if s, ok := t.(target.Shipped); ok {
			vanilla = append(vanilla, target.Vanilla(s))
		}
	}
	return tuned, vanilla
}

func targetsByName(names []string, blitzPath, blitzloadPath string) (out []target.Target, err error) {
	tuned, vanilla := known(blitzPath, blitzloadPath)
	add := func(ts ...target.Target) {
		for _, t := range ts {
			if !slices.ContainsFunc(out, func(o target.Target) bool { return o.Name() == t.Name() }) {
				out = append(out, t)
			}
		}
	}
	all := slices.Concat(tuned, vanilla)
	for _, n := range names {
		if n == vanillaGroup {
			add(vanilla...)
			continue
		}
		i := slices.IndexFunc(all, func(t target.Target) bool { return t.Name() == n })
		if i < 0 {
			return nil, fmt.Errorf("no target %q; there are %s and %s", n, strings.Join(namesOf(all), ", "), vanillaGroup)
		}
		add(all[i])
	}
	return out, nil
}

func namesOf(ts []target.Target) (out []string) {
	for _, t := range ts {
		out = append(out, t.Name())
	}
	return out
}

// sparing are the shipped configurations of the targets asked for, which the full profile measures beside the tuned ones when it measures all scenarios.
// Those that were asked for by name are measured like any other target.
func (c *benchCmd) sparing() (out []string) {
	if c.Profile != "full" || !slices.Equal(c.Scenario, []string{"all"}) || slices.Contains(c.Targets, vanillaGroup) {
		return nil
	}
	_, vanilla := known("", "")
	for _, n := range namesOf(vanilla) {
		if slices.Contains(c.Targets, strings.TrimSuffix(n, target.VanillaSuffix)) && !slices.Contains(c.Targets, n) {
			out = append(out, n)
		}
	}
	return out
}
