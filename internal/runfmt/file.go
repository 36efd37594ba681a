package runfmt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFile bounds what Read takes in: three embedded histograms make a few hundred KiB at most.
const maxFile = 16 << 20

// Write writes the record as indented JSON. A record that contradicts itself is not written.
func Write(w io.Writer, r *Record) error {
	if err := r.Check(); err != nil {
		return fmt.Errorf("run record: %w", err)
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("run record: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// WriteFile writes the record to a file, which appears under its name only when it is whole.
func WriteFile(path string, r *Record) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err = Write(f, r); err != nil {
		_ = f.Close()
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Read reads one record and believes it only if it is whole, of a known schema, and consistent (see Record.Check).
func Read(rd io.Reader) (*Record, error) {
	b, err := io.ReadAll(io.LimitReader(rd, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("run record: %w", err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("run record: larger than %d bytes", maxFile)
	}
	// The schema first: a newer file should be called newer, not malformed.
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, fmt.Errorf("run record: not whole JSON: %w", err)
	}
	if head.Schema == nil {
		return nil, fmt.Errorf("run record: has no schema")
	}
	if *head.Schema != Schema {
		return nil, fmt.Errorf("run record: schema is %q, this reader knows %q", *head.Schema, Schema)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	r := &Record{}
	if err := dec.Decode(r); err != nil {
		return nil, fmt.Errorf("run record: %w", err)
	}
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("run record: %w", err)
	}
	return r, nil
}

// ReadFile reads a record from a file; the error names the file.
func ReadFile(path string) (*Record, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	r, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}
