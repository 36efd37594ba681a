package result

import (
	"errors"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

// Reload is a sample in which the configuration changes again and again. Sections with and without reloads alternate, all on one running target.
type Reload struct {
	// Routes of the configuration beside those that every one has.
	Routes int `json:"routes"`
	// Asked is how many reloads the time would have held at one in each Period. Done is how many came into force, as a new connection saw: the next one is not
	// begun before. Lost were told and not seen in time, or refused.
	Asked         int     `json:"asked"`
	Done          int     `json:"done"`
	Lost          int     `json:"lost"`
	PeriodSeconds float64 `json:"period_seconds"`
	// ToldAgain is how often the target was told once more because nothing happened for two seconds: a program that is busy with a reload may lose a signal.
	ToldAgain int `json:"told_again"`
	// Reasons of lost ones, the first few.
	Reasons []string `json:"reasons,omitempty"`
	// Kept are requests over connections that are kept, Closed those each with a connection of its own; Quiet the same without reloads. Errors.Reset counts
	// connections that ended under a request.
	Kept        Served `json:"kept"`
	Closed      Served `json:"closed"`
	QuietKept   Served `json:"quiet_kept"`
	QuietClosed Served `json:"quiet_closed"`
	// ClosedBetween is how many kept connections the target closed in order between two requests during the reloads: nobody notices.
	ClosedBetween int64 `json:"closed_between_requests"`
	// Probes ask for the marker, each on a connection of its own; ProbesFailed had no answer.
	Probes       int `json:"probes"`
	ProbesFailed int `json:"probes_failed"`
	// WebSockets were open before the first reload, each with a message and its echo ten times a second; so many were closed or did not answer within five seconds.
	WebSockets       int `json:"websockets"`
	WebSocketsClosed int `json:"websockets_closed"`
	// Seen is the time from just before the target was told until a new connection had an answer of the new configuration.
	Seen hdr.Summary `json:"seen"`
	// ServerCPUSeconds is CPU time of the target's process tree, processes that ended included, in the sections with reloads; QuietCPUSeconds in those without.
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	QuietCPUSeconds  float64 `json:"quiet_cpu_seconds"`
	// Seconds and QuietSeconds are how long these sections took, warm-up and what hung over included.
	Seconds      float64 `json:"seconds"`
	QuietSeconds float64 `json:"quiet_seconds"`
	// Processes of the target right after its last reload, and their memory.
	Processes int `json:"processes"`
	Memory
	// Sections in the order in which they were made, in pairs of one with and one without reloads; what is above is all of them together. None in old results.
	Sections []ReloadSection `json:"sections,omitempty"`
}

// ReloadSection is a time with reloads or without.
type ReloadSection struct {
	Reloads bool `json:"reloads"`
	// Seconds that it took, warm-up and what hung over included, and the target's CPU time in them.
	Seconds          float64 `json:"seconds"`
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	Kept             Part    `json:"kept"`
	Closed           Part    `json:"closed"`
	// What follows is of a section with reloads, as in Reload.
	Asked     int         `json:"asked,omitempty"`
	Done      int         `json:"done,omitempty"`
	Lost      int         `json:"lost,omitempty"`
	Seen      hdr.Summary `json:"seen,omitzero"`
	Processes int         `json:"processes,omitempty"`
	PSS       int64       `json:"pss_bytes,omitempty"`
}

func (r *Reload) check() error {
	if r == nil {
		return nil
	}
	for _, s := range []Served{r.Kept, r.Closed, r.QuietKept, r.QuietClosed} {
		if s.Failed < 0 || s.Failed > s.Requests {
			return errors.New("more requests failed than there were")
		}
	}
	if r.WebSocketsClosed > r.WebSockets || r.Seen.Count != int64(r.Done) || r.Done+r.Lost > r.Asked || r.ProbesFailed > r.Probes {
		return errors.New("the counts contradict each other")
	}
	if len(r.Sections) == 0 {
		return nil
	}
	return r.checkSections()
}

// checkSections tells whether the sections are pairs and make what the sample says in all.
func (r *Reload) checkSections() error {
	var sum Reload
	var kept, closed [2][]Part // without reloads, with
	for i, s := range r.Sections {
		if mate := i ^ 1; mate >= len(r.Sections) || r.Sections[mate].Reloads == s.Reloads {
			return errors.New("the sections are no pairs of one with and one without reloads")
		}
		if !s.Reloads {
			kept[0], closed[0] = append(kept[0], s.Kept), append(closed[0], s.Closed)
			sum.QuietSeconds += s.Seconds
			sum.QuietCPUSeconds += s.ServerCPUSeconds
			if s.Asked != 0 || s.Done != 0 || s.Lost != 0 || s.Seen.Count != 0 {
				return errors.New("there are reloads in a section without")
			}
			continue
		}
		kept[1], closed[1] = append(kept[1], s.Kept), append(closed[1], s.Closed)
		sum.Seconds += s.Seconds
		sum.ServerCPUSeconds += s.ServerCPUSeconds
		sum.Asked += s.Asked
		sum.Done += s.Done
		sum.Lost += s.Lost
		sum.Seen.Count += s.Seen.Count
		sum.Seen.Max = max(sum.Seen.Max, s.Seen.Max)
		sum.Processes, sum.PSS = s.Processes, s.PSS
	}
	if sum.Asked != r.Asked || sum.Done != r.Done || sum.Lost != r.Lost || sum.Seen.Count != r.Seen.Count || sum.Seen.Max != r.Seen.Max || sum.Processes != r.Processes || sum.PSS != r.PSS {
		return errApart
	}
	for _, f := range [][2]float64{{sum.Seconds, r.Seconds}, {sum.QuietSeconds, r.QuietSeconds}, {sum.ServerCPUSeconds, r.ServerCPUSeconds}, {sum.QuietCPUSeconds, r.QuietCPUSeconds}} {
		if !near(f[0], f[1]) {
			return errApart
		}
	}
	return errors.Join(r.Kept.made(kept[1]), r.Closed.made(closed[1]), r.QuietKept.made(kept[0]), r.QuietClosed.made(closed[0]))
}
