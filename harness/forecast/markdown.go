package forecast

import (
	"fmt"
	"math"
	"strings"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/report"
)

// Markdown renders docs/FORECAST.md.
func (f *Forecast) Markdown() []byte {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n\n", args...) }
	p("# Forecast")
	p("**A forecast, no result.** Nothing on this page was measured on the machine that it is about. What was measured lies in [results/](../results) and "+
		"[COMPARISON.md](../COMPARISON.md). `blitzlab project` makes this page from results of %s on `%s` and from the assumptions in [machines/](../machines); a test fails when it is older than those.", f.Target, f.From)
	p("Every figure of the forecast is a range from the least to the most favourable: the lower %.0f %% bound of what was measured with the unfavourable ends of all assumptions, and the reverse. "+
		"No value within a range is more likely than another. A goal is *reached* if the whole range reaches it, *missed* if nothing of it does, and otherwise *open*: then only a measurement on the machine can tell. What %s requests/s take is *out of reach* where that rate is.", 100*confidence, millions(GoalRate))
	p("The goals, for a machine of 128 cores: %s requests/s and more; at %s requests/s no more than %.0f %% of the CPU time and %s of memory. They stand beside every machine, for comparison.",
		millions(GoalRPS), millions(GoalRate), 100*GoalShare, megabytes(GoalMemory))

	p("## What it stands on")
	t := report.Table{Caption: "Measured on " + f.From + ", one worker on one core", Head: []string{"workload", "CPU µs/request at saturation", "rounds", "memory", "run", "revision"}}
	for _, c := range f.Costs {
		run, rev := "–", "–"
		for _, s := range f.Sources {
			if s.Scenario == c.Workload {
				run, rev = s.Run, dash(s.Revision)
			}
		}
		t.Rows = append(t.Rows, []string{c.Workload, fmt.Sprintf("%.2f [%.2f, %.2f]", c.Micros, c.Interval.From, c.Interval.To), fmt.Sprint(c.Rounds), span(c.Memory, 1e6, "MB"), run, rev})
	}
	b.WriteString(t.Markdown() + "\n")
	for _, i := range f.Idle {
		kind := "connection"
		if i.TLS {
			kind = "TLS connection"
		}
		p("Each idle %s: %s. The kernel's memory for sockets is in none of these figures.", kind, span(i.Bytes, 1, "bytes"))
	}
	if f.Measured {
		p("Each worker beyond the first, with its load: %s.", span(f.PerWorker, 1e6, "MB"))
	} else {
		p("What each worker beyond the first adds to memory was not measured: between nothing and a whole process is assumed.")
	}
	f.law(p)

	p("## Assumptions")
	p("- A core of the machine does `core_speed` times the work of a core of `%s`, in every part of a request alike. Its clock and its instructions per clock are in this one range, and so is the measured core's own unsteadiness where it is virtual.", f.From)
	p("- A request costs `network_cost` times the CPU time that it costs over loopback, where no driver and no interrupts are at work, but each side pays for a part of the other's TCP.")
	p("- CPU time of a request falls with the load, because completions come in batches. It is taken at the same use of a core as was measured, in straight lines between the measured rates.")
	p("- Heads of requests have %s in HTTP/1.1 and %s in HTTP/2; each packet has %d bytes of headers around it; a bare acknowledgement for each message at worst, none at best. HTTP/2 fills packets at best.",
		span(h1Request, 1, "bytes"), span(h2Head, 1, "bytes"), tcpip+ethernet)
	p("- At %s requests/s %s connections are open, of which those that are served at the moment need no more memory than when the workload was measured.", millions(GoalRate), span(f.Connections, 1, ""))
	p("- Memory bandwidth, caches shared between cores, NUMA, heat and the load generators' own limits are not in it, other than as far as the scaling law has them.")
	at := report.Table{Caption: "Assumed for each machine", Head: []string{"machine", "core_speed", "network_cost", "packets of the card, each way"}}
	for _, m := range f.Machines {
		a, packets := m.Assumptions, "–"
		if a.NICPackets != nil {
			packets = span(*a.NICPackets, 1, "M/s")
		}
		at.Rows = append(at.Rows, []string{m.Name, span(a.CoreSpeed, 1, ""), span(a.NetworkCost, 1, ""), packets})
		for _, why := range a.Why {
			at.Notes = append(at.Notes, m.Name+": "+why)
		}
	}
	b.WriteString(at.Markdown() + "\n")

	for _, m := range f.Machines {
		p("## Forecast for %s", m.Name)
		p("%s.", m.Description)
		for _, t := range f.tables(m) {
			b.WriteString(t.Markdown() + "\n")
		}
	}
	for _, s := range f.Skipped {
		p("No forecast for %s.", s)
	}
	p("## Again")
	p("```sh\nbin/blitzlab bench --profile full --scenario scaling --targets blitz\nbin/blitzlab project\nbin/blitzlab project --json --core-speed 0.8-1.2\n```")
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// law says what is known of scaling.
func (f *Forecast) law(p func(string, ...any)) {
	l := f.Law
	p("## How workers scale")
	p("The Universal Scalability Law (Gunther 1993, 2007): n workers have λn / (1 + σ(n-1) + κn(n-1)) times the throughput of one, with σ for contention and κ for coherency, neither below zero. " +
		"It is fitted to the scenario `scaling` by least squares, after taking out what whole rounds have in common; intervals come from a bootstrap over the rounds.")
	switch {
	case !l.Measured:
		p("**Not measured:** %s. All that can be said is that no machine does better than linearly; there is no lower end.", l.Reason)
		return
	case l.Identified:
		p("With %s workers over %d rounds: σ %s, κ %s. The largest deviation of a measured point from the law is %.1f %%.", list(l.Workers), l.Rounds, tiny(*l.Sigma), tiny(*l.Kappa), 100*l.Misfit)
	case l.Contention != nil:
		p("**Not identified:** %s. With %s workers over %d rounds, σ alone would be %s, or κ alone %s. The forecast shows three assumptions in place of a fitted law: linear (σ = κ = 0), contention only "+
			"(κ = 0), coherency only (σ = 0). The law, if it holds, lies between the first and the last.", l.Reason, list(l.Workers), l.Rounds, tiny(*l.Contention), tiny(*l.Coherency))
	default:
		p("**Not identified:** %s. All that can be said is that no machine does better than linearly; there is no lower end.", l.Reason)
	}
	if l.Shared {
		p("On the measured machine the workers share their CPUs with the load generator, so the throughput of the law is what they would do with all of their CPUs' time: requests per second divided by the share of it " +
			"that they had. Waiting for each other is not in it, only what costs CPU time; and the generator's work on the same caches, switches between it and the workers, and smaller batches when a worker gets less of " +
			"its CPU are, none of which would grow with the law. The forecast's lower end is rather too low for these.")
	}
	if l.Short {
		p("Fewer than six rounds: the intervals claim more than they should.")
	}
}

func (f *Forecast) tables(m Machine) []report.Table {
	t := report.Table{Caption: "Forecast: requests per second", Head: []string{"workload", "workers"}}
	if len(m.Rows) > 0 {
		for _, e := range m.Rows[0].CPU {
			t.Head = append(t.Head, "CPUs, "+e.Scaling)
		}
	}
	t.Head = append(t.Head, "card, bandwidth", "card, packets", "all together")
	g := report.Table{Caption: "Forecast: the goals", Head: []string{"workload", "workers", millions(GoalRPS) + " requests/s", "CPU at " + millions(GoalRate), fmt.Sprintf("≤ %.0f %%", 100*GoalShare), "memory at " + millions(GoalRate), "≤ " + megabytes(GoalMemory)}}
	for _, r := range m.Rows {
		row := []string{r.Workload, fmt.Sprint(r.Workers)}
		for _, e := range r.CPU {
			row = append(row, span(e.Range, 1e6, "M"))
		}
		for _, c := range []*machine.Range{r.Bandwidth, r.Packets} {
			if c == nil {
				row = append(row, "–")
				continue
			}
			row = append(row, span(*c, 1e6, "M"))
		}
		all := span(r.Throughput, 1e6, "M")
		if r.Throughput.From == 0 {
			all = "at most " + sig(r.Throughput.To/1e6) + " M"
		}
		t.Rows = append(t.Rows, append(row, all))
		memory := "–"
		if r.Memory != nil {
			memory = span(*r.Memory, 1e6, "MB")
		}
		g.Rows = append(g.Rows, []string{r.Workload, fmt.Sprint(r.Workers), string(r.RPSVerdict), percent(r.Share), string(r.ShareVerdict), memory, dash(string(r.MemoryVerdict))})
	}
	return []report.Table{t, g}
}

// sig renders two significant digits and no exponent.
func sig(x float64) string {
	if x == 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(x)))-1)
	x = math.Round(x/unit) * unit
	return fmt.Sprintf("%.*f", max(0, 1-int(math.Floor(math.Log10(math.Abs(x))+1e-9))), x)
}

func span(r machine.Range, unit float64, name string) string {
	text := sig(r.From/unit) + " – " + sig(r.To/unit)
	if sig(r.From/unit) == sig(r.To/unit) {
		text = sig(r.From / unit)
	}
	return strings.TrimSpace(text + " " + name)
}

func tiny(r machine.Range) string { return fmt.Sprintf("%.2g to %.2g", r.From, r.To) }

// percent of a share; what no machine has is said as that.
func percent(r machine.Range) string {
	one := func(x float64) string {
		if x > 1 {
			return "more than 100"
		}
		return sig(100 * x)
	}
	a, b := one(r.From), one(r.To)
	if r.To == unknownShare && r.From <= 1 {
		return "at least " + a + " %"
	}
	if a == b {
		return a + " %"
	}
	return a + " – " + b + " %"
}

func millions(x float64) string  { return fmt.Sprintf("%.0f M", x/1e6) }
func megabytes(x float64) string { return fmt.Sprintf("%.0f MB", x/1e6) }

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func list(n []int) string {
	var out []string
	for _, x := range n {
		out = append(out, fmt.Sprint(x))
	}
	if len(out) < 2 {
		return strings.Join(out, "")
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}
