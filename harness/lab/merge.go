package lab

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// merger collects the histograms of valid samples by target and phase.
type merger struct {
	parts   map[groupKey][]histograms
	samples map[groupKey]int
}

type groupKey struct {
	target string
	phase  result.Phase
	rate   float64
}

func newMerger() *merger { return &merger{map[groupKey][]histograms{}, map[groupKey]int{}} }

// add takes the histograms of a sample, one of each of its sections.
func (m *merger) add(s result.Sample, hs ...histograms) {
	k := groupKey{s.Target, s.Phase, s.Rate}
	m.parts[k] = append(m.parts[k], hs...)
	m.samples[k]++
}

// groups merges each group's histograms and renders its interval log, one interval per sample or section: the response time, and in the open loop the
// service time under a tag of its own.
func (m *merger) groups(targets []Located, logs map[string][]byte) ([]result.Group, error) {
	order := map[string]int{}
	for i, t := range targets {
		order[t.Name()] = i
	}
	keys := make([]groupKey, 0, len(m.parts))
	for k := range m.parts {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b groupKey) int {
		return cmp.Or(cmp.Compare(order[a.target], order[b.target]), -cmp.Compare(a.phase, b.phase), cmp.Compare(a.rate, b.rate))
	})
	var out []result.Group
	for _, k := range keys {
		parts := m.parts[k]
		name := fmt.Sprintf("%s-%s.hlog.gz", k.target, k.phase)
		if k.phase == result.FixedRate {
			name = fmt.Sprintf("%s-%s-%.0f.hlog.gz", k.target, k.phase, k.rate)
		}
		var text bytes.Buffer
		w, err := hdr.NewLogWriter(&text, parts[0].from, k.target+" "+string(k.phase))
		if err != nil {
			return nil, err
		}
		g := result.Group{Target: k.target, Phase: k.phase, Rate: k.rate, Samples: m.samples[k], Log: name}
		response, service := hdr.New(), hdr.New()
		for _, p := range parts {
			response.Merge(p.response)
			service.Merge(p.service)
			if err := w.Interval("response", p.from, p.to, p.response); err != nil {
				return nil, err
			}
			if k.phase == result.FixedRate {
				if err := w.Interval("service", p.from, p.to, p.service); err != nil {
					return nil, err
				}
			}
		}
		g.Response, g.Service = response.Summary(), service.Summary()
		if logs[name], err = result.Compress(text.Bytes()); err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	return out, nil
}
