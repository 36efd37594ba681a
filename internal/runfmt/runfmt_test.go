package runfmt

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

func sample(t *testing.T) *Record {
	t.Helper()
	resp, serv, late := hdr.New(), hdr.New(), hdr.New()
	for i := range int64(90) {
		serv.Record(1_000_000 + i*1000)
		resp.Record(1_100_000 + i*1500)
		late.Record(i * 10)
	}
	r := &Record{
		Schema:          Schema,
		Generator:       Generator{Name: "blitzload", Version: "test", GoVersion: "go1.26", OS: "linux", Arch: "amd64", Engine: "epoll"},
		Command:         []string{"blitzload", "run"},
		Params:          Params{URL: "http://127.0.0.1:1/", Targets: 1, Method: "GET", Protocol: "h1", Mode: Open, OfferedRate: 50, Connections: 4, Threads: 1, Engine: "auto", DurationSeconds: 2, ExpectBodySize: -1},
		Start:           time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		MeasuredSeconds: 2,
		Counts: Counts{
			Requests: 100, Sent: 97, Completed: 90, Unsent: 1, Unanswered: 1, InWindow: 88,
			ByCode: map[string]int64{"200": 80, "204": 5, "503": 5}, ByClass: map[string]int64{"2xx": 85, "5xx": 5},
			BytesSent: 9700, BytesReceived: 20_000, BodyBytes: 9_000,
		},
		AchievedRate: 44,
		Errors:       Errors{Connect: 2, Timeout: 3, Reset: 2, Protocol: 1, Status: 5, Samples: []string{"connect: refused"}},
		Connections:  Connections{Opened: 12, Failed: 2, ClosedByServer: 1},
		Cost:         Cost{CPUUserSeconds: 0.1, CPUSystemSeconds: 0.12, CPUMicrosPerRequest: 2500, MaxBacklog: 3},
		Validity:     Validity{Valid: false, Reasons: []string{"too few answers"}},
	}
	var err error
	r.Latency.Response, err = NewSeries(resp)
	require.NoError(t, err)
	r.Latency.Service, err = NewSeries(serv)
	require.NoError(t, err)
	r.Cost.Lateness, err = NewSeries(late)
	require.NoError(t, err)
	return r
}

func encode(t *testing.T, r *Record) []byte {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, Write(&buf, r))
	return buf.Bytes()
}

func TestRoundTrip(t *testing.T) {
	want := sample(t)
	path := filepath.Join(t.TempDir(), "run.json")
	require.NoError(t, WriteFile(path, want))
	got, err := ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, want, got)
	h, err := got.Latency.Response.Decode()
	require.NoError(t, err)
	require.EqualValues(t, 90, h.Count())

	names, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, names, 1, "no temporary file is left")
}

func TestTruncatedAtEveryByteIsRefused(t *testing.T) {
	b := bytes.TrimRight(encode(t, sample(t)), "\n")
	step := 1
	if testing.Short() {
		step = 37
	}
	for n := 0; n < len(b); n += step {
		_, err := Read(bytes.NewReader(b[:n]))
		require.Error(t, err, "cut at %d of %d", n, len(b))
	}
	_, err := Read(bytes.NewReader(append(b, b...)))
	require.Error(t, err, "two records in one file")
}

func TestRefusedFilesSayWhy(t *testing.T) {
	base := string(encode(t, sample(t)))
	replace := func(old, new string) string {
		require.Contains(t, base, old)
		return strings.Replace(base, old, new, 1)
	}
	tests := []struct{ name, file, want string }{
		{"newer schema", replace(`"blitz.run/2"`, `"blitz.run/3"`), `schema is "blitz.run/3", this reader knows "blitz.run/2"`},
		{"no schema", replace(`"schema"`, `"scheme"`), "has no schema"},
		{"unknown field", replace(`"measured_seconds"`, `"hacked": 1, "measured_seconds"`), "hacked"},
		{"wrong type", replace(`"connections": 4`, `"connections": "4"`), "connections"},
		{"p99 edited", replace(`"p99_ns": `, `"p99_ns": 1`), "p99_ns is 1"},
		{"completed edited", replace(`"completed": 90`, `"completed": 91`), "counts.requests is 100"},
		{"code edited", replace(`"200": 80`, `"200": 79`), "counts.by_code sums to 89"},
		{"class edited", replace(`"2xx": 85`, `"2xx": 86`), "counts.by_class says 86 for 2xx"},
		{"sent edited", replace(`"sent": 97`, `"sent": 96`), "counts.sent is 96"},
		{"rate edited", replace(`"achieved_rate": 44`, `"achieved_rate": 50`), "achieved_rate is 50"},
		{"cost edited", replace(`"cpu_us_per_request": 2500`, `"cpu_us_per_request": 2.5`), "cpu_us_per_request is 2.5"},
		{"made valid", replace(`"valid": false`, `"valid": true`), "validity.valid is true with 1 reasons"},
		{"negative", replace(`"unsolicited": 0`, `"unsolicited": -1`), "connections.unsolicited is negative"},
		{"status beyond completed", replace(`"status": 5`, `"status": 95`), "errors.status is 95"},
		{"histogram broken", replace(`"histogram": "HISTFAAAA`, `"histogram": "HISTFBBBB`), "latency.response: histogram is corrupt"},
		{"mode", replace(`"mode": "open"`, `"mode": "ajar"`), `params.mode is "ajar"`},
		{"not JSON", "hello", "not whole JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Read(strings.NewReader(tt.file))
			require.ErrorContains(t, err, tt.want)
		})
	}
}

func TestContradictionIsNotWritten(t *testing.T) {
	for name, edit := range map[string]func(*Record){
		"interrupted yet valid": func(r *Record) { r.Interrupted, r.Validity = true, Validity{Valid: true} },
		"closed with a rate":    func(r *Record) { r.Params.Mode = Closed },
		"no window":             func(r *Record) { r.MeasuredSeconds = 0 },
		"no start":              func(r *Record) { r.Start = time.Time{} },
		"swapped histograms":    func(r *Record) { r.Latency.Service.Histogram = r.Cost.Lateness.Histogram },
	} {
		t.Run(name, func(t *testing.T) {
			r := sample(t)
			edit(r)
			dir := t.TempDir()
			require.Error(t, WriteFile(filepath.Join(dir, "x.json"), r))
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// The field names are what other programs read; renaming one needs a new schema version.
func TestFieldNamesAreStable(t *testing.T) {
	var m map[string]any
	require.NoError(t, json.Unmarshal(encode(t, sample(t)), &m))
	lat := m["latency"].(map[string]any)["response"].(map[string]any)
	for _, k := range []string{"count", "min_ns", "mean_ns", "stdev_ns", "p50_ns", "p75_ns", "p90_ns", "p99_ns", "p99_9_ns", "p99_99_ns", "max_ns", "histogram"} {
		require.Contains(t, lat, k)
	}
	for _, k := range []string{"schema", "generator", "params", "start", "measured_seconds", "counts", "achieved_rate", "errors", "connections", "latency", "cost", "validity"} {
		require.Contains(t, m, k)
	}
}
