package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

// chaosResult has six sections, or is of a version that kept none apart.
func chaosResult(t *testing.T, parted bool, logs map[string][]byte) *result.Result {
	return base("chaos", "Three endpoints in trouble", func(r *result.Result) {
		r.Scenario.Rates, r.Scenario.RateSeconds, r.Scenario.SaturationSeconds, r.Scenario.Connections = []float64{1000}, 18, 0, 512
		for i, sp := range speeds {
			v := &result.Chaos{Troubles: []result.Trouble{{Kind: "killed", AtSeconds: 1, Seconds: 1}, {Kind: "slow", AtSeconds: 4, Seconds: 1}, {Kind: "killed", AtSeconds: 8, Seconds: 1}}}
			retried := int64(0)
			if i < 2 {
				v.Retries = &retried
			}
			all, dead := hdr.New(), hdr.New()
			part := func(sum *hdr.Histogram, s *result.Served, n, failed, ns int64) result.Part {
				h := hdr.New()
				h.RecordN(ns/10, n*98/100)
				h.RecordN(ns, n-n*98/100-failed)
				sum.Merge(h)
				s.Requests, s.Failed, s.Response = s.Requests+n, s.Failed+failed, sum.Summary()
				return result.Part{Requests: n, Failed: failed, Response: h.Summary()}
			}
			var text bytes.Buffer
			w, err := hdr.NewLogWriter(&text, start)
			require.NoError(t, err)
			for k := range 6 {
				failed := int64(i * (k % 2) * 3)
				x := result.ChaosSection{AtSeconds: 3.2 * float64(k), Seconds: 3, ServerCPUSeconds: 0.5}
				x.Part = part(all, &v.Served, 3000, failed, int64(1+i)*10_000_000+int64(k*k)*100_000)
				if n := int64(30 + k); v.Retries != nil {
					retried += n
					x.Retries = &n
				}
				v.ServerCPUSeconds += 0.5
				v.Sections, v.DeadSections = append(v.Sections, x), append(v.DeadSections, part(dead, &v.Dead, 800, 0, 2_000_000))
				at := start.Add(time.Duration(k) * time.Second)
				if h := hdr.New(); parted {
					h.RecordN((int64(1+i)*10_000_000+int64(k*k)*100_000)/10, 2940)
					h.RecordN(int64(1+i)*10_000_000+int64(k*k)*100_000, 60-failed)
					require.NoError(t, w.Interval("response", at, at.Add(3*time.Second), h))
				}
			}
			if !parted {
				v.Sections, v.DeadSections = nil, nil
				require.NoError(t, w.Interval("response", start, start.Add(time.Minute), all))
			}
			file := sp.name + "-chaos.hlog.gz"
			logs[file], err = result.Compress(text.Bytes())
			require.NoError(t, err)
			r.Samples = append(r.Samples, result.Sample{Target: sp.name, Phase: result.ChaosPhase, Rate: 1000, Started: start, Chaos: v})
			r.Groups = append(r.Groups, result.Group{Target: sp.name, Phase: result.ChaosPhase, Rate: 1000, Samples: 1, Response: all.Summary(), Service: all.Summary(), Log: file})
		}
	})
}

func TestChaosTables(t *testing.T) {
	r := chaosResult(t, true, map[string][]byte{})
	require.NoError(t, r.Check())
	text := Text(r)
	assert.Contains(t, text, "Endpoints in trouble for 18 s at 1,000 requests/s")
	assert.Contains(t, text, "from seed 0: killed 2×, slow 1×.")
	assert.Contains(t, text, "[ ]: the interval over 6 sections (97 %)")
	assert.Regexp(t, `blitz +0 of 18,000 \(< 0\.021 %\) +1\.\d\d \[1\.00, 1\.25\] ms +1\d\.\d \[10\.0, 12\.5\] ms +0\.5\d \[0\.5\d, 0\.\d\d\] +12\.5 \[10\.0, 12\.5\] ms +10\.8 \[10\.0, 11\.7\]`, text)
	assert.Regexp(t, `nginx +9 of 18,000 \(0\.050 \[0, 0\.10\] %\) .* ms +1 +`, text)
	assert.Regexp(t, `haproxy +18 of 18,000 \(0\.10 \[0, 0\.20\] %\) .* not told`, text)
	assert.Regexp(t, `blitz +0 of 4,800 \(< 0\.077 %\) +2\.00 \[2\.00, 2\.00\] ms +~ 1\.00 \[1\.00, 1\.00\]`, text)
	assert.Contains(t, loadText(r), "512 connections, kept alive; one sample of each target, 6 sections of 3.0 s in trouble and 6 with one endpoint dead.")
	for _, q := range Quantiles(r, r.Groups[0]) {
		assert.Equal(t, 6, q.Rounds)
	}

	r.Samples[0].Invalid = []string{"no request was due"}
	assert.Contains(t, Text(r), "blitz: 1 invalid sample(s) left out, the last because no request was due.")
}

// A result from before sections has its figures without intervals, and says so.
func TestChaosTablesWithoutSections(t *testing.T) {
	r := chaosResult(t, false, map[string][]byte{})
	require.NoError(t, r.Check())
	text := Text(r)
	assert.Contains(t, text, "This run kept no sections apart")
	assert.Regexp(t, `blitz +0 of 18,000 \(< 0\.021 %\) +1\.\d\d ms +1\d\.\d ms +0\.\d\d \(one pair\) +1\d\.\d ms +10\.8 *\n`, text)
	assert.Regexp(t, `nginx +9 of 18,000 \(0\.050 %\)`, text)
}

func spreadOf(x ...float64) stat.Spread { return stat.Describe(x, confidence) }

func TestPortions(t *testing.T) {
	for want, got := range map[string]string{
		"0 of 300,000 (< 0.0013 %)":                       portion(0, 300000, spreadOf(0, 0)),
		"5 of 5 (> 47 %)":                                 portion(5, 5, spreadOf(1, 1)),
		"1,000 of 1,000 (> 99.63 %)":                      portion(1000, 1000, spreadOf(1)),
		"3 of 1,000 (0.30 %)":                             portion(3, 1000, spreadOf(0.003)),
		"3 of 1,000 (0.30 [0.20, 0.40] %)":                portion(3, 1000, spreadOf(0.002, 0.004)),
		"9 of 1,000 (0.90 [0.20, 0.90] %)":                portion(9, 1000, spreadOf(0.002, 0.004)), // widened
		"150 of 300 (50 [0, 100] %)":                      portion(150, 300, spreadOf(0, 1)),
		"0 of 0":                                          portion(0, 0, spreadOf()),
		"32 of 32 (> 89 %)":                               exactly(32, 32),
		"16 of 32 (50 [32, 68] %)":                        exactly(16, 32),
		"1 of 1,000,000 (0.00010 [0.0000025, 0.00056] %)": exactly(1, 1000000),
	} {
		assert.Equal(t, want, got)
	}
}
