package report

import (
	"fmt"
	"strings"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// Figures of a section with reloads and of the one without beside it, or of all of them together.
func reloadsDone(s result.Sample) float64 { return share(int64(s.Reload.Done), int64(s.Reload.Asked)) }
func reloadsLost(s result.Sample) float64 {
	return share(int64(s.Reload.Lost), int64(s.Reload.Done+s.Reload.Lost))
}
func reloadFailed(s result.Sample) float64 {
	return share(s.Reload.Kept.Failed+s.Reload.Closed.Failed, s.Reload.Kept.Requests+s.Reload.Closed.Requests)
}
func reloadReset(s result.Sample) float64 {
	return share(s.Reload.Kept.Errors.Reset+s.Reload.Closed.Errors.Reset, s.Reload.Kept.Requests+s.Reload.Closed.Requests)
}
func quietFailed(s result.Sample) float64 {
	return share(s.Reload.QuietKept.Failed+s.Reload.QuietClosed.Failed, s.Reload.QuietKept.Requests+s.Reload.QuietClosed.Requests)
}
func keptP99(s result.Sample) float64   { return servedP99(s.Reload.Kept) }
func closedP99(s result.Sample) float64 { return servedP99(s.Reload.Closed) }
func quietKeptP99(s result.Sample) float64 {
	return servedP99(s.Reload.QuietKept)
}
func quietClosedP99(s result.Sample) float64 { return servedP99(s.Reload.QuietClosed) }
func servedP99(s result.Served) float64      { return answered(s.Response, s.Response.P99) }
func seenP50(s result.Sample) float64        { return answered(s.Reload.Seen, s.Reload.Seen.P50) }
func seenP90(s result.Sample) float64        { return answered(s.Reload.Seen, s.Reload.Seen.P90) }
func seenP99(s result.Sample) float64        { return answered(s.Reload.Seen, s.Reload.Seen.P99) }
func seenMax(s result.Sample) float64        { return answered(s.Reload.Seen, s.Reload.Seen.Max) }
func processes(s result.Sample) float64      { return float64(s.Reload.Processes) }
func reloadPSS(s result.Sample) float64      { return float64(s.Reload.PSS) }

// CPU time in relation to time: 1 is one CPU.
func reloadCPU(s result.Sample) float64 { return s.Reload.ServerCPUSeconds / s.Reload.Seconds }
func quietCPU(s result.Sample) float64  { return s.Reload.QuietCPUSeconds / s.Reload.QuietSeconds }

// reloadTables are what clients saw and what the reloads were. There is one sample of each target; intervals are over its sections.
func reloadTables(r *result.Result) []Table {
	asked := 0.0
	if len(r.Scenario.Rates) > 0 {
		asked = r.Scenario.Rates[0]
	}
	clients := Table{
		Caption: "What clients lost while the configuration changed, and in the sections without",
		Head:    []string{"target", "requests/s offered", "failed", "connections closed under a request", "failed without reloads", "WebSockets closed"},
	}
	times := Table{
		Caption: "Response time (p99) while the configuration changed, and in the sections without",
		Head:    []string{"target", "kept connections: reloads", "without", "reloads / without", "new connections: reloads", "without", "reloads / without"},
	}
	took := Table{
		Caption: fmt.Sprintf("Reloads in %s s, and the time from telling the target to the first answer of the new configuration", group(r.Scenario.RateSeconds)),
		Head:    []string{"target", "took effect", "lost", "median", "p90", "p99", "longest", "server CPU: reloads", "without", "processes at the end", "memory"},
	}
	all := wholes(r, result.Reloading)
	for _, s := range all {
		v, m := s.Reload, series(r, s.Target, result.Reloading, s.Rate)
		rate := group(s.Rate)
		if s.Rate < asked {
			rate += " ¶"
		}
		over := func(f metric) stat.Spread { return wide(f(s), spread(m, f)) }
		time := func(f metric) string { return figure(m, f, s) }
		requests, quiet := v.Kept.Requests+v.Closed.Requests, v.QuietKept.Requests+v.QuietClosed.Requests
		clients.Rows = append(clients.Rows, []string{
			s.Target, rate, portion(v.Kept.Failed+v.Closed.Failed, requests, spread(m, reloadFailed)), portion(v.Kept.Errors.Reset+v.Closed.Errors.Reset, requests, spread(m, reloadReset)),
			portion(v.QuietKept.Failed+v.QuietClosed.Failed, quiet, spread(m, quietFailed)), exactly(int64(v.WebSocketsClosed), int64(v.WebSockets)),
		})
		times.Rows = append(times.Rows, []string{
			s.Target, time(keptP99), time(quietKeptP99), within(m, quietKeptP99, keptP99), time(closedP99), time(quietClosedP99), within(m, quietClosedP99, closedP99),
		})
		took.Rows = append(took.Rows, []string{
			s.Target, portion(int64(v.Done), int64(v.Asked), spread(m, reloadsDone)), portion(int64(v.Lost), int64(v.Done+v.Lost), spread(m, reloadsLost)),
			time(seenP50), time(seenP90), time(seenP99), time(seenMax), percent(over(reloadCPU)), percent(over(quietCPU)), count(over(processes)), mib(over(reloadPSS)),
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
	if len(all) > 0 {
		clients.Notes = append(clients.Notes, sectionsNote(all), "WebSockets are open throughout: their share has its exact 95 % interval.")
	}
	for _, row := range clients.Rows {
		if strings.HasSuffix(row[1], "¶") {
			clients.Notes = append(clients.Notes, fmt.Sprintf("¶ the highest rate that the target stood on this machine without reloads, in place of %s.", group(asked)))
			break
		}
	}
	times.Notes = append(times.Notes, "Response times count from the moment at which a request was due. The ratios are paired by neighbouring sections; ~ means that the interval includes 1.")
	return []Table{clients, times, took}
}

func invalidReload(r *result.Result, target string) (out []string) {
	for _, s := range r.Samples {
		if s.Target == target && s.Phase == result.Reloading && !s.Valid() {
			out = append(out, fmt.Sprintf("%s: an invalid sample is left out because %s.", target, s.Invalid[0]))
		}
	}
	return out
}
