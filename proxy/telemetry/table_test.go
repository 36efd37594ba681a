package telemetry

import (
	"flag"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite docs/METRICS.md")

func TestEveryCounterIsInTheTable(t *testing.T) {
	render := func(c *Counters) string {
		s := &Samples{started: time.Unix(1, 0), workers: make([]workerSample, 1)}
		c.copyTo(&s.workers[0].Counters)
		return string(AppendText(nil, s))
	}
	zero := render(new(Counters))
	// Each number on its own, down to elements of arrays, must change the text.
	var check func(name string, v reflect.Value, c *Counters)
	check = func(name string, v reflect.Value, c *Counters) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				f := v.Type().Field(i)
				if f.Name == "_" || !f.IsExported() {
					continue
				}
				check(name+"."+f.Name, v.Field(i), c)
			}
		case reflect.Array:
			for i := range v.Len() {
				if f, ok := v.Addr().Interface().(*[16]uint64); ok && f == &c.Flagged && (Flags(1)<<i).String() == "" {
					continue // room for flags to come
				}
				check(name, v.Index(i), c)
			}
		case reflect.Uint64:
			v.SetUint(7)
			assert.False(t, zero == render(c), "%s is in no metric", name)
			v.SetUint(0)
		case reflect.Int64:
			v.SetInt(7)
			assert.False(t, zero == render(c), "%s is in no metric", name)
			v.SetInt(0)
		default:
			t.Errorf("%s: do not know how to check a %s", name, v.Kind())
		}
	}
	var c Counters
	check("Counters", reflect.ValueOf(&c).Elem(), &c)
	c.Failures.Add("some_code")
	assert.Contains(t, render(&c), `blitz_failures_total{code="some_code"} 1`+"\n")
}

func TestTableIsWellFormed(t *testing.T) {
	name := regexp.MustCompile(`^blitz(_[a-z]+[0-9]?)+$`)
	seen := map[string]bool{}
	for _, m := range Table {
		assert.Regexp(t, name, m.Name)
		assert.False(t, seen[m.Name], "%s is declared twice", m.Name)
		seen[m.Name] = true
		assert.NotEmpty(t, m.Unit, m.Name)
		assert.True(t, strings.HasSuffix(m.Help, "."), "%s: help is a sentence", m.Name)
		assert.NotContains(t, m.Help, "|", m.Name)
		assert.Equal(t, m.Kind == KindCounter, strings.HasSuffix(m.Name, "_total"), "%s: counters, and only they, end in _total", m.Name)
		if slices.Contains([]string{"bytes", "seconds", "info"}, m.Unit) {
			assert.True(t, strings.HasSuffix(strings.TrimSuffix(m.Name, "_total"), "_"+m.Unit), "%s names its unit", m.Name)
		}
		sources := 0
		for _, set := range []bool{m.one != nil, m.many != nil, m.durations != nil, m.each != nil, m.process != nil, m.named != nil} {
			if set {
				sources++
			}
		}
		assert.Equal(t, 1, sources, "%s has exactly one source", m.Name)
		assert.Equal(t, m.Kind == KindHistogram, m.durations != nil || m.named != nil, m.Name)
		assert.Equal(t, m.each != nil, len(m.Labels) > 0 && m.Labels[0] == "worker", m.Name)
	}
}

func TestMetricsPageIsCurrent(t *testing.T) {
	const page = "../../docs/METRICS.md"
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(Markdown()), 0o644))
	}
	b, err := os.ReadFile(page)
	require.NoError(t, err)
	assert.Equal(t, Markdown(), string(b), "run make docs")
}
