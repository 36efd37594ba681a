package report

import (
	"regexp"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/target"
)

// configView is one configuration of one target in full.
type configView struct {
	Target, Version, Command string
	// Kinds of scenarios that use it: protocol, TLS, proxied or not.
	Kinds string
	Heads string
	Notes []string
	Files []result.File

	key   string
	kinds []string
	heads []int
}

// targetConfigs are all configurations of one target.
type targetConfigs struct {
	Target, Version string
	Vanilla         bool
	Configs         []configView
}

// kindOf a scenario, as far as a configuration depends on it.
func kindOf(r *result.Result) string {
	s := r.Scenario
	if hasPhase(r, result.ChaosPhase) {
		return "three endpoints"
	}
	if hasPhase(r, result.Reloading) {
		return s.Name
	}
	parts := []string{"HTTP/1.1"}
	if s.Protocol == "h2" {
		parts[0] = "HTTP/2"
	}
	if s.GRPC {
		parts[0] = "gRPC"
	}
	if s.TLS {
		parts[0] += " over TLS"
	}
	switch {
	case s.Proxied && s.OriginProtocol == "h2":
		return parts[0] + ", proxied in HTTP/2"
	case s.Proxied:
		return parts[0] + ", proxied"
	}
	return parts[0] + ", static"
}

// labPort is a port of the laboratory: they differ from sample to sample and mean nothing.
var labPort = regexp.MustCompile(`\b(1[89]|2[0-7])\d{3}\b`)

// configsOf lists each configuration of each target once, with the kinds of scenarios that it was used in. Ports are those of a first sample.
func configsOf(all []result.Stored) (out []targetConfigs) {
	at := map[string]int{}
	for _, st := range all {
		kind := kindOf(st.Result)
		for _, t := range st.Targets {
			i, ok := at[t.Name]
			if !ok {
				i = len(out)
				at[t.Name] = i
				out = append(out, targetConfigs{Target: t.Name, Version: t.Version, Vanilla: target.IsVanilla(t.Name)})
			}
			var key strings.Builder
			key.WriteString(strings.Join(t.Command, " "))
			for _, f := range t.Config {
				key.WriteString("\x00" + f.Name + "\x00" + labPort.ReplaceAllString(f.Text, "PORT"))
			}
			list := &out[i].Configs
			j := slices.IndexFunc(*list, func(c configView) bool { return c.key == key.String() })
			if j < 0 {
				// The same kind with another text: the later run's stands, and the scenario tells which.
				j = len(*list)
				files := slices.Clone(t.Config)
				for k := range files {
					files[k].Text = shortened(files[k].Text)
				}
				*list = append(*list, configView{
					Target: t.Name, Version: t.Version, Command: strings.Join(t.Command, " "), Notes: t.Notes, Files: files, key: key.String(),
				})
			}
			c := &(*list)[j]
			if !slices.Contains(c.kinds, kind) {
				c.kinds = append(c.kinds, kind)
			}
			if t.HeadBytes > 0 && !slices.Contains(c.heads, t.HeadBytes) {
				c.heads = append(c.heads, t.HeadBytes)
			}
		}
	}
	for i := range out {
		for j := range out[i].Configs {
			c := &out[i].Configs[j]
			c.Kinds = strings.Join(c.kinds, "; ")
			slices.Sort(c.heads)
			for k, h := range c.heads {
				if k > 0 {
					c.Heads += ", "
				}
				c.Heads += group(float64(h))
			}
			c.Heads = orDash(c.Heads)
		}
		slices.SortStableFunc(out[i].Configs, func(a, b configView) int { return strings.Compare(a.Kinds, b.Kinds) })
	}
	slices.SortStableFunc(out, func(a, b targetConfigs) int { return strings.Compare(rank(a.Target), rank(b.Target)) })
	return out
}

// rank sorts Blitz before the others and shipped configurations behind the tuned ones.
func rank(name string) string {
	switch {
	case name == subject:
		return "0"
	case target.IsVanilla(name):
		return "2" + name
	}
	return "1" + name
}
