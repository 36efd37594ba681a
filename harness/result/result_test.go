package result

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

// sample result with one group and its log.
func example(t *testing.T) (*Result, map[string][]byte) {
	h := hdr.New()
	for i := int64(1); i <= 1000; i++ {
		h.Record(i * 1000)
	}
	start := time.Unix(1_700_000_000, 0).UTC()
	var text bytes.Buffer
	w, err := hdr.NewLogWriter(&text, start)
	require.NoError(t, err)
	require.NoError(t, w.Interval("response", start, start.Add(time.Second), h))
	log, err := Compress(text.Bytes())
	require.NoError(t, err)
	r := &Result{
		Run:      Run{ID: "20231114T221320Z", Started: start, Finished: start.Add(time.Minute), Profile: "quick", Pairs: 1, Command: "a <b> & c"},
		Machine:  Machine{Name: "vm-2core"},
		Scenario: Scenario{Name: "h1-static"},
		Targets:  []Target{{Name: "blitz", Config: []File{{"c.yaml", "workers: {count: 1}\n"}}}},
		Samples: []Sample{
			{Target: "blitz", Phase: Saturation, Started: start, Load: &Load{
				WindowSeconds: 0.7, Responses: 1000, RPS: 1000 / 0.7, ServerCPUSeconds: 0.004, ServerCPUMicros: 4, Response: h.Summary(), Service: h.Summary(),
			}},
			{Target: "blitz", Phase: Saturation, Started: start, Invalid: []string{"late"}},
		},
		Groups: []Group{{Target: "blitz", Phase: Saturation, Samples: 1, Response: h.Summary(), Log: "blitz-saturation.hlog.gz"}},
	}
	return r, map[string][]byte{"blitz-saturation.hlog.gz": log}
}

func stored(t *testing.T) (dir string, r *Result) {
	r, logs := example(t)
	dir = filepath.Join(t.TempDir(), "2023-11-14", "vm-2core", "h1-static")
	require.NoError(t, Write(dir, r, logs))
	return dir, r
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	dir, want := stored(t)
	got, err := Read(dir)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	ivs, err := Intervals(dir, got.Groups[0])
	require.NoError(t, err)
	require.Len(t, ivs, 1)
	assert.Equal(t, got.Groups[0].Response, ivs[0].Summary())

	root := filepath.Dir(filepath.Dir(filepath.Dir(dir)))
	all, err := ReadAll(root)
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.Equal(t, "2023-11-14/vm-2core/h1-static", all[0].Rel)

	// Writing again replaces the whole directory and leaves nothing else.
	r, logs := example(t)
	require.NoError(t, Write(dir, r, logs))
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	assert.Len(t, left, 1)
	none, err := ReadAll(filepath.Join(root, "missing"))
	require.NoError(t, err)
	assert.Empty(t, none)
}

// Cut at every byte the file is refused; only the line break at its end may be missing.
func TestTruncatedFilesAreRefused(t *testing.T) {
	r, _ := example(t)
	b, err := Encode(r)
	require.NoError(t, err)
	for n := range len(b) - 1 {
		_, err := Decode(b[:n])
		require.Error(t, err, "cut at %d", n)
	}
	_, err = Decode(b[:len(b)-1])
	require.NoError(t, err)
	_, err = Decode(append(b, '{'))
	require.ErrorContains(t, err, "follows")
}

func TestEditedAndFutureFilesAreRefused(t *testing.T) {
	r, _ := example(t)
	b, err := Encode(r)
	require.NoError(t, err)
	for name, c := range map[string]struct{ old, with, want string }{
		"future":        {`"` + Schema + `"`, `"blitz.result/99"`, `reader knows "` + Schema + `"`},
		"no schema":     {`"schema": "` + Schema + `",`, ``, "no schema"},
		"edited figure": {`"responses": 1000`, `"responses": 1001`, "edited"},
		"edited name":   {`"vm-2core"`, `"epyc"`, "edited"},
		"edited digest": {`"sha256": "`, `"sha256": "0`, "edited"},
		"space in text": {`late`, `la te`, "edited"},
	} {
		text := strings.Replace(string(b), c.old, c.with, 1)
		require.NotEqual(t, string(b), text, name)
		_, err := Decode([]byte(text))
		assert.ErrorContains(t, err, c.want, name)
	}
	// Layout is no content.
	var any json.RawMessage = b
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, any))
	_, err = Decode(compact.Bytes())
	require.NoError(t, err)
}

// Results of earlier versions, which lack what came since, are read as they are.
func TestTheSchemaBeforeIsRead(t *testing.T) {
	r, _ := example(t)
	b, err := Encode(r)
	require.NoError(t, err)
	for _, schema := range before {
		old, err := Decode([]byte(strings.Replace(string(b), Schema, schema, 1)))
		require.NoError(t, err)
		assert.Equal(t, r, old)
	}
}

// A field that this version does not know is refused even with a right digest: dropping it silently would change the result.
func TestUnknownFieldsAreRefused(t *testing.T) {
	body := []byte(`{"run":{"id":"x","mood":"good"}}`)
	b, err := json.Marshal(envelope{Schema, digest(body), body})
	require.NoError(t, err)
	_, err = Decode(b)
	assert.ErrorContains(t, err, "mood")
}

func TestContradictionsAreNotWritten(t *testing.T) {
	for want, spoil := range map[string]func(*Result){
		"named":           func(r *Result) { r.Machine.Name = "" },
		"finished before": func(r *Result) { r.Run.Finished = r.Run.Started.Add(-1) },
		"there twice":     func(r *Result) { r.Targets = append(r.Targets, r.Targets[0]) },
		"configuration":   func(r *Result) { r.Targets[0].Config = nil },
		"unknown target":  func(r *Result) { r.Samples[0].Target = "x" },
		"unknown phase":   func(r *Result) { r.Samples[0].Phase = "x" },
		"1 workers":       func(r *Result) { r.Samples[0].Workers = 1 },
		"0 workers":       func(r *Result) { r.Samples[0].Phase = Scaling },
		"of its phase":    func(r *Result) { r.Samples[0].Load = nil },
		"rps":             func(r *Result) { r.Samples[0].Load.RPS *= 1.0001 },
		"CPU per request": func(r *Result) { r.Samples[0].Load.ServerCPUMicros = 3 },
		"merges 2":        func(r *Result) { r.Groups[0].Samples = 2 },
		"group of":        func(r *Result) { r.Groups[0].Target = "x" },
	} {
		r, _ := example(t)
		spoil(r)
		_, err := Encode(r)
		assert.ErrorContains(t, err, want)
	}
	r, _ := example(t)
	assert.ErrorContains(t, Write(filepath.Join(t.TempDir(), "x"), r, nil), "no interval log")
}

// An edit whose author computed the digest anew contradicts the interval log still.
func TestEditsWithAMendedDigestAreRefused(t *testing.T) {
	dir, r := stored(t)
	r.Groups[0].Response.P99 /= 2
	b, err := Encode(r)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), b, 0o644))
	_, err = Read(dir)
	assert.ErrorContains(t, err, "not those of its interval log")
}

func TestDamagedLogsAreRefused(t *testing.T) {
	dir, r := stored(t)
	log := filepath.Join(dir, r.Groups[0].Log)
	b, err := os.ReadFile(log)
	require.NoError(t, err)
	b[len(b)/2] ^= 1
	require.NoError(t, os.WriteFile(log, b, 0o644))
	_, err = Read(dir)
	assert.ErrorContains(t, err, "damaged")
	require.NoError(t, os.Remove(log))
	_, err = Read(dir)
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = ReadAll(filepath.Dir(dir))
	assert.Error(t, err, "one bad result spoils the report, it is not skipped")
	_, err = readLog(dir, Group{Log: "../x"})
	assert.ErrorContains(t, err, "outside")
}

// A result that was being written when the power went out lies in a directory with a dot and is no result.
func TestUnfinishedResultsAreLeftOut(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, ".h1-static.123")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, FileName), []byte("{"), 0o644))
	all, err := ReadAll(root)
	require.NoError(t, err)
	assert.Empty(t, all)
}
