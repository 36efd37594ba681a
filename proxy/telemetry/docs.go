package telemetry

import "strings"

// Markdown renders the table as docs/METRICS.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Made from the table in [proxy/telemetry/table.go](../proxy/telemetry/table.go) by ` + "`make docs`" + `; a test compares them. Values are sums over all workers
unless a metric has the label ` + "`worker`" + `. The format is Prometheus' text format, version 0.0.4.

| metric | kind | unit | labels | meaning |
| --- | --- | --- | --- | --- |
`)
	for _, m := range Table {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		b.WriteString("| `" + m.Name + "` | " + string(m.Kind) + " | " + m.Unit + " | " + labels + " | " + m.Help + " |\n")
	}
	b.WriteString("\nHistograms have buckets at powers of two nanoseconds, from 2^14 ns (about 16 µs) to 2^35 ns (about 34 s).\n")
	return b.String()
}
