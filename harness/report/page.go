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
	// Caveat is the limitation that matters most, in a sentence.
	Caveat   string
	Overview *overview
	Facts    [][2]string
	// Mixed says that the scenarios were measured on several hosts, and which on which; empty if it was one.
	Mixed     string
	Warnings  []string
	Commands  []string
	Scenarios []scenarioView
	Vanilla   []scenarioView
	Configs   []targetConfigs
	History   *trendView
	Runs      []runView
	// Moves says which runs were on another host than the one before.
	Moves []string
	Pairs []pairView
	// MorePairs: not all pairs of runs stand here.
	MorePairs bool
}

type scenarioView struct {
	Name, Title, About, Load string
	Run, Command             string
	Tables                   []Table
	Plots                    []template.HTML
	// Dir of the record and its interval logs, relative to results/.
	Dir  string
	Logs []string
}

// First is the table that stands open; Rest are folded up.
func (s scenarioView) First() []Table { return s.Tables[:min(1, len(s.Tables))] }

// Rest of the tables.
func (s scenarioView) Rest() []Table { return s.Tables[min(1, len(s.Tables)):] }

// Method and limitations, the same in both documents. They come first.
var method = []string{
	"A target is a process that is started for one sample on the server's CPUs; its answer is compared byte by byte with the expected one, it is loaded, and it is stopped. Load generator and origin run on other CPUs; only loopback is used.",
	"Targets are interleaved. Those of a round run side by side, and one at a time is loaded while the others wait: by turns of a fraction of a second, in an order and its reverse (A B B A), until each has had its window. A shared machine changes its speed within seconds, and turns that lie side by side see the same speed. Rounds come in pairs, a random order and its reverse. Idle connections, cold starts, searches, slow clients and hosts over a network are measured with one target running at a time, as everything was in results whose scenario names no turns.",
	"A figure is the median of the rounds with an interval for that median by order statistics. Comparisons are paired by round: the ratio is Hodges and Lehmann's estimate over ln-ratios, its interval the exact one of Wilcoxon's signed-rank test at 95 %. A ratio that begins with ~ shows no difference: its interval includes 1.",
	"CPU per request is the CPU time of the target's whole process tree, read from the kernel's process clocks, inside the load generator's measured window, divided by the responses that ended in it.",
	"At saturation the load generator runs a closed loop. At fixed rates it runs an open loop with the same rates for all targets, and a response time counts from the moment at which the request was due, so that a stall shows in every request that it delayed. Histograms of rounds are merged; percentiles are never averaged. The interval behind a percentile is that of its median over the rounds, widened where the merged value lies outside.",
	"Every target runs its tuned configuration, printed below in full: one worker per server CPU, pinned; keep-alive on both sides with large pools; no access log; X-Forwarded-For and -Proto where it forwards.",
}

var limitations = []string{
	"All traffic is loopback. The kernel does the receiver's work in the sender's context, so a part of what a network card's interrupts would cost is booked to whoever sends. No figure here is a forecast for a real network.",
	"Memory is that of the process tree: what is its own, and the pages of the files that it has mapped, each once, whoever else has them mapped too (in older results such pages were divided among all who had them: PSS). Socket buffers belong to the kernel and are not in it.",
	"Response heads differ in length between targets (see the configurations); the bodies do not.",
	"A closed loop tells how much goes through, not how long a user waits: for that read the fixed rates.",
	"p99.99 of short runs rests on few requests and is marked.",
	"Reloads and endpoints in trouble are measured on one process of each target. Their intervals are over its sections: what differs from one start of a program to the next is not in them.",
	"Each interval stands for itself: of twenty comparisons between equals, one would exclude 1 by chance.",
}

const virtualLimitation = "A machine of this report is virtual: neighbours, steal time and the hypervisor's scheduling are in the figures. They compare programs measured in the same minutes with each other and are not hardware figures. From one run to another it may have been moved to a host with another CPU: where the fingerprints of two runs show it (by the CPU's family, model and caches, in results from before those were recorded by the kernel's list of its weaknesses) this report says so, and figures of the two are not to be compared then."

const vanillaAbout = "What a program does with the configuration that its package ships, or that its documentation begins with, and only the lines added that make it listen, answer and " +
	"forward: beside the tuned configuration of the same program, in the same rounds. These figures are in no other table and in no comparison with Blitz."

func views(all []result.Stored, withPlots bool) ([]machineView, error) {
	var out []machineView
	newest, at := Latest(all), places(all)
	for _, st := range newest {
		if len(out) == 0 || out[len(out)-1].Name != st.Machine.Name {
			out = append(out, machineView{Name: st.Machine.Name, Description: st.Machine.Description, Facts: facts(st.Result), Caveat: caveat(st.Result)})
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
			Name: st.Scenario.Name, Title: st.Scenario.Title, About: st.Scenario.About, Load: loadText(st.Result), Tables: Tables(st.Result), Command: st.Run.Command,
			Dir: st.Rel, Run: fmt.Sprintf("run %s, profile %s, revision %s", st.Run.ID, st.Run.Profile, orDash(st.Run.Revision)),
		}
		if h := hostText(placeOf(st.Result, at), hosts(m.Name, at) > 1, st.Machine.Fingerprint.CPU.Known()); h != "" {
			s.Run += ", " + h
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
		if ts := vanillaTables(st.Result); len(ts) > 0 {
			m.Vanilla = append(m.Vanilla, scenarioView{Name: s.Name, Title: s.Title, Tables: ts})
		}
	}
	for i := range out {
		m := &out[i]
		here := slices.DeleteFunc(slices.Clone(newest), func(s result.Stored) bool { return s.Machine.Name != m.Name })
		m.Overview, m.Configs = overviewOf(here), configsOf(here)
		m.Mixed = mixed(here, at)
	}
	return out, nil
}

// caveat is the limitation of a machine that matters most.
func caveat(r *result.Result) string {
	switch {
	case len(r.Machine.Hosts) > 0:
		return "Several hosts over a network: what lies between them is in the figures."
	case r.Machine.Fingerprint.Virtual():
		return "A virtual machine and its loopback network: programs compared with each other in the same minutes, not hardware figures and no forecast for other machines."
	}
	return "One host and its loopback network: programs compared with each other, no forecast for a real network."
}

// shortened leaves out the middle of a file that is many routes: the result has it in full.
func shortened(text string) string {
	const most, shown = 400, 60
	lines := strings.Split(text, "\n")
	if len(lines) <= most {
		return text
	}
	out := slices.Clone(lines[:shown])
	out = append(out, fmt.Sprintf("… %d lines of the same kind …", len(lines)-2*shown))
	return strings.Join(append(out, lines[len(lines)-shown:]...), "\n")
}

func loadText(r *result.Result) string {
	s := r.Scenario
	if n := sectionsIn(r); n > 1 {
		if hasPhase(r, result.Reloading) {
			return fmt.Sprintf("%d kept connections and as many at most that are new for each request; one sample of each target, %d sections with reloads, %.0f s together, and %d without of half their length.",
				s.Connections, n, s.RateSeconds, n)
		}
		return fmt.Sprintf("%d connections, kept alive; one sample of each target, %d sections of %.1f s in trouble and %d with one endpoint dead.", s.Connections, n, s.RateSeconds/float64(n), n)
	}
	if hasPhase(r, result.Reloading) {
		return fmt.Sprintf("%d kept connections and as many at most that are new for each request; one sample of each target, %.0f s with reloads and about half as long without, in sections.", s.Connections, s.RateSeconds)
	}
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
	return fmt.Sprintf("%d connections, %s; %d rounds; %.1f s warm-up, then %.1f s at saturation%s and %.1f s at each fixed rate%s.",
		s.Connections, how, r.Run.Pairs, s.WarmupSeconds, s.SaturationSeconds, inTurns(s.SaturationTurns), s.RateSeconds, inTurns(s.RateTurns))
}

func inTurns(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (in %d turns)", n)
}

func facts(r *result.Result) [][2]string {
	f := r.Machine.Fingerprint
	kind := "bare metal"
	if f.Virtual() {
		kind = "virtual machine (" + f.Hypervisor + ")"
	}
	out := [][2]string{
		{"kind", kind}, {"CPU", cpuFact(f)}, {"memory", fmt.Sprintf("%.1f GiB", float64(f.MemoryBytes)/(1<<30))},
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
	at := places(all)
	for i := range ms {
		m := &ms[i]
		if m.History, err = trendsOf(m.Name, trends); err != nil {
			return nil, err
		}
		m.Runs = runsOf(m.Name, all)
		m.Moves = moves(m.Name, m.Runs, at)
		if m.Pairs, m.MorePairs, err = pairsOf(m.Name, all); err != nil {
			return nil, err
		}
	}
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Machines": ms, "Method": method, "Limitations": limitationsFor(all), "VanillaAbout": vanillaAbout})
	return b.Bytes(), err
}
