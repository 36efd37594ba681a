package monitoring

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/blitz-gateway/blitz/proxy/telemetry"
)

// query is one expression, and the labels that the text beside it mentions.
type query struct {
	where, expr string
	mentions    []string
}

// mentioned finds {{label}} of a legend and {{ $labels.label }} of an annotation.
var mentioned = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)

func mentions(texts ...string) (out []string) {
	for _, m := range mentioned.FindAllStringSubmatch(strings.Join(texts, " "), -1) {
		out = append(out, m[1])
	}
	return out
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../../examples/monitoring/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// dashboard is what of Grafana's format has queries.
type dashboard struct {
	Panels []struct {
		ID          int
		Title, Type string
		GridPos     struct{ X, Y, W, H int }
		Targets     []struct{ Expr, LegendFormat string }
	}
	Annotations struct {
		List []struct{ Name, Expr, TextFormat string }
	}
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
}

func loadDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	if err := json.Unmarshal(read(t, "grafana.json"), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// fill does what Grafana does with the variables.
var fill = strings.NewReplacer("$__rate_interval", "1m", "$__interval", "1m", "$job", ".*", "$instance", ".*", "$cluster", ".*", "$route", ".*")

// panels are the queries of the dashboard.
func panels(t *testing.T) (list []query) {
	d := loadDashboard(t)
	for _, p := range d.Panels {
		for _, x := range p.Targets {
			list = append(list, query{"panel " + p.Title, fill.Replace(x.Expr), mentions(x.LegendFormat)})
		}
	}
	for _, a := range d.Annotations.List {
		list = append(list, query{"annotation " + a.Name, fill.Replace(a.Expr), mentions(a.TextFormat)})
	}
	if len(list) < 100 {
		t.Fatalf("only %d queries were found", len(list))
	}
	return list
}

// variables are the dashboard's label_values(selector, label), as selectors and labels.
func variables(t *testing.T) (list []query) {
	form := regexp.MustCompile(`^label_values\((.*), ([a-z_]+)\)$`)
	for _, v := range loadDashboard(t).Templating.List {
		if v.Type != "query" {
			continue
		}
		m := form.FindStringSubmatch(v.Definition)
		if m == nil {
			t.Fatalf("variable %s: %q", v.Name, v.Definition)
		}
		list = append(list, query{"variable " + v.Name, fill.Replace(m[1]), []string{m[2]}})
	}
	return list
}

// alerts are the rules by name.
func alerts(t *testing.T) (list []query) {
	var f struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(read(t, "alerts.yaml"), &f, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) {
				t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
			}
			list = append(list, query{r.Alert, r.Expr, mentions(r.Annotations["summary"], r.Annotations["description"])})
		}
	}
	if len(list) < 10 {
		t.Fatalf("only %d alerts were found", len(list))
	}
	return list
}

// given are the labels that Prometheus adds to what it scrapes.
var given = []string{"job", "instance"}

// labelsOf are the labels of a metric under the name that queries use; ok is false for one that is not in the table.
func labelsOf(name string) (labels []string, ok bool) {
	if name == "up" {
		return given, true
	}
	for _, m := range telemetry.Table {
		labels := slices.Concat(given, m.Labels)
		switch {
		case m.Kind != telemetry.KindHistogram && m.Name == name, m.Kind == telemetry.KindHistogram && (name == m.Name+"_sum" || name == m.Name+"_count"):
			return labels, true
		case m.Kind == telemetry.KindHistogram && name == m.Name+"_bucket":
			return append(labels, "le"), true
		}
	}
	return nil, false
}

// wrong says what is wrong with the names in an expression.
func wrong(expr string) (problems []string) {
	e, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		return []string{err.Error()}
	}
	// known are the labels of all metrics below a node.
	known := func(n parser.Node) (all []string) {
		parser.Inspect(n, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				labels, _ := labelsOf(v.Name)
				all = append(all, labels...)
			}
			return nil
		})
		return all
	}
	check := func(n parser.Node, names []string) {
		all := known(n)
		for _, name := range names {
			if !slices.Contains(all, name) {
				problems = append(problems, "no metric in "+n.String()+" has the label "+name)
			}
		}
	}
	parser.Inspect(e, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.VectorSelector:
			if _, ok := labelsOf(n.Name); !ok {
				problems = append(problems, "no metric "+n.Name)
				return nil
			}
			for _, m := range n.LabelMatchers {
				if m.Name != "__name__" {
					check(n, []string{m.Name})
				}
			}
		case *parser.AggregateExpr:
			check(n, n.Grouping)
		case *parser.BinaryExpr:
			if n.VectorMatching != nil {
				check(n, n.VectorMatching.MatchingLabels)
				check(n, n.VectorMatching.Include)
			}
		}
		return nil
	})
	return problems
}

func TestQueriesNameWhatExists(t *testing.T) {
	for _, q := range slices.Concat(panels(t), variables(t), alerts(t)) {
		for _, p := range wrong(q.expr) {
			t.Errorf("%s: %s", q.where, p)
		}
	}
}

// The check itself must see what it looks for.
func TestWrongNamesAreSeen(t *testing.T) {
	for expr, want := range map[string]string{
		`rate(blitz_requests_total[1m])`:                                        "",
		`rate(blitz_request_total[1m])`:                                         "no metric blitz_request_total",
		`blitz_request_duration_seconds`:                                        "no metric blitz_request_duration_seconds",
		`sum by (le) (blitz_request_duration_seconds_count)`:                    "has the label le",
		`histogram_quantile(0.9, blitz_route_duration_seconds_bucket)`:          "",
		`blitz_responses_total{status="200"}`:                                   "has the label status",
		`sum by (cluster) (blitz_route_requests_total)`:                         "has the label cluster",
		`blitz_cluster_panic / on (route) blitz_cluster_panic`:                  "has the label route",
		`sum(rate(blitz_requests_total))`:                                       "expected type range vector",
		`sum by (endpoint (blitz_endpoint_healthy)`:                             "unexpected",
		`blitz_cluster_panic * on (cluster) group_left (x) blitz_cluster_panic`: "has the label x",
	} {
		got := strings.Join(wrong(expr), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: %q, expected %q", expr, got, want)
		}
	}
}

// Every metric that says that something goes wrong is on the dashboard, and panels neither overlap nor leave the width of 24.
func TestDashboardIsWhole(t *testing.T) {
	text := string(read(t, "grafana.json"))
	for _, m := range telemetry.Table {
		if spared[m.Name] == "" && !strings.Contains(text, m.Name) {
			t.Errorf("%s is nowhere on the dashboard", m.Name)
		}
		if spared[m.Name] != "" && strings.Contains(text, m.Name+"{") {
			t.Errorf("%s is on the dashboard, and in the list of those that need not be", m.Name)
		}
	}
	d := loadDashboard(t)
	ids := map[int]bool{}
	for i, a := range d.Panels {
		if ids[a.ID] || a.GridPos.W == 0 || a.GridPos.X+a.GridPos.W > 24 {
			t.Errorf("panel %s: id %d, %+v", a.Title, a.ID, a.GridPos)
		}
		ids[a.ID] = true
		for _, b := range d.Panels[i+1:] {
			p, q := a.GridPos, b.GridPos
			if p.X < q.X+q.W && q.X < p.X+p.W && p.Y < q.Y+q.H && q.Y < p.Y+p.H {
				t.Errorf("panels %s and %s overlap", a.Title, b.Title)
			}
		}
	}
}

// spared are metrics that the dashboard does without, and why.
var spared = map[string]string{
	"blitz_start_time_seconds":          "the process's age is on the page of the gateway",
	"blitz_goroutines":                  "for developers",
	"blitz_worker_info":                 "does not change",
	"blitz_upstream_streams_active":     "for developers",
	"blitz_loop_submissions_total":      "for developers",
	"blitz_loop_sockets":                "for developers",
	"blitz_loop_timers":                 "for developers",
	"blitz_loop_accept_aborts_total":    "for developers",
	"blitz_series_other_total":          "tells about the dashboard's own blind spot",
	"blitz_config_last_reload_seconds":  "the annotations show when",
	"blitz_endpoint_connections_active": "requests in flight tell more",
}
