package route

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/blitz-gateway/blitz/internal/wire"
)

// shapes are tables of n rules in the forms that occur: an API under one host, a host for each customer, prefixes.
var shapes = []struct {
	name string
	rule func(i int) Rule
	host func(i int) string
	path func(i int) string
}{
	{"exact", func(i int) Rule { return Rule{Path: fmt.Sprintf("/api/v1/resource-%d/items", i)} },
		func(int) string { return "api.example.com" }, func(i int) string { return fmt.Sprintf("/api/v1/resource-%d/items", i) }},
	{"parameters", func(i int) Rule { return Rule{Path: fmt.Sprintf("/api/v1/resource-%d/{id}/items/{item}", i)} },
		func(int) string { return "api.example.com" }, func(i int) string { return fmt.Sprintf("/api/v1/resource-%d/4711/items/12", i) }},
	{"hosts", func(i int) Rule { return Rule{Host: fmt.Sprintf("customer-%d.example.com", i), Path: "/*"} },
		func(i int) string { return fmt.Sprintf("customer-%d.example.com", i) }, func(int) string { return "/index.html" }},
}

func BenchmarkLookup(b *testing.B) {
	for _, shape := range shapes {
		for _, n := range []int{10, 1000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", shape.name, n), func(b *testing.B) {
				rules := make([]Rule, n)
				for i := range rules {
					rules[i] = shape.rule(i)
					rules[i].ID = ID(i)
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				table, err := Build(rules)
				if err != nil {
					b.Fatal(err)
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				const requests = 1024
				var hosts, paths [requests][]byte
				for i := range requests {
					k := i * 7919 % n
					hosts[i], paths[i] = []byte(shape.host(k)), []byte(shape.path(k))
				}
				var p Params
				i := 0
				b.ReportAllocs()
				for b.Loop() {
					if _, result := table.Lookup(hosts[i%requests], paths[i%requests], wire.MethodGet, nil, &p); result != Found {
						b.Fatal("not found")
					}
					i++
				}
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(n), "bytes/route")
				runtime.KeepAlive(rules) // they would otherwise be freed before the second look at the heap
				runtime.KeepAlive(table)
			})
		}
	}
}
