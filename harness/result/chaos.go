package result

import (
	"errors"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Chaos is a sample with endpoints in trouble. One load generator follows the other without a pause, each with a window of its own.
type Chaos struct {
	Served
	// Retries are attempts after the first ones, in the target's own count; nil if it does not tell.
	Retries *int64 `json:"retries,omitempty"`
	// ServerCPUSeconds is CPU time of the target's process tree in the windows.
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	// Troubles as they happened, in seconds from the beginning of the first window, and the kinds that were left out with the reason.
	Troubles []Trouble `json:"troubles"`
	LeftOut  []string  `json:"left_out,omitempty"`
	// Dead is the load afterwards, with one endpoint dead for longer than detection takes.
	Dead Served `json:"one_endpoint_dead"`
	// Sections are the windows one by one, with endpoints in trouble and afterwards; what is above is all of them together. None in old results.
	Sections     []ChaosSection `json:"sections,omitempty"`
	DeadSections []Part         `json:"sections_one_endpoint_dead,omitempty"`
}

// ChaosSection is one window.
type ChaosSection struct {
	// AtSeconds is where it begins by the clock of the troubles, Seconds how long it is.
	AtSeconds float64 `json:"at_seconds"`
	Seconds   float64 `json:"seconds"`
	Part
	// Retries until the end of the window as the target tells it then, which may be a little later; nil if it does not.
	Retries          *int64  `json:"retries,omitempty"`
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
}

// Trouble of one endpoint.
type Trouble struct {
	AtSeconds float64 `json:"at_seconds"`
	Seconds   float64 `json:"seconds"`
	Kind      string  `json:"kind"`
	Endpoint  int     `json:"endpoint"`
}

// Served is what became of requests at a fixed rate.
type Served struct {
	Requests int64 `json:"requests"`
	// Failed did not end in a whole answer as expected: errors, other statuses, no answer in time.
	Failed int64            `json:"failed"`
	ByCode map[string]int64 `json:"by_code"`
	// Response time of those that were answered, whatever the answer.
	Response hdr.Summary   `json:"response"`
	Errors   runfmt.Errors `json:"errors"`
}

// Part is what became of the requests of one section.
type Part struct {
	Requests int64 `json:"requests"`
	Failed   int64 `json:"failed"`
	// Reset are connections that ended under a request, which is one of the failed.
	Reset    int64       `json:"reset"`
	Response hdr.Summary `json:"response"`
}

// Part of the requests without what is only kept of all of them together.
func (s Served) Part() Part { return Part{s.Requests, s.Failed, s.Errors.Reset, s.Response} }

// Served has what a part knows.
func (p Part) Served() Served {
	return Served{Requests: p.Requests, Failed: p.Failed, Response: p.Response, Errors: runfmt.Errors{Reset: p.Reset}}
}

var errApart = errors.New("the sections do not make what the sample says in all")

// made tells whether s is the parts together.
func (s Served) made(parts []Part) error {
	var sum Part
	for _, p := range parts {
		if p.Failed < 0 || p.Failed > p.Requests || p.Reset < 0 || p.Reset > p.Failed {
			return errors.New("more requests of a section failed than there were")
		}
		sum.Requests += p.Requests
		sum.Failed += p.Failed
		sum.Reset += p.Reset
		sum.Response.Count += p.Response.Count
		sum.Response.Max = max(sum.Response.Max, p.Response.Max)
	}
	if is := s.Part(); sum.Requests != is.Requests || sum.Failed != is.Failed || sum.Reset != is.Reset || sum.Response.Count != is.Response.Count || sum.Response.Max != is.Response.Max {
		return errApart
	}
	return nil
}

// Success is the share of requests that did not fail.
func (s Served) Success() float64 {
	if s.Requests == 0 {
		return 0
	}
	return 1 - float64(s.Failed)/float64(s.Requests)
}

func (c *Chaos) check() error {
	if c == nil {
		return nil
	}
	for _, s := range []Served{c.Served, c.Dead} {
		if s.Failed < 0 || s.Failed > s.Requests {
			return errors.New("more requests failed than there were")
		}
	}
	if len(c.Sections) != len(c.DeadSections) {
		return errors.New("there are not as many sections with one endpoint dead as with trouble")
	}
	if len(c.Sections) == 0 {
		return nil
	}
	parts, cpu, told, retries := make([]Part, 0, len(c.Sections)), 0.0, 0, int64(0)
	for _, s := range c.Sections {
		parts = append(parts, s.Part)
		cpu += s.ServerCPUSeconds
		if s.Retries != nil {
			told++
			retries += *s.Retries
		}
	}
	if !near(cpu, c.ServerCPUSeconds) || told > 0 && (told < len(parts) || c.Retries == nil || *c.Retries != retries) {
		return errApart
	}
	return errors.Join(c.made(parts), c.Dead.made(c.DeadSections))
}
