package result

import (
	"errors"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Chaos is a sample with endpoints in trouble.
type Chaos struct {
	Served
	// Retries are attempts after the first ones, in the target's own count; nil if it does not tell.
	Retries *int64 `json:"retries,omitempty"`
	// ServerCPUSeconds is CPU time of the target's process tree meanwhile.
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	// Troubles as they happened, in seconds from the beginning of the window, and the kinds that were left out with the reason.
	Troubles []Trouble `json:"troubles"`
	LeftOut  []string  `json:"left_out,omitempty"`
	// Dead is the load afterwards, with one endpoint dead for longer than detection takes.
	Dead Served `json:"one_endpoint_dead"`
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
	return nil
}
