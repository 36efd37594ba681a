package report

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
	"github.com/blitz-gateway/blitz/internal/hdr"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// speeds of three imaginary targets: requests per second, CPU µs, latency scale.
var speeds = []struct {
	name     string
	rps, cpu float64
	scale    float64
}{{"blitz", 240000, 4.1, 1}, {"nginx", 152000, 6.6, 1.6}, {"haproxy", 138000, 7.3, 1.9}}

func base(name, title string, edit func(*result.Result)) *result.Result {
	r := &result.Result{
		Run: result.Run{ID: "20260301T120000Z", Started: start, Finished: start.Add(time.Minute), Profile: "quick", Pairs: 6, Command: "go run ./cmd/blitzlab bench --seed 1", Revision: "abc"},
		Machine: result.Machine{Name: "vm-2core", Description: "two cores", Server: machine.CPUSet{0}, Load: machine.CPUSet{1}, Origin: machine.CPUSet{1}, Fingerprint: machine.Fingerprint{
			Hypervisor: "KVM", CPUModel: "AMD EPYC", CPUs: 2, MemoryBytes: 24 << 30, Kernel: "6.18", GoVersion: "go1.26",
			Mitigations: map[string]string{"spectre_v2": "Mitigation: Retpolines; STIBP: disabled; RSB filling; PBRSB-eIBRS: Not affected; BHI: Not affected"},
			Sysctls:     map[string]string{"net.core.somaxconn": "4096", "net.ipv4.tcp_rmem": "4096 131072 6291456"},
		}},
		Scenario: result.Scenario{Name: name, Title: title, About: "About " + name + ".", Connections: 64, WarmupSeconds: 0.2, SaturationSeconds: 0.7, RateSeconds: 0.6},
	}
	for _, s := range speeds {
		r.Targets = append(r.Targets, result.Target{Name: s.name, Version: s.name + " 1.0 <beta>", Command: []string{s.name, "-c", "x"}, HeadBytes: 100,
			Config: []result.File{{Name: s.name + ".conf", Text: "worker 1; # " + strings.Repeat("long line ", 20) + "\n<b>no markup</b>\n"}}, Notes: []string{"engine=uring"}})
	}
	edit(r)
	return r
}

// imagined are the results of fixture, made once: their histograms take longer than all else here, above all under the race detector.
var imagined []imaginary

type imaginary struct {
	*result.Result
	logs map[string][]byte
}

// fixture writes a whole set of results and reads them back, so that each test has its own.
func fixture(t *testing.T) []result.Stored {
	t.Helper()
	if imagined == nil {
		imagine(t)
	}
	root := t.TempDir()
	for _, r := range imagined {
		require.NoError(t, result.Write(filepath.Join(root, "2026-03-01", r.Machine.Name, r.Scenario.Name), r.Result, r.logs))
	}
	all, err := result.ReadAll(root)
	require.NoError(t, err)
	return all
}

func imagine(t *testing.T) {
	t.Helper()
	put := func(r *result.Result, logs map[string][]byte) { imagined = append(imagined, imaginary{r, logs}) }
	for _, s := range []struct{ name, title string }{{"h1-static", "HTTP/1.1, fixed answer"}, {"h1-proxy-1k", "HTTP/1.1, proxied, 1 KiB"}} {
		logs := map[string][]byte{}
		put(base(s.name, s.title, func(r *result.Result) { addLoad(t, r, logs) }), logs)
	}
	put(base("idle-10k", "10,000 idle connections", func(r *result.Result) {
		r.Scenario.Connections, r.Scenario.SaturationSeconds = 10000, 0
		for round := range 3 {
			for i, s := range speeds {
				m := int64(16+5*i) << 20
				r.Samples = append(r.Samples, result.Sample{Target: s.name, Phase: result.Idle, Round: round, Started: start, Idle: &result.Conn{
					Connections: 10000, Before: result.Memory{PSS: 6 << 20}, Memory: result.Memory{PSS: m + int64(round)<<12}, PerConnection: float64(m-6<<20) / 10000, IdleCPU: 10,
				}})
			}
		}
	}), nil)
	put(base("cold-start", "Cold start", func(r *result.Result) {
		r.Scenario.SaturationSeconds = 0
		for round := range 20 {
			for i, s := range speeds {
				r.Samples = append(r.Samples, result.Sample{Target: s.name, Phase: result.ColdStart, Round: round, Started: start, Cold: &result.Cold{
					Milliseconds: 7 + 8*float64(i) + float64(round%5)/5, CPUMillis: 5, Memory: result.Memory{PSS: 6 << 20},
				}})
			}
		}
	}), nil)
	put(reloadResult(6), nil)
	logs := map[string][]byte{}
	put(chaosResult(t, true, logs), logs)
}

func addLoad(t *testing.T, r *result.Result, logs map[string][]byte) {
	rng := rand.New(rand.NewPCG(4, 2))
	r.Scenario.Rates = []float64{20000, 69000}
	r.Scenario.Skipped = []string{"100000/s: more than 80 % of what the slowest target managed"}
	for _, rate := range append([]float64{0}, r.Scenario.Rates...) {
		ph, name := result.Saturation, "saturation"
		if rate > 0 {
			ph, name = result.FixedRate, fmt.Sprintf("rate-%.0f", rate)
		}
		for _, s := range speeds {
			all := hdr.New()
			var text bytes.Buffer
			w, err := hdr.NewLogWriter(&text, start)
			require.NoError(t, err)
			for round := range 6 {
				h := hdr.New()
				for range 3000 {
					h.Record(int64(50000 * s.scale * math.Exp(0.4*rng.NormFloat64()+math.Pow(rng.Float64(), 40)*3)))
				}
				all.Merge(h)
				require.NoError(t, w.Interval("response", start, start.Add(time.Second), h))
				n := int64(s.rps * (1 + 0.01*rng.NormFloat64()))
				l := &result.Load{WindowSeconds: 1, Responses: n, RPS: float64(n), ServerCPUSeconds: s.cpu * float64(n) / 1e6, ServerUse: 0.97, LoadUse: 0.8,
					Response: h.Summary(), Service: h.Summary(), Memory: result.Memory{PSS: 9 << 20}}
				l.ServerCPUMicros = l.ServerCPUSeconds * 1e6 / float64(n)
				r.Samples = append(r.Samples, result.Sample{Target: s.name, Phase: ph, Rate: rate, Round: round, Started: start, Load: l})
			}
			log, err := result.Compress(text.Bytes())
			require.NoError(t, err)
			file := s.name + "-" + name + ".hlog.gz"
			logs[file] = log
			r.Groups = append(r.Groups, result.Group{Target: s.name, Phase: ph, Rate: rate, Samples: 6, Response: all.Summary(), Service: all.Summary(), Log: file})
		}
	}
}

func TestTables(t *testing.T) {
	all := fixture(t)
	text := Text(byName(t, all, "h1-static"))
	assert.Regexp(t, `blitz +2\d\d,\d{3} \[2\d\d,\d{3}, 2\d\d,\d{3}\] +1\.5\d \[1\.5\d, 1\.\d\d\]`, text)
	assert.Regexp(t, `blitz .* 4\.10 .* 0\.62 \[0\.62, 0\.62\]`, text)
	assert.Contains(t, text, "At a fixed rate of 69,000 requests/s")
	assert.Contains(t, text, "p99.99 rests on fewer than ten")
	assert.Contains(t, text, "Not run: 100000/s")
	assert.Contains(t, Text(byName(t, all, "idle-10k")), "(75 % only)", "three pairs do not make 95 %")
	assert.Regexp(t, `blitz +7\.40 \[`, Text(byName(t, all, "cold-start")))
}

func byName(t *testing.T, all []result.Stored, name string) *result.Result {
	for _, s := range all {
		if s.Scenario.Name == name {
			return s.Result
		}
	}
	t.Fatal("no " + name)
	return nil
}

func TestDoubtIsShown(t *testing.T) {
	r := byName(t, fixture(t), "h1-static")
	for i := range r.Samples {
		if r.Samples[i].Target == "blitz" && r.Samples[i].Phase == result.Saturation {
			r.Samples[i].Load.ServerUse = 0.6
		}
		if r.Samples[i].Target == "haproxy" {
			r.Samples[i].Invalid = []string{"the generator was late"}
		}
	}
	text := Text(r)
	assert.Contains(t, text, "† blitz did not use its CPU up")
	assert.Contains(t, text, "haproxy: 6 invalid sample(s) left out, the last because the generator was late.")
	assert.Regexp(t, `haproxy +– +– +–`, text)

	assert.Equal(t, "1.50 [1.40, 1.60]", formatRatio(stat.Interval{Estimate: 1.5, Lo: 1.4, Hi: 1.6, Confidence: 0.96, N: 6}))
	assert.Equal(t, "~ 1.01 [0.90, 1.10]", formatRatio(stat.Interval{Estimate: 1.01, Lo: 0.9, Hi: 1.1, Confidence: 0.96, N: 6}))
	assert.Equal(t, "1.50 (one pair)", formatRatio(stat.Interval{Estimate: 1.5, Lo: 1.5, Hi: 1.5, N: 1, Short: true}))
}

func TestFormats(t *testing.T) {
	for in, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1234: "-1,234", 999.6: "1,000"} {
		assert.Equal(t, want, group(in))
	}
	for in, want := range map[int64]string{5: "5.00 ns", 4100: "4.10 µs", 41500: "41.5 µs", 999000: "999 µs", 1230000: "1.23 ms", 2e9: "2.00 s"} {
		assert.Equal(t, want, nanos(in))
	}
	for _, c := range [][2]float64{{0, 250000}, {0, 7.3}, {0, 0.02}, {0, 1}, {0, 31.5e6}} {
		ticks := plainTicks(c[0], c[1])
		assert.GreaterOrEqual(t, len(ticks), 3, c)
		assert.LessOrEqual(t, len(ticks), 8, c)
		seen := map[string]bool{}
		for _, k := range ticks {
			assert.False(t, seen[k.Label], "label %s twice in %v", k.Label, c)
			seen[k.Label] = true
		}
	}
	assert.Nil(t, plainTicks(1, 1))
}

func TestLatestKeepsTheNewestOfEachScenario(t *testing.T) {
	mk := func(id, m, s string) result.Stored {
		return result.Stored{Result: &result.Result{Run: result.Run{ID: id}, Machine: result.Machine{Name: m}, Scenario: result.Scenario{Name: s}}}
	}
	var got []string
	for _, s := range Latest([]result.Stored{mk("1", "b", "cold-start"), mk("3", "a", "zz"), mk("2", "b", "h1-static"), mk("4", "b", "cold-start"), mk("1", "a", "h1-churn")}) {
		got = append(got, s.Machine.Name+" "+s.Scenario.Name+" "+s.Run.ID)
	}
	assert.Equal(t, []string{"a h1-churn 1", "a zz 3", "b h1-static 2", "b cold-start 4"}, got)
}

func TestDocumentsAreCompleteAndAlwaysTheSame(t *testing.T) {
	all := fixture(t)
	md, err := Markdown(all)
	require.NoError(t, err)
	page, err := HTML(all, trends)
	require.NoError(t, err)
	again, err := Markdown(all)
	require.NoError(t, err)
	require.Equal(t, string(md), string(again))
	pageAgain, err := HTML(all, trends)
	require.NoError(t, err)
	require.True(t, bytes.Equal(page, pageAgain))
	for _, doc := range []string{string(md), string(page)} {
		first := strings.Index(doc, "ABBA")
		if first < 0 {
			first = strings.Index(doc, "A B B A")
		}
		require.Positive(t, first, "the method")
		limits, results := strings.Index(doc, "All traffic is loopback"), strings.Index(doc, "At saturation (closed loop)")
		assert.Less(t, first, limits)
		assert.Less(t, limits, results, "method and limitations come before the tables")
		assert.Less(t, strings.Index(doc, "not hardware figures"), strings.Index(doc, "h1-static"), "and the limitation that matters most before any figure")
		for _, want := range []string{"virtual machine (KVM)", "nginx.conf", "worker 1;", "go run ./cmd/blitzlab bench --seed 1", "cold-start", "idle-10k", "engine=uring"} {
			assert.Contains(t, doc, want)
		}
	}
	html := string(page)
	assert.Equal(t, 18, strings.Count(html, `<svg class="plot"`), "15 of scenarios and memory of two, and one of the history")
	assert.NotContains(t, html, "<b>no markup</b>", "configurations are text")
	assert.Regexp(t, regexp.MustCompile(`href="2026-03-01/vm-2core/h1-static/blitz-rate-20000.hlog.gz"`), html)
	for _, external := range []string{"<script", "<link", "<img", "@import", "url("} {
		assert.NotContains(t, html, external, "the page stands alone")
	}
}

func TestForcedRunsAreMarked(t *testing.T) {
	all := fixture(t)
	all[0].Run.Forced, all[0].Run.Unfit = true, []string{"load: CPU 0 is 90 % busy"}
	md, err := Markdown(all)
	require.NoError(t, err)
	assert.Contains(t, string(md), "**Warning.** Run 20260301T120000Z was forced")
	page, err := HTML(all, trends)
	require.NoError(t, err)
	assert.Contains(t, string(page), `class="alarm"`)
}

func TestDamagedIntervalLogStopsTheReport(t *testing.T) {
	all := fixture(t)
	for _, s := range all {
		if s.Scenario.Name == "h1-static" {
			require.NoError(t, os.WriteFile(filepath.Join(s.Dir, "blitz-rate-20000.hlog.gz"), []byte("x"), 0o644))
		}
	}
	_, err := HTML(all, trends)
	assert.ErrorContains(t, err, "damaged")
}

// COMPARISON.md must be what the committed results say.
func TestComparisonIsNotStale(t *testing.T) {
	all, err := Committed()
	require.NoError(t, err)
	want, err := Markdown(all)
	require.NoError(t, err)
	got, err := os.ReadFile("../../COMPARISON.md")
	require.NoError(t, err)
	assert.True(t, bytes.Equal(want, got), "run `go run ./cmd/blitzlab report` and commit COMPARISON.md with the results")
}
