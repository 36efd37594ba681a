package telemetry

import (
	"bytes"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/proxy/exchange"
)

// twoWorkers is a sample with something in every kind of metric.
func twoWorkers() *Samples {
	s := &Samples{version: `v1 "quoted" \ and` + "\nbroken", started: time.Unix(1700000000, 250e6), workers: make([]workerSample, 2)}
	s.log = LogStats{Lines: 5, Dropped: 2}
	s.clusters = []ClusterSample{{Name: "api", Healthy: 1, Endpoints: []EndpointSample{{Name: "10.0.0.1:80", Healthy: true, Attempts: 3}, {Name: "10.0.0.2:80"}}}}
	s.certificates = []CertificateSample{{"edge", "a.test", time.Unix(2000, 0)}, {"edge", "b.test", time.Unix(500, 0)}, {"edge", "a.test", time.Unix(1000, 0)}}
	s.routeSeries, s.clusterSeries = []*Series{newSeries(OtherName), newSeries("r")}, []*Series{newSeries(OtherName)}
	for _, x := range append(s.routeSeries, s.clusterSeries...) {
		x.Count(200, BucketBound(2)-1, 1)
		x.Count(502, 1<<40, 0)
	}
	for i := range s.workers {
		w := &s.workers[i]
		w.engine = []string{"uring", "epoll"}[i]
		w.RequestsTotal = uint64(10 * (i + 1))
		w.RequestsActive = int64(i + 1)
		w.Loop.Turns = uint64(100 + i)
		w.Ended(200, 0, BucketBound(2))
		w.Ended(502, exchange.UpstreamConnectFailure, 1<<40)
	}
	// The codes of the workers are in different order.
	s.workers[0].DownstreamTLS.Failures.Add("bad_record_mac")
	s.workers[0].UpstreamTLS.Failures.Add("certificate_not_trusted")
	s.workers[0].Failed(exchange.ErrConnect)
	s.workers[0].Failed(exchange.ErrNoRoute)
	s.workers[1].Failed(exchange.ErrNoRoute)
	return s
}

func parse(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(text))
	require.NoError(t, err)
	return families
}

// value finds the series with these label values, in the order of the labels' names.
func value(t *testing.T, f *dto.MetricFamily, labels ...string) float64 {
	t.Helper()
	for _, m := range f.Metric {
		var got []string
		for _, l := range m.Label {
			got = append(got, l.GetValue())
		}
		if assert.ObjectsAreEqual(labels, got) {
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	t.Fatalf("%s has no series %q", f.GetName(), labels)
	return 0
}

func TestPrometheusReadsTheText(t *testing.T) {
	families := parse(t, AppendText(nil, twoWorkers()))
	require.Len(t, families, len(Table), "one family for each row of the table")
	for _, m := range Table {
		f := families[m.Name]
		require.NotNil(t, f, m.Name)
		assert.Equal(t, map[Kind]dto.MetricType{KindCounter: dto.MetricType_COUNTER, KindGauge: dto.MetricType_GAUGE, KindHistogram: dto.MetricType_HISTOGRAM}[m.Kind], f.GetType(), m.Name)
		assert.Equal(t, m.Help, f.GetHelp())
		for _, x := range f.Metric {
			assert.Len(t, x.Label, len(m.Labels), m.Name)
		}
	}
	assert.Equal(t, 30.0, value(t, families["blitz_requests_total"]))
	assert.Equal(t, 3.0, value(t, families["blitz_requests_active"]))
	assert.Equal(t, 2.0, value(t, families["blitz_responses_total"], "5xx"))
	assert.Equal(t, 0.0, value(t, families["blitz_responses_total"], "4xx"))
	assert.Equal(t, 2.0, value(t, families["blitz_response_flags_total"], "UF"))
	assert.Equal(t, 1.0, value(t, families["blitz_failures_total"], exchange.ErrConnect.Code))
	assert.Equal(t, 2.0, value(t, families["blitz_failures_total"], exchange.ErrNoRoute.Code))
	assert.Equal(t, 101.0, value(t, families["blitz_loop_turns_total"], "1"))
	assert.Equal(t, 1.0, value(t, families["blitz_worker_info"], "1", "epoll"))
	assert.Equal(t, 1700000000.25, value(t, families["blitz_start_time_seconds"]))
	assert.Equal(t, 2.0, value(t, families["blitz_access_log_dropped_total"]))
	assert.Equal(t, `v1 "quoted" \ and`+"\nbroken", families["blitz_build_info"].Metric[0].Label[0].GetValue())

	h := families["blitz_request_duration_seconds"].Metric[0].GetHistogram()
	assert.Equal(t, uint64(4), h.GetSampleCount())
	assert.InDelta(t, 2*float64(BucketBound(2)+1<<40)/1e9, h.GetSampleSum(), 1e-9)
	require.Len(t, h.Bucket, numBuckets+1)
	assert.Equal(t, uint64(0), h.Bucket[1].GetCumulativeCount())
	assert.Equal(t, uint64(2), h.Bucket[2].GetCumulativeCount())
	assert.Equal(t, float64(BucketBound(2))/1e9, h.Bucket[2].GetUpperBound())
	assert.Equal(t, uint64(2), h.Bucket[numBuckets-1].GetCumulativeCount())
	assert.Equal(t, uint64(4), h.Bucket[numBuckets].GetCumulativeCount())
}

func TestNoWorkersIsStillValid(t *testing.T) {
	assert.Equal(t, 0.0, value(t, parse(t, AppendText(nil, &Samples{}))["blitz_requests_total"]))
}

// However many endpoints there are, the number of series is bounded.
func TestEndpointsBeyondTheBoundAreSummedUp(t *testing.T) {
	s := &Samples{clusters: []ClusterSample{{Name: "big"}}}
	for i := range maxEndpointSeries + 10 {
		s.clusters[0].Endpoints = append(s.clusters[0].Endpoints, EndpointSample{Name: time.Duration(i).String(), Attempts: 2})
	}
	f := parse(t, AppendText(nil, s))["blitz_endpoint_attempts_total"]
	require.Len(t, f.Metric, maxEndpointSeries+1)
	require.EqualValues(t, 20, value(t, f, "big", "other"))
}
