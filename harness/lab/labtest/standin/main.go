// Command standin plays blitz and blitzload in tests of the laboratory: real processes with real CPU time and real records. The role comes from the
// environment, the arguments are those of the program it plays. It imports internal/{hdr,runfmt} and nothing of the laboratory.
package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

func main() {
	play := blitzload
	if os.Getenv("BLITZLAB_TEST_ROLE") == "blitz" {
		play = gateway
	}
	if err := play(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// flagValue finds --name VALUE.
func flagValue(name string) string {
	for i, a := range os.Args {
		if a == "--"+name && i+1 < len(os.Args) {
			return os.Args[i+1]
		}
	}
	return ""
}

// gateway is a blitz: it reads the configuration that the laboratory rendered and serves it with net/http.
func gateway() error {
	if os.Args[1] == "version" {
		fmt.Println("blitz stand-in")
		return nil
	}
	text, err := os.ReadFile(flagValue("config"))
	if err != nil {
		return err
	}
	var c struct {
		Admin     struct{ Address string }
		Listeners []struct{ Address string }
		Clusters  []struct{ Endpoints []struct{ Address string } }
		Routes    []struct {
			Match   struct{ Path string }
			Respond struct{ Body string }
		}
	}
	if err := yaml.Unmarshal(text, &c); err != nil {
		return err
	}
	burn, _ := time.ParseDuration(os.Getenv("BURN"))
	body := c.Routes[0].Respond.Body
	if b := os.Getenv("BODY"); b != "" {
		body = b
	}
	mux := http.NewServeMux()
	var requests atomic.Int64
	mux.HandleFunc(c.Routes[0].Match.Path, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		for end := time.Now().Add(burn); time.Now().Before(end); {
			runtime.KeepAlive(end)
		}
		_, _ = io.WriteString(w, body)
	})
	if len(c.Clusters) > 0 {
		mux.Handle("/", httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: c.Clusters[0].Endpoints[0].Address}))
	}
	if c.Admin.Address != "" {
		allocs, _ := strconv.ParseFloat(os.Getenv("ALLOCS"), 64)
		go func() {
			_ = http.ListenAndServe(c.Admin.Address, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n := float64(requests.Load())
				fmt.Fprintf(w, "# HELP\nblitz_requests_total %v\nblitz_go_mallocs_total %v\nblitz_worker_info{worker=\"0\"} 1\n", n, 1000+allocs*n)
			}))
		}()
	}
	fmt.Println("level=INFO msg=started workers=1 engine=net reason=stand-in")
	return http.ListenAndServe(c.Listeners[0].Address, mux)
}

func blitzload() error {
	if os.Args[1] == "origin" {
		size, err := strconv.Atoi(flagValue("body-size"))
		if err != nil {
			return err
		}
		body := []byte(strings.Repeat("x", size))
		return http.ListenAndServe(flagValue("address"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.Itoa(size))
			_, _ = w.Write(body)
		}))
	}
	if os.Args[1] == "find" {
		target := os.Args[len(os.Args)-1]
		if err := get(target); err != nil {
			return err
		}
		probes := 5
		if near, _ := strconv.ParseFloat(flagValue("from"), 64); near <= 1000 && near > 1000/1.2 {
			probes = 2
		}
		return runfmt.WriteSearch(flagValue("json"), &runfmt.Search{
			Schema: runfmt.SearchSchema, Generator: runfmt.Generator{Name: "stand-in"}, Start: time.Now(), Objective: flagValue("slo"), Rate: 1000, FailedAt: 1100,
			Confirmed: 1, Complete: true, Probes: slices.Repeat([]runfmt.Probe{{Rate: 1000, Held: true}}, probes),
		})
	}
	r, err := load()
	if err != nil {
		return err
	}
	return runfmt.WriteFile(flagValue("json"), r)
}

// load requests with one connection for the given time, at the given rate if there is one, and records what it saw.
func load() (*runfmt.Record, error) {
	warmup, err := time.ParseDuration(flagValue("warmup"))
	if err != nil {
		return nil, err
	}
	window, err := time.ParseDuration(flagValue("duration"))
	if err != nil {
		return nil, err
	}
	rate, _ := strconv.ParseFloat(flagValue("rate"), 64)
	target := os.Args[len(os.Args)-1]
	h, n := hdr.New(), int64(0)
	start := time.Now().Add(warmup)
	end := start
	// The window is as long as asked for, but never so short on a busy machine that it is empty.
	for n < 5 || time.Since(start) < window {
		began := time.Now()
		if err := get(target); err != nil {
			return nil, err
		}
		if began.After(start) {
			end = time.Now()
			h.Record(int64(end.Sub(began)))
			n++
		}
		if rate > 0 {
			time.Sleep(time.Duration(float64(time.Second) / rate))
		}
	}
	s, err := runfmt.NewSeries(h)
	if err != nil {
		return nil, err
	}
	none, err := runfmt.NewSeries(hdr.New())
	if err != nil {
		return nil, err
	}
	r := &runfmt.Record{
		Schema: runfmt.Schema, Generator: runfmt.Generator{Name: "stand-in", Engine: "net"},
		Params: runfmt.Params{URL: target, Targets: 1, Method: "GET", Protocol: "h1", Mode: runfmt.Closed, Connections: 1, Threads: 1},
		Start:  start, MeasuredSeconds: end.Sub(start).Seconds(),
		Counts:  runfmt.Counts{Requests: n, Sent: n, Completed: n, InWindow: n, ByCode: map[string]int64{"200": n}, ByClass: map[string]int64{"2xx": n}},
		Latency: runfmt.Latency{Response: s, Service: s}, Cost: runfmt.Cost{Lateness: none},
		AchievedRate: float64(n) / end.Sub(start).Seconds(),
		Validity:     runfmt.Validity{Valid: true, Reasons: []string{}},
	}
	if rate > 0 {
		r.Params.Mode, r.Params.OfferedRate = runfmt.Open, rate
	}
	if name := flagValue("hlog"); name != "" {
		if err := intervals(name, start, end, h); err != nil {
			return nil, err
		}
	}
	if os.Getenv("ERRORS") != "" {
		r.Errors.Status = n
		r.Validity = runfmt.Judge(r, time.Millisecond)
	}
	return r, nil
}

// intervals writes a log with one interval for each kind of time, as if all had happened in one second.
func intervals(name string, from, to time.Time, h *hdr.Histogram) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w, err := hdr.NewLogWriter(f, from)
	if err != nil {
		return err
	}
	return errors.Join(w.Interval("response", from, to, h), w.Interval("service", from, to, h), f.Close())
}

func get(target string) error {
	res, err := http.Get(target)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("status %s", res.Status)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}
