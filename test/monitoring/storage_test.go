package monitoring

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// interval between two scrapes, in Prometheus' time: nobody waits for it.
const interval = 15 * time.Second

// memory is what Prometheus would have stored.
type memory struct {
	t      *testing.T
	engine *promql.Engine
	now    time.Time
	series map[string]*stored
}

type stored struct {
	labels  labels.Labels
	samples []chunks.Sample
}

func newMemory(t *testing.T) *memory {
	return &memory{t: t, now: time.Now(), series: map[string]*stored{},
		engine: promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{})})}
}

// scrape stores what the gateway says, an interval after the last time, and whether it answered.
func (m *memory) scrape(text string, up float64) {
	m.t.Helper()
	m.now = m.now.Add(interval)
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		m.t.Fatal(err)
	}
	vector, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{Timestamp: model.TimeFromUnixNano(m.now.UnixNano())}, valuesOf(families)...)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, s := range vector {
		b := labels.NewScratchBuilder(len(s.Metric) + 2)
		for name, value := range s.Metric {
			b.Add(string(name), string(value))
		}
		m.add(&b, float64(s.Value))
	}
	b := labels.NewScratchBuilder(3)
	b.Add("__name__", "up")
	m.add(&b, up)
}

func valuesOf[T any](by map[string]T) []T {
	var out []T
	for _, f := range by {
		out = append(out, f)
	}
	return out
}

func (m *memory) add(b *labels.ScratchBuilder, v float64) {
	b.Add("job", "blitz")
	b.Add("instance", "gateway:9901")
	b.Sort()
	l := b.Labels()
	s := m.series[l.String()]
	if s == nil {
		s = &stored{labels: l}
		m.series[l.String()] = s
	}
	s.samples = append(s.samples, sample{m.now.UnixMilli(), v})
}

// query evaluates an expression now.
func (m *memory) query(expr string) promql.Vector {
	m.t.Helper()
	q, err := m.engine.NewInstantQuery(context.Background(), m, nil, expr, m.now)
	if err != nil {
		m.t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	r := q.Exec(context.Background())
	v, err := r.Vector()
	if err != nil {
		m.t.Fatalf("%s: %v", expr, err)
	}
	for _, w := range r.Warnings {
		m.t.Errorf("%s: %v", expr, w)
	}
	return slices.Clone(v)
}

// Querier implements storage.Queryable.
func (m *memory) Querier(mint, maxt int64) (storage.Querier, error) { return querier{m}, nil }

type querier struct{ m *memory }

func (q querier) Select(_ context.Context, _ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	var found []storage.Series
	for _, s := range q.m.series {
		if !slices.ContainsFunc(matchers, func(m *labels.Matcher) bool { return !m.Matches(s.labels.Get(m.Name)) }) {
			found = append(found, storage.NewListSeries(s.labels, s.samples))
		}
	}
	slices.SortFunc(found, func(a, b storage.Series) int { return labels.Compare(a.Labels(), b.Labels()) })
	return &set{found: found, at: -1}
}

func (q querier) LabelValues(context.Context, string, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (q querier) LabelNames(context.Context, *storage.LabelHints, ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	return nil, nil, nil
}

func (q querier) Close() error { return nil }

type set struct {
	found []storage.Series
	at    int
}

func (s *set) Next() bool                        { s.at++; return s.at < len(s.found) }
func (s *set) At() storage.Series                { return s.found[s.at] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

// sample implements chunks.Sample for a number.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
