package result

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/blitz-gateway/blitz/internal/hdr"
)

// FileName of a result in its directory.
const FileName = "result.json"

// What the reader takes in at most: results are meant to live in git.
const (
	maxJSON = 16 << 20
	maxLog  = 64 << 20 // decompressed
)

type envelope struct {
	Schema string          `json:"schema"`
	SHA256 string          `json:"sha256"`
	Result json.RawMessage `json:"result"`
}

// Encode renders the file. A result that contradicts itself is not written.
func Encode(r *Result) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	b, err := json.MarshalIndent(envelope{Schema, digest(body), body}, "", " ")
	if err != nil {
		return nil, err
	}
	return append(b, '\n'), nil
}

// Decode reads a file and believes it only if it is whole, of this version, unedited and consistent.
func Decode(b []byte) (*Result, error) {
	var e envelope
	dec := json.NewDecoder(bytes.NewReader(b))
	if err := dec.Decode(&e); err != nil {
		return nil, fmt.Errorf("not whole JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the result")
	}
	switch {
	case e.Schema == "":
		return nil, errors.New("has no schema")
	case e.Schema != Schema && !slices.Contains(before, e.Schema):
		return nil, fmt.Errorf("schema is %q, this reader knows %q", e.Schema, Schema)
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, e.Result); err != nil {
		return nil, err
	}
	if got := digest(compact.Bytes()); got != e.SHA256 {
		return nil, errors.New("the digest does not fit: the file is damaged or was edited")
	}
	r := &Result{}
	dec = json.NewDecoder(bytes.NewReader(e.Result))
	dec.DisallowUnknownFields()
	if err := dec.Decode(r); err != nil {
		return nil, err
	}
	return r, r.Check()
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Write stores the result and its interval logs (by name) in dir. The directory appears under its name only when it is whole; an older one is
// replaced.
func Write(dir string, r *Result, logs map[string][]byte) error {
	for i := range r.Groups {
		g := &r.Groups[i]
		b, ok := logs[g.Log]
		if !ok {
			return fmt.Errorf("no interval log %s", g.Log)
		}
		g.SHA256 = digest(b)
	}
	b, err := Encode(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+".*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(tmp, FileName), b, 0o644); err != nil {
		return err
	}
	for name, log := range logs {
		if err := os.WriteFile(filepath.Join(tmp, name), log, 0o644); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(tmp, dir)
}

// Read reads the result in dir, checks each interval log's digest, and that the percentiles follow from the logs. The error names the file.
func Read(dir string) (*Result, error) {
	path := filepath.Join(dir, FileName)
	b, err := readAtMost(path, maxJSON)
	if err != nil {
		return nil, err
	}
	r, err := Decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, g := range r.Groups {
		ivs, err := Intervals(dir, g)
		if err != nil {
			return nil, err
		}
		if err := follows(g, ivs); err != nil {
			return nil, fmt.Errorf("%s: group %s %s %v: %w", path, g.Target, g.Phase, g.Rate, err)
		}
		if err := sectionsFollow(r, g, ivs); err != nil {
			return nil, fmt.Errorf("%s: group %s %s %v: %w", path, g.Target, g.Phase, g.Rate, err)
		}
	}
	return r, nil
}

// follows tells whether a group's percentiles are those of its interval log: who edits a figure and mends the digest has not mended the histograms.
func follows(g Group, ivs []hdr.Interval) error {
	merged := hdr.New()
	for _, iv := range ivs {
		if iv.Tag == "response" {
			merged.Merge(iv.Histogram)
		}
	}
	want, got := merged.Summary(), g.Response
	if want.Count != got.Count || want.P50 != got.P50 || want.P90 != got.P90 || want.P99 != got.P99 || want.P999 != got.P999 || want.P9999 != got.P9999 || want.Max != got.Max {
		return errors.New("its response times are not those of its interval log: one of the two was edited")
	}
	return nil
}

// sectionsFollow tells whether the response times of the sections of a group's samples are those of its interval log too.
func sectionsFollow(r *Result, g Group, ivs []hdr.Interval) error {
	var parts []Part
	for _, s := range r.Samples {
		if s.Target == g.Target && s.Phase == g.Phase && s.Rate == g.Rate && s.Valid() && s.Chaos != nil {
			for _, x := range s.Chaos.Sections {
				parts = append(parts, x.Part)
			}
		}
	}
	if len(parts) == 0 {
		return nil
	}
	n := 0
	for _, iv := range ivs {
		if iv.Tag != "response" {
			continue
		}
		if n < len(parts) {
			want, got := iv.Histogram.Summary(), parts[n].Response
			if want.Count != got.Count || want.P50 != got.P50 || want.P90 != got.P90 || want.P99 != got.P99 || want.P999 != got.P999 || want.Max != got.Max {
				return fmt.Errorf("the response times of section %d are not those of the interval log: one of the two was edited", n+1)
			}
		}
		n++
	}
	if n != len(parts) {
		return fmt.Errorf("%d sections, %d intervals in the log", len(parts), n)
	}
	return nil
}

func readAtMost(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: larger than %d bytes", path, most)
	}
	return b, err
}

func readLog(dir string, g Group) ([]byte, error) {
	if g.Log != filepath.Base(g.Log) || strings.HasPrefix(g.Log, ".") {
		return nil, fmt.Errorf("%s: interval log %q lies outside", dir, g.Log)
	}
	path := filepath.Join(dir, g.Log)
	b, err := readAtMost(path, maxJSON)
	if err != nil {
		return nil, err
	}
	if digest(b) != g.SHA256 {
		return nil, fmt.Errorf("%s: the digest does not fit: the file is damaged or was edited", path)
	}
	return b, nil
}

// Intervals reads a group's interval log.
func Intervals(dir string, g Group) ([]hdr.Interval, error) {
	b, err := readLog(dir, g)
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", g.Log, err)
	}
	return hdr.ReadLog(io.LimitReader(z, maxLog))
}

// Compress is gzip without a name or time in its header, so that equal logs are equal files.
func Compress(b []byte) ([]byte, error) {
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := z.Write(b); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Stored is a result with the directory it lies in, and that directory relative to the root of all results, with slashes.
type Stored struct {
	Dir, Rel string
	*Result
}

// ReadAll reads every result below root, in the order of their paths. The first one that cannot be believed is an error: a report over what
// happens to be readable would not say what it left out. A root that does not exist holds none.
func ReadAll(root string) ([]Stored, error) {
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var out []Stored
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() != FileName {
			return err
		}
		// A directory that starts with a dot is a result that was never finished.
		if strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".") {
			return nil
		}
		r, err := Read(filepath.Dir(path))
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		out = append(out, Stored{filepath.Dir(path), filepath.ToSlash(rel), r})
		return nil
	})
	return out, err
}
