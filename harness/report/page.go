package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
)

//go:embed page.html.tmpl
var pageText string

// machineView is what both documents show of one machine.
type machineView struct {
	Name, Description string
	Facts             [][2]string
	Warnings          []string
	Commands          []string
	Scenarios         []scenarioView
	Configs           []configView
	History           *trendView
}

type scenarioView struct {
	Name, Title, About, Load string
	Run                      string
	Tables                   []Table
	Plots                    []template.HTML
	// Dir of the record and its interval logs, relative to results/.
	Dir  string
	Logs []string
}

type configView struct {
	Target, Version, Command string
	Kind                     string // which scenarios use it
	Head                     int
	Notes                    []string
	Files                    []result.File
}

// Method and limitations, the same in both documents. They come first.
var method = []string{
	"Each sample has a process of its own: the target is started on the server's CPUs, its answer is compared byte by byte with the expected one, it is loaded, and it is stopped. Load generator and origin run on other CPUs; only loopback is used.",
	"Targets are interleaved: rounds come in pairs, a random order and its reverse (A B B A), so that slow changes of the machine meet all of them alike.",
	"A figure is the median of the rounds with an interval for that median by order statistics. Comparisons are paired by round: the ratio is Hodges and Lehmann's estimate over ln-ratios, its interval the exact one of Wilcoxon's signed-rank test at 95 %. A ratio that begins with ~ shows no difference: its interval includes 1.",
	"CPU per request is the CPU time of the target's whole process tree, read from the kernel's process clocks, inside the load generator's measured window, divided by the responses that ended in it.",
	"At saturation the load generator runs a closed loop. At fixed rates it runs an open loop with the same rates for all targets, and a response time counts from the moment at which the request was due, so that a stall shows in every request that it delayed. Histograms of rounds are merged; percentiles are never averaged. The interval behind a percentile is that of its median over the rounds, widened where the merged value lies outside.",
	"Every target runs its tuned configuration, printed below in full: one worker per server CPU, pinned; keep-alive on both sides with large pools; no access log; X-Forwarded-For and -Proto where it forwards.",
}

var limitations = []string{
	"All traffic is loopback. The kernel does the receiver's work in the sender's context, so a part of what a network card's interrupts would cost is booked to whoever sends. No figure here is a forecast for a real network.",
	"Memory is that of the processes. Socket buffers belong to the kernel and are not in it.",
	"Response heads differ in length between targets (see the configurations); the bodies do not.",
	"A closed loop tells how much goes through, not how long a user waits: for that read the fixed rates.",
	"p99.99 of short runs rests on few requests and is marked.",
}

const virtualLimitation = "A machine of this report is virtual: neighbours, steal time and the hypervisor's scheduling are in the figures. They compare programs measured in the same minutes with each other and are not hardware figures."

func views(all []result.Stored, withPlots bool) ([]machineView, error) {
	var out []machineView
	for _, st := range Latest(all) {
		if len(out) == 0 || out[len(out)-1].Name != st.Machine.Name {
			out = append(out, machineView{Name: st.Machine.Name, Description: st.Machine.Description, Facts: facts(st.Result)})
		}
		m := &out[len(out)-1]
		if st.Run.Forced {
			w := fmt.Sprintf("Run %s was forced on a machine that was not fit to measure on: %s. Its figures are not to be cited.", st.Run.ID, strings.Join(st.Run.Unfit, "; "))
			if !slices.Contains(m.Warnings, w) {
				m.Warnings = append(m.Warnings, w)
			}
		}
		if !slices.Contains(m.Commands, st.Run.Command) {
			m.Commands = append(m.Commands, st.Run.Command)
		}
		s := scenarioView{
			Name: st.Scenario.Name, Title: st.Scenario.Title, About: st.Scenario.About, Load: loadText(st.Result), Tables: Tables(st.Result),
			Dir: st.Rel, Run: fmt.Sprintf("run %s, profile %s, revision %s", st.Run.ID, st.Run.Profile, orDash(st.Run.Revision)),
		}
		for _, g := range st.Groups {
			s.Logs = append(s.Logs, g.Log)
		}
		if withPlots {
			ps, err := plots(st)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", st.Dir, err)
			}
			for _, p := range ps {
				s.Plots = append(s.Plots, template.HTML(p)) //nolint:gosec // drawn by this package from numbers and escaped titles
			}
		}
		m.Scenarios = append(m.Scenarios, s)
		addConfigs(m, st.Result)
	}
	return out, nil
}

// addConfigs lists each target's configuration once for static and once for proxied scenarios. Ports differ from sample to sample and mean
// nothing; those of the first sample stand for all.
func addConfigs(m *machineView, r *result.Result) {
	kind := "static"
	if r.Scenario.Proxied {
		kind = "proxied"
	}
	if hasPhase(r, result.ChaosPhase) {
		kind = "three endpoints"
	}
	for _, t := range r.Targets {
		if slices.ContainsFunc(m.Configs, func(c configView) bool { return c.Target == t.Name && c.Kind == kind }) {
			continue
		}
		m.Configs = append(m.Configs, configView{
			Target: t.Name, Version: t.Version, Command: strings.Join(t.Command, " "), Kind: kind, Head: t.HeadBytes, Notes: t.Notes, Files: t.Config,
		})
	}
	slices.SortStableFunc(m.Configs, func(a, b configView) int { return strings.Compare(a.Target, b.Target) })
}

func loadText(r *result.Result) string {
	s := r.Scenario
	if s.SaturationSeconds == 0 {
		return fmt.Sprintf("%d samples of each target.", len(r.Samples)/max(1, len(r.Targets)))
	}
	if hasPhase(r, result.Scaling) {
		return fmt.Sprintf("%d connections for each worker, kept alive; %d rounds; %.1f s warm-up, then %.1f s at saturation.", s.Connections, r.Run.Pairs, s.WarmupSeconds, s.SaturationSeconds)
	}
	how := "kept alive"
	if s.NewConnection {
		how = "a new one for each request"
	}
	return fmt.Sprintf("%d connections, %s; %d rounds; %.1f s warm-up, then %.1f s at saturation and %.1f s at each fixed rate.",
		s.Connections, how, r.Run.Pairs, s.WarmupSeconds, s.SaturationSeconds, s.RateSeconds)
}

func facts(r *result.Result) [][2]string {
	f := r.Machine.Fingerprint
	kind := "bare metal"
	if f.Virtual() {
		kind = "virtual machine (" + f.Hypervisor + ")"
	}
	out := [][2]string{
		{"kind", kind}, {"CPU", fmt.Sprintf("%s, %d CPUs", f.CPUModel, f.CPUs)}, {"memory", fmt.Sprintf("%.1f GiB", float64(f.MemoryBytes)/(1<<30))},
		{"kernel", f.Kernel}, {"CPUs of the server", r.Machine.Server.String()}, {"CPUs of load and origin", r.Machine.Load.String() + " and " + r.Machine.Origin.String()},
		{"governor", orDash(f.Governor)}, {"clock source", orDash(f.Clocksource)}, {"huge pages", orDash(f.THP)}, {"open files", fmt.Sprint(r.Machine.OpenFiles)},
		{"Go", f.GoVersion},
	}
	var mits []string
	for _, k := range slices.Sorted(maps.Keys(f.Mitigations)) {
		mits = append(mits, k+": "+f.Mitigations[k])
	}
	if len(mits) > 0 {
		out = append(out, [2]string{"mitigations", strings.Join(mits, "; ")})
	}
	var ctl []string
	for _, k := range slices.Sorted(maps.Keys(f.Sysctls)) {
		ctl = append(ctl, k+" = "+f.Sysctls[k])
	}
	return append(out, [2]string{"sysctls", strings.Join(ctl, "; ")})
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func limitationsFor(all []result.Stored) []string {
	out := slices.Clone(limitations)
	if slices.ContainsFunc(all, func(s result.Stored) bool { return s.Machine.Fingerprint.Virtual() }) {
		out = append([]string{virtualLimitation}, out...)
	}
	return out
}

// HTML renders the page: no script, no external asset, readable in light and dark. trends are the history's.
func HTML(all []result.Stored, trends []Trend) ([]byte, error) {
	ms, err := views(all, true)
	if err != nil {
		return nil, err
	}
	for i := range ms {
		if ms[i].History, err = trendsOf(ms[i].Name, trends); err != nil {
			return nil, err
		}
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Machines": ms, "Method": method, "Limitations": limitationsFor(all)})
	return b.Bytes(), err
}

// Markdown renders COMPARISON.md.
func Markdown(all []result.Stored) ([]byte, error) {
	ms, err := views(all, false)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	p := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	p("# Comparison\n\n<!-- Generated by `blitzlab report` from results/. Do not edit: a test compares this file with the results. -->\n\n")
	p("The same figures with plots are in the HTML report that `blitzlab report` writes.\n\n## Method\n\n")
	for _, s := range method {
		p("- %s\n", s)
	}
	p("\n## Limitations\n\n")
	for _, s := range limitationsFor(all) {
		p("- %s\n", s)
	}
	if len(ms) == 0 {
		p("\n## Results\n\nThere are none yet. `make bench` measures and fills this page.\n")
	}
	for _, m := range ms {
		p("\n## %s\n\n%s\n\n", m.Name, m.Description)
		for _, w := range m.Warnings {
			p("> **Warning.** %s\n\n", w)
		}
		p("| | |\n| --- | --- |\n")
		for _, f := range m.Facts {
			p("| %s | %s |\n", f[0], strings.ReplaceAll(f[1], "|", `\|`))
		}
		for _, s := range m.Scenarios {
			p("\n### %s: %s\n\n%s %s (%s)\n\n", s.Name, s.Title, s.About, s.Load, s.Run)
			for i, t := range s.Tables {
				if i > 0 {
					p("\n")
				}
				p("%s", t.Markdown())
			}
		}
		p("\n### Configurations\n")
		for _, c := range m.Configs {
			p("\n<details><summary>%s, %s (%s)</summary>\n\nCommand: `%s`. Response head: %d bytes.\n", c.Target, c.Kind, template.HTMLEscapeString(c.Version), c.Command, c.Head)
			for _, n := range c.Notes {
				p("\n- `%s`\n", strings.ReplaceAll(n, "`", "'"))
			}
			for _, f := range c.Files {
				p("\n`%s`:\n\n```\n%s\n```\n", f.Name, strings.TrimRight(f.Text, "\n"))
			}
			p("\n</details>\n")
		}
		p("\n### Do it again\n\n```\n%s\n```\n", strings.Join(m.Commands, "\n"))
	}
	return b.Bytes(), nil
}
