package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/proxy/admin"
	"github.com/blitz-gateway/blitz/proxy/telemetry"
	"github.com/blitz-gateway/blitz/proxy/worker"
)

// maxListed bounds how many connections of each worker are listed, unless ?limit= asks for another number up to maxLimit.
const (
	maxListed = 100
	maxLimit  = 10_000
)

// askTimeout bounds how long a question waits for busy workers.
const askTimeout = time.Second

// adminEndpoints are what the admin listener shows and does.
func (s *Server) adminEndpoints() []admin.Endpoint {
	return append([]admin.Endpoint{
		{Method: "GET", Path: "/", Help: "a page with routes, clusters and live rates", Do: page},
		{Method: "GET", Path: "/readyz", Help: "200 while new connections are welcome; which process, which generation", Do: s.readyz},
		{Method: "GET", Path: "/config", Help: "the configuration in force, defaults filled in, secrets masked", Do: func(context.Context, *admin.Request) admin.Response {
			return admin.Response{Status: 200, Type: admin.JSON, Body: s.snap.Load().Effective()}
		}},
		{Method: "GET", Path: "/config.yaml", Help: "the same as a configuration file, with references in place of secrets; blitz plan compares with it", Do: func(context.Context, *admin.Request) admin.Response {
			return admin.Response{Status: 200, Type: "application/yaml", Body: s.snap.Load().ConfigYAML()}
		}},
		{Method: "POST", Path: "/config", Help: "put the configuration in the body in force, until the file is read again", Do: s.replace},
		{Method: "POST", Path: "/config/reload", Help: "read the configuration file again", Do: s.reload},
		{Method: "GET", Path: "/status", Help: "process, generation, totals: what the page shows at the top", Do: s.status},
		{Method: "GET", Path: "/routes", Help: "routes with requests and percentiles", Do: s.routes},
		{Method: "GET", Path: "/clusters", Help: "clusters, their endpoints with health, connections and percentiles", Do: s.clusters},
		{Method: "GET", Path: "/load", Help: "what each listener and cluster carries now: connections, requests in flight, tunnels; blitz plan shows it", Do: s.load},
		{Method: "GET", Path: "/connections", Help: "client connections of each worker, newest first; ?limit=100", Do: s.connections},
		{Method: "GET", Path: "/histograms", Help: "durations by route and cluster as HdrHistogram interval log (.hlog)", Do: s.histograms},
		{Method: "GET", Path: "/log/level", Help: "level of the log: debug, info, warn or error", Do: func(context.Context, *admin.Request) admin.Response {
			return text(200, strings.ToLower(LogLevel.Level().String()))
		}},
		{Method: "PUT", Path: "/log/level", Help: "set it; the body is the level", Do: setLogLevel},
		{Method: "POST", Path: "/log/reopen", Help: "open the access log again, after a rotation", Do: func(context.Context, *admin.Request) admin.Response { return outcome(s.ReopenLog(), "reopened") }},
	}, profiles()...)
}

// LogLevel is the level of the process's log.
var LogLevel = new(slog.LevelVar)

func setLogLevel(_ context.Context, r *admin.Request) admin.Response {
	var l slog.Level
	if err := l.UnmarshalText([]byte(strings.TrimSpace(string(r.Body)))); err != nil {
		return text(400, "expected debug, info, warn or error")
	}
	LogLevel.Set(l)
	slog.SetLogLoggerLevel(l) // that of the default handler, which the program uses
	slog.Log(context.Background(), max(l, slog.LevelInfo), "log level set", "level", l)
	return text(200, strings.ToLower(l.String()))
}

func text(status int, s string) admin.Response {
	return admin.Response{Status: status, Type: admin.Text, Body: []byte(s + "\n")}
}

// outcome answers a change.
func outcome(err error, done string) admin.Response {
	switch {
	case err == nil:
		return text(200, done)
	case errors.Is(err, ErrNeedsUpgrade), errors.Is(err, ErrDraining), errors.Is(err, ErrUpgrading):
		return text(409, err.Error())
	case errors.Is(err, errStorm):
		return text(429, err.Error())
	}
	return text(422, err.Error())
}

func asJSON(v any) admin.Response {
	b, err := json.Marshal(v)
	if err != nil {
		return text(500, err.Error())
	}
	return admin.Response{Status: 200, Type: admin.JSON, Body: append(b, '\n')}
}

func (s *Server) readyz(context.Context, *admin.Request) admin.Response {
	var b strings.Builder
	status, state := 200, s.State()
	if state != Ready {
		status = 503
	}
	p := s.process()
	fmt.Fprintf(&b, "%s\npid %d, generation %d, version %s", state, p.PID, p.Generation, p.Version)
	if o := s.predecessor.Load(); o != nil {
		fmt.Fprintf(&b, "\nbefore: pid %d, generation %d, version %s: %s, %d connections", o.PID, o.Generation, o.Version, o.State, o.Connections)
	}
	return text(status, b.String())
}

func (s *Server) reload(ctx context.Context, _ *admin.Request) admin.Response {
	r := s.reloader.Load()
	if r == nil {
		return text(409, "this process does not reload")
	}
	err := r.Reload(ctx)
	return outcome(err, "generation "+strconv.FormatUint(s.snap.Load().Generation, 10))
}

func (s *Server) replace(ctx context.Context, q *admin.Request) admin.Response {
	r := s.reloader.Load()
	if r == nil {
		return text(409, "this process does not reload")
	}
	err := r.Replace(ctx, "body", q.Body)
	return outcome(err, "generation "+strconv.FormatUint(s.snap.Load().Generation, 10))
}

func (s *Server) histograms(ctx context.Context, _ *admin.Request) admin.Response {
	return admin.Response{Status: 200, Type: admin.Text, Body: telemetry.AppendHistograms(nil, s.collect(ctx), time.Now())}
}

// askAll has f run on every worker's loop, and returns the answers in their order; the zero value for one that does not answer before ctx ends.
func askAll[T any](ctx context.Context, s *Server, f func(*worker.Worker) T) []T {
	type answer struct {
		i int
		v T
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	answers := make(chan answer, len(s.workers))
	out := make([]T, len(s.workers))
	asked := 0
	for i, w := range s.workers {
		if w.Post(func() { answers <- answer{i, f(w)} }) {
			asked++
		}
	}
	for ; asked > 0; asked-- {
		select {
		case a := <-answers:
			out[a.i] = a.v
		case <-ctx.Done():
			return out
		}
	}
	return out
}
