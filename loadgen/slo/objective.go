package slo

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// term is one condition: a percentile of the response time below a limit, or the share of errors.
type term struct {
	text       string
	percentile float64 // 0 for errors
	below      time.Duration
	share      float64
}

// Objective is what must hold: all its terms.
type Objective struct {
	terms []term
	text  string
}

// String is the objective as it was written.
func (o Objective) String() string { return o.text }

// ParseObjective reads "p99<1ms", "p99<1ms,p99.9<5ms,errors<0.1%".
func ParseObjective(text string) (Objective, error) {
	o := Objective{text: strings.ReplaceAll(text, " ", "")}
	for part := range strings.SplitSeq(o.text, ",") {
		name, limit, ok := strings.Cut(part, "<")
		bad := func(want string) (Objective, error) {
			return Objective{}, fmt.Errorf("objective %q: in %q expected %s", text, part, want)
		}
		if !ok || name == "" || limit == "" {
			return bad("a condition such as p99<1ms or errors<0.1%")
		}
		t := term{text: part}
		if name == "errors" {
			num, percent := strings.CutSuffix(limit, "%")
			v, err := strconv.ParseFloat(num, 64)
			if err != nil || !percent || !(v > 0 && v <= 100) {
				return bad("a share of errors above 0 such as 0.1%")
			}
			t.share = v / 100
		} else {
			p, err := strconv.ParseFloat(strings.TrimPrefix(name, "p"), 64)
			if err != nil || !strings.HasPrefix(name, "p") || !(p > 0 && p < 100) {
				return bad("errors, or a percentile between 0 and 100 such as p99.9")
			}
			d, err := time.ParseDuration(limit)
			if err != nil || d <= 0 {
				return bad("a time such as 1ms")
			}
			t.percentile, t.below = p, d
		}
		o.terms = append(o.terms, t)
	}
	return o, nil
}

// violations says which terms a load did not keep. Requests without a response stand above all others in the order of response times.
func (o Objective) violations(c runfmt.Counts, e runfmt.Errors, response *hdr.Histogram) (why []string) {
	for _, t := range o.terms {
		if t.percentile == 0 {
			bad := e.Total() + c.Unsent + c.Unanswered
			if c.Requests == 0 || float64(bad) >= t.share*float64(c.Requests) {
				why = append(why, fmt.Sprintf("%s: %d of %d requests", t.text, bad, c.Requests))
			}
			continue
		}
		rank := t.percentile * float64(c.Requests) / float64(max(response.Count(), 1))
		switch {
		case response.Count() == 0 || rank > 100:
			why = append(why, fmt.Sprintf("%s: %d of %d requests have no response", t.text, c.Requests-response.Count(), c.Requests))
		case response.At(rank) >= int64(t.below):
			why = append(why, fmt.Sprintf("%s: %v", t.text, time.Duration(response.At(rank)).Round(time.Microsecond)))
		}
	}
	return why
}
