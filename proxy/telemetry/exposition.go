package telemetry

import (
	"slices"
	"strconv"
	"strings"
)

// ContentType is the media type of AppendText, Prometheus text format 0.0.4.
const ContentType = "text/plain; version=0.0.4; charset=utf-8"

// series is one line of a metric in the making.
type series struct {
	labels []string
	value  float64
}

// AppendText appends all metrics in the text format of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/). The format is written here because the client library would add several
// milliseconds of package initialisation to a start that has fifteen.
func AppendText(dst []byte, s *Samples) []byte {
	for i := range Table {
		m := &Table[i]
		dst = append(append(append(dst, "# HELP "...), m.Name...), ' ')
		dst = append(appendHelp(dst, m.Help), '\n')
		dst = append(append(append(dst, "# TYPE "...), m.Name...), ' ')
		dst = append(append(dst, m.Kind...), '\n')
		if m.durations != nil {
			dst = appendHistogram(dst, m, s)
			continue
		}
		if m.named != nil {
			for _, x := range m.named(s) {
				dst = x.appendHistogram(dst, m)
			}
			continue
		}
		for _, x := range m.collect(s) {
			dst = appendSample(dst, m.Name, m.Labels, x.labels, x.value)
		}
	}
	return dst
}

// collect evaluates a metric's source. Series of summed metrics are in the order of their first appearance.
func (m *Metric) collect(s *Samples) []series {
	var out []series
	add := func(v float64, labels ...string) {
		i := slices.IndexFunc(out, func(x series) bool { return slices.Equal(x.labels, labels) })
		if i < 0 {
			out = append(out, series{slices.Clone(labels), v})
			return
		}
		out[i].value += v
	}
	switch {
	case m.process != nil:
		m.process(s, add)
	case m.each != nil:
		for i := range s.workers {
			worker := strconv.Itoa(i)
			m.each(&s.workers[i], func(v float64, labels ...string) { add(v, append([]string{worker}, labels...)...) })
		}
	case m.many != nil:
		for i := range s.workers {
			m.many(&s.workers[i].Counters, add)
		}
	default:
		sum := 0.0
		for i := range s.workers {
			sum += m.one(&s.workers[i].Counters)
		}
		add(sum)
	}
	return out
}

func appendHistogram(dst []byte, m *Metric, s *Samples) []byte {
	var h Histogram
	for i := range s.workers {
		w := m.durations(&s.workers[i].Counters)
		h.Sum += w.Sum
		for b, n := range w.Buckets {
			h.Buckets[b] += n
		}
	}
	var total uint64
	for b, n := range h.Buckets {
		total += n
		bound := "+Inf"
		if b < numBuckets {
			bound = strconv.FormatFloat(float64(BucketBound(b))/1e9, 'f', -1, 64)
		}
		dst = appendSample(dst, m.Name+"_bucket", []string{"le"}, []string{bound}, float64(total))
	}
	dst = appendSample(dst, m.Name+"_sum", nil, nil, float64(h.Sum)/1e9)
	return appendSample(dst, m.Name+"_count", nil, nil, float64(total))
}

// appendHistogram appends the buckets of one name. A step of its histogram ends at each bound.
func (s *Series) appendHistogram(dst []byte, m *Metric) []byte {
	labels, values := []string{m.Labels[0], "le"}, []string{s.name, ""}
	for b := range numBuckets {
		values[1] = strconv.FormatFloat(float64(BucketBound(b))/1e9, 'f', -1, 64)
		dst = appendSample(dst, m.Name+"_bucket", labels, values, float64(s.below(BucketBound(b))))
	}
	total := float64(s.recorded())
	values[1] = "+Inf"
	dst = appendSample(dst, m.Name+"_bucket", labels, values, total)
	dst = appendSample(dst, m.Name+"_sum", labels[:1], values[:1], float64(s.Sum)/1e9)
	return appendSample(dst, m.Name+"_count", labels[:1], values[:1], total)
}

func appendSample(dst []byte, name string, labels, values []string, v float64) []byte {
	dst = append(dst, name...)
	for i, l := range labels {
		dst = append(dst, "{,"[min(i, 1)])
		dst = append(append(dst, l...), '=', '"')
		dst = append(dst, labelEscapes.Replace(values[i])...)
		dst = append(dst, '"')
	}
	if len(labels) > 0 {
		dst = append(dst, '}')
	}
	dst = append(dst, ' ')
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	return append(dst, '\n')
}

var (
	labelEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)
	helpEscapes  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
)

func appendHelp(dst []byte, s string) []byte { return append(dst, helpEscapes.Replace(s)...) }
