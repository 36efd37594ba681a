package runfmt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// SearchSchema names this version of the record of a search for the highest rate that holds an objective.
const SearchSchema = "blitz.search/1"

// Search is the record of `blitzload find`.
type Search struct {
	Schema    string    `json:"schema"`
	Generator Generator `json:"generator"`
	Command   []string  `json:"command,omitempty"`
	Params    Params    `json:"params"`
	Start     time.Time `json:"start"`
	// Objective as it was asked for, such as "p99<1ms,errors<0.1%".
	Objective string `json:"objective"`
	// Rate is the highest rate, requests per second, that held in Confirmed loads in a row; 0 if none did. FailedAt is the lowest one above it that did
	// not hold; 0 if none was found. What can be sustained lies between the two.
	Rate      float64 `json:"rate"`
	FailedAt  float64 `json:"failed_at"`
	Confirmed int     `json:"confirmed"`
	// Complete: the two are as close together as was asked for. Otherwise Reason says why the search ended.
	Complete bool   `json:"complete"`
	Reason   string `json:"reason,omitempty"`
	// GeneratorLimited: at FailedAt it was the generator that could not keep its schedule, so that Rate is a lower bound.
	GeneratorLimited bool `json:"generator_limited,omitempty"`
	// Probes in the order in which they were run.
	Probes []Probe `json:"probes"`
}

// Probe is one load at one rate.
type Probe struct {
	Rate     float64 `json:"rate"`
	Seconds  float64 `json:"seconds"`
	Achieved float64 `json:"achieved_rate"`
	Requests int64   `json:"requests"`
	Lost     int64   `json:"lost"` // without a response
	Errors   int64   `json:"errors"`
	P50      int64   `json:"p50_ns"`
	P99      int64   `json:"p99_ns"`
	P999     int64   `json:"p99_9_ns"`
	Max      int64   `json:"max_ns"`
	Lateness int64   `json:"generator_lateness_p99_ns"`
	Held     bool    `json:"held"`
	// Why it did not hold; empty exactly if it did. Generator: the generator was the reason.
	Why       []string `json:"why,omitempty"`
	Generator bool     `json:"generator,omitempty"`
}

// Check tells why the record cannot be true; nil if it is consistent.
func (s *Search) Check() error {
	switch {
	case s.Schema != SearchSchema:
		return fmt.Errorf("schema is %q, this reader knows %q", s.Schema, SearchSchema)
	case s.Objective == "":
		return errors.New("objective is empty")
	case s.Rate < 0 || s.FailedAt < 0 || s.FailedAt > 0 && s.FailedAt <= s.Rate:
		return fmt.Errorf("rate %v held and %v did not", s.Rate, s.FailedAt)
	case s.Complete == (s.Reason != ""):
		return fmt.Errorf("complete is %v with reason %q", s.Complete, s.Reason)
	}
	held := 0
	for i, p := range s.Probes {
		if p.Held != (len(p.Why) == 0) || !(p.Rate > 0) {
			return fmt.Errorf("probe %d at %v held: %v, with %d reasons against", i, p.Rate, p.Held, len(p.Why))
		}
		if p.Rate == s.Rate && p.Held {
			held++
		}
	}
	if s.Rate > 0 && (s.Confirmed < 1 || held < s.Confirmed) {
		return fmt.Errorf("rate %v is confirmed %d times, %d probes say so", s.Rate, s.Confirmed, held)
	}
	return nil
}

// WriteSearch writes the record to a file, which appears under its name only when it is whole.
func WriteSearch(path string, s *Search) error {
	if err := s.Check(); err != nil {
		return fmt.Errorf("search record: %w", err)
	}
	b, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.WriteFile(tmp, append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// ReadSearch reads a record and believes it only if it is whole, of a known schema, and consistent.
func ReadSearch(path string) (*Search, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	s := &Search{}
	if err := dec.Decode(s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := s.Check(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}
