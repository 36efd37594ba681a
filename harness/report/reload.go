package report

import (
	"fmt"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
)

// reloads are the samples of a reload scenario in the order of the targets, with those that are invalid left out.
func reloads(r *result.Result) (out []result.Sample) {
	for _, tg := range r.Targets {
		for _, s := range r.Samples {
			if s.Target == tg.Name && s.Phase == result.Reloading && s.Valid() {
				out = append(out, s)
			}
		}
	}
	return out
}

// reloadTables are what clients saw and what the reloads were. There is one sample of each target; no interval is claimed.
func reloadTables(r *result.Result) []Table {
	asked := 0.0
	if len(r.Scenario.Rates) > 0 {
		asked = r.Scenario.Rates[0]
	}
	clients := Table{
		Caption: "What clients saw while the configuration changed, and in the sections without",
		Head: []string{"target", "requests/s offered", "failed", "connections closed under a request", "failed without reloads", "WebSockets closed",
			"p99 kept: reloads", "without", "p99 new connections: reloads", "without"},
	}
	took := Table{
		Caption: fmt.Sprintf("Reloads in %s s, and the time from telling the target to the first answer of the new configuration", group(r.Scenario.RateSeconds)),
		Head:    []string{"target", "took effect", "lost", "median", "p90", "p99", "longest", "server CPU: reloads", "without", "processes at the end", "memory"},
	}
	for _, s := range reloads(r) {
		v := s.Reload
		rate := group(s.Rate)
		if s.Rate < asked {
			rate += " ¶"
		}
		failed, all, reset := v.Kept.Failed+v.Closed.Failed, v.Kept.Requests+v.Closed.Requests, v.Kept.Errors.Reset+v.Closed.Errors.Reset
		quietAll := v.QuietKept.Requests + v.QuietClosed.Requests
		clients.Rows = append(clients.Rows, []string{
			s.Target, rate, of(failed, all), group(float64(reset)), of(v.QuietKept.Failed+v.QuietClosed.Failed, quietAll), of(int64(v.WebSocketsClosed), int64(v.WebSockets)),
			nanos(v.Kept.Response.P99), nanos(v.QuietKept.Response.P99), nanos(v.Closed.Response.P99), nanos(v.QuietClosed.Response.P99),
		})
		took.Rows = append(took.Rows, []string{
			s.Target, of(int64(v.Done), int64(v.Asked)), group(float64(v.Lost)), nanos(v.Seen.P50), nanos(v.Seen.P90), nanos(v.Seen.P99), nanos(v.Seen.Max),
			cores(v.ServerCPUSeconds, v.Seconds), cores(v.QuietCPUSeconds, v.QuietSeconds), group(float64(v.Processes)), fmt.Sprintf("%.1f MiB", float64(v.PSS)/(1<<20)),
		})
		if v.Done+v.Lost < v.Asked {
			took.Notes = append(took.Notes, fmt.Sprintf("%s managed %d reloads: one in %.0f ms was asked for, and the next one is not begun before the last is seen.", s.Target, v.Done, 1000*v.PeriodSeconds))
		}
		if v.ToldAgain > 0 {
			took.Notes = append(took.Notes, fmt.Sprintf("%s was told again %d times, since nothing had happened for two seconds.", s.Target, v.ToldAgain))
		}
		if len(v.Reasons) > 0 {
			took.Notes = append(took.Notes, fmt.Sprintf("%s lost reloads, the first: %s.", s.Target, strings.TrimSuffix(v.Reasons[0], ".")))
		}
		if v.ProbesFailed > 0 {
			took.Notes = append(took.Notes, fmt.Sprintf("%s: %d of %d connections that asked for the marker had no answer.", s.Target, v.ProbesFailed, v.Probes))
		}
		for _, w := range s.Warnings {
			clients.Notes = append(clients.Notes, s.Target+": "+w+".")
		}
	}
	for _, tg := range r.Targets {
		clients.Notes = append(clients.Notes, invalidReload(r, tg.Name)...)
	}
	clients.Notes = append(clients.Notes, "Response times count from the moment at which a request was due.")
	for _, row := range clients.Rows {
		if strings.HasSuffix(row[1], "¶") {
			clients.Notes = append(clients.Notes, fmt.Sprintf("¶ the highest rate that the target stood on this machine without reloads, in place of %s.", group(asked)))
			break
		}
	}
	return []Table{clients, took}
}

func invalidReload(r *result.Result, target string) (out []string) {
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == result.Reloading && !s.Valid() {
			out = append(out, fmt.Sprintf("%s: an invalid sample is left out because %s.", target, s.Invalid[0]))
		}
	}
	return out
}

func of(n, all int64) string { return group(float64(n)) + " of " + group(float64(all)) }

// cores is CPU time in relation to time: 100 % is one CPU.
func cores(cpu, seconds float64) string {
	if seconds <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100*cpu/seconds)
}
