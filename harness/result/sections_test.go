package result

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// inSections is a sample of reloads and one of chaos, each in pairs of sections, with the chaos' interval log.
func inSections(t *testing.T) (*Result, map[string][]byte) {
	r, _ := example(t)
	reload := &Reload{Routes: 10}
	var kept, closed, quietKept, quietClosed, seen []*hdr.Histogram
	part := func(n int, hs *[]*hdr.Histogram) Part {
		h := hdr.New()
		for i := range n {
			h.Record(int64(1000 * (i + n)))
		}
		*hs = append(*hs, h)
		return Part{Requests: int64(n + 1), Failed: 1, Reset: 1, Response: h.Summary()}
	}
	sum := func(s *Served, p Part, hs []*hdr.Histogram) {
		s.Requests, s.Failed, s.Errors.Reset, s.Response = s.Requests+p.Requests, s.Failed+p.Failed, s.Errors.Reset+p.Reset, hdr.MergeAll(hs...).Summary()
	}
	for i, reloads := range []bool{true, false, false, true} {
		s := ReloadSection{Reloads: reloads, Seconds: 0.1 * float64(i+1), ServerCPUSeconds: 0.07 * float64(i+1)}
		if !reloads {
			s.Kept, s.Closed = part(40+i, &quietKept), part(4+i, &quietClosed)
			sum(&reload.QuietKept, s.Kept, quietKept)
			sum(&reload.QuietClosed, s.Closed, quietClosed)
			reload.QuietSeconds, reload.QuietCPUSeconds = reload.QuietSeconds+s.Seconds, reload.QuietCPUSeconds+s.ServerCPUSeconds
		} else {
			s.Kept, s.Closed, s.Asked, s.Done, s.Lost, s.Processes, s.PSS = part(90+i, &kept), part(9+i, &closed), 5, 3+i/3, 1, 1+i, 1000
			s.Seen = part(s.Done, &seen).Response
			sum(&reload.Kept, s.Kept, kept)
			sum(&reload.Closed, s.Closed, closed)
			reload.Seconds, reload.ServerCPUSeconds = reload.Seconds+s.Seconds, reload.ServerCPUSeconds+s.ServerCPUSeconds
			reload.Asked, reload.Done, reload.Lost, reload.Processes, reload.PSS = reload.Asked+5, reload.Done+s.Done, reload.Lost+1, s.Processes, s.PSS
			reload.Seen = hdr.MergeAll(seen...).Summary()
		}
		reload.Sections = append(reload.Sections, s)
	}

	chaos := &Chaos{Retries: new(int64)}
	var troubled, dead []*hdr.Histogram
	var text bytes.Buffer
	w, err := hdr.NewLogWriter(&text, r.Run.Started)
	require.NoError(t, err)
	for i := range 3 {
		n := int64(10 * i)
		s := ChaosSection{AtSeconds: float64(i), Seconds: 0.9, Part: part(100+i, &troubled), Retries: &n, ServerCPUSeconds: 0.3}
		*chaos.Retries += n
		chaos.ServerCPUSeconds += s.ServerCPUSeconds
		sum(&chaos.Served, s.Part, troubled)
		chaos.Sections, chaos.DeadSections = append(chaos.Sections, s), append(chaos.DeadSections, part(20+i, &dead))
		sum(&chaos.Dead, chaos.DeadSections[i], dead)
		at := r.Run.Started.Add(time.Duration(i) * time.Second)
		require.NoError(t, w.Interval("response", at, at.Add(time.Second), troubled[i]))
	}
	log, err := Compress(text.Bytes())
	require.NoError(t, err)
	r.Samples = []Sample{{Target: "blitz", Phase: Reloading, Rate: 5, Started: r.Run.Started, Reload: reload}, {Target: "blitz", Phase: ChaosPhase, Rate: 5, Started: r.Run.Started, Chaos: chaos}}
	r.Groups = []Group{{Target: "blitz", Phase: ChaosPhase, Rate: 5, Samples: 1, Response: chaos.Response, Log: "chaos.hlog.gz"}}
	return r, map[string][]byte{"chaos.hlog.gz": log}
}

func TestSectionsAreReadBack(t *testing.T) {
	want, logs := inSections(t)
	dir := filepath.Join(t.TempDir(), "x")
	require.NoError(t, Write(dir, want, logs))
	got, err := Read(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	p := Part{Requests: 3, Failed: 1, Reset: 1, Response: hdr.Summary{Count: 2}}
	assert.Equal(t, p, p.Served().Part())
	assert.Equal(t, p, Served{Requests: 3, Failed: 1, ByCode: map[string]int64{"200": 2}, Response: p.Response, Errors: runfmt.Errors{Reset: 1, Status: 4}}.Part())
}

// Whoever edits the figure of all sections, or of one, and mends the digest is found out.
func TestSectionsMakeTheWhole(t *testing.T) {
	for name, c := range map[string]struct {
		want  string
		spoil func(*Reload, *Chaos)
	}{
		"failed with reloads":       {"do not make", func(r *Reload, _ *Chaos) { r.Kept.Failed = 0 }},
		"failed without":            {"do not make", func(r *Reload, _ *Chaos) { r.QuietClosed.Failed-- }},
		"resets":                    {"do not make", func(r *Reload, _ *Chaos) { r.Closed.Errors.Reset-- }},
		"longest":                   {"do not make", func(r *Reload, _ *Chaos) { r.QuietKept.Response.Max-- }},
		"CPU time":                  {"do not make", func(r *Reload, _ *Chaos) { r.ServerCPUSeconds *= 0.999 }},
		"time without":              {"do not make", func(r *Reload, _ *Chaos) { r.QuietSeconds *= 1.001 }},
		"lost":                      {"do not make", func(r *Reload, _ *Chaos) { r.Lost-- }},
		"processes":                 {"do not make", func(r *Reload, _ *Chaos) { r.Processes-- }},
		"longest reload":            {"do not make", func(r *Reload, _ *Chaos) { r.Seen.Max-- }},
		"a section's requests":      {"do not make", func(r *Reload, _ *Chaos) { r.Sections[3].Closed.Requests++ }},
		"a section is left out":     {"no pairs", func(r *Reload, _ *Chaos) { r.Sections = r.Sections[:3] }},
		"two of a kind":             {"no pairs", func(r *Reload, _ *Chaos) { r.Sections[1], r.Sections[3] = r.Sections[3], r.Sections[1] }},
		"reloads without":           {"section without", func(r *Reload, _ *Chaos) { r.Sections[1].Done = 1 }},
		"more failed than there":    {"of a section failed", func(r *Reload, _ *Chaos) { r.Sections[0].Kept.Failed = 1000 }},
		"failed in trouble":         {"do not make", func(_ *Reload, c *Chaos) { c.Failed = 0 }},
		"failed with one dead":      {"do not make", func(_ *Reload, c *Chaos) { c.Dead.Failed = 0 }},
		"retries":                   {"do not make", func(_ *Reload, c *Chaos) { *c.Retries-- }},
		"retries of some":           {"do not make", func(_ *Reload, c *Chaos) { c.Sections[1].Retries = nil }},
		"CPU time in trouble":       {"do not make", func(_ *Reload, c *Chaos) { c.Sections[0].ServerCPUSeconds /= 2 }},
		"sections of one dead gone": {"not as many", func(_ *Reload, c *Chaos) { c.DeadSections = nil }},
		"sections of trouble gone":  {"not as many", func(_ *Reload, c *Chaos) { c.Sections = nil }},
	} {
		r, _ := inSections(t)
		c.spoil(r.Samples[0].Reload, r.Samples[1].Chaos)
		_, err := Encode(r)
		assert.ErrorContains(t, err, c.want, name)
	}

	dir := filepath.Join(t.TempDir(), "x")
	r, logs := inSections(t)
	require.NoError(t, Write(dir, r, logs))
	r.Samples[1].Chaos.Sections[1].Response.P99--
	b, err := Encode(r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), b, 0o644))
	_, err = Read(dir)
	assert.ErrorContains(t, err, "response times of section 2 are not those of the interval log")
}

// Samples from before sections are read as they are.
func TestSamplesWithoutSectionsAreRead(t *testing.T) {
	r, _ := inSections(t)
	r.Samples[0].Reload.Sections, r.Samples[1].Chaos.Sections, r.Samples[1].Chaos.DeadSections = nil, nil, nil
	b, err := Encode(r)
	require.NoError(t, err)
	assert.NotContains(t, string(b), "sections")
	old, err := Decode([]byte(strings.Replace(string(b), Schema, "blitz.result/4", 1)))
	require.NoError(t, err)
	assert.Equal(t, r, old)
}
