package server

import (
	"bytes"
	"context"
	"io"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"time"

	"github.com/blitz-gateway/blitz/proxy/admin"
)

const binaryType = "application/octet-stream"

// profiles are Go's own, at the paths where `go tool pprof` and `go tool trace` look for them. They go without net/http/pprof, which would bring
// net/http into the program.
func profiles() []admin.Endpoint {
	list := []admin.Endpoint{
		{Method: "GET", Path: "/debug/pprof/profile", Help: "CPU profile; ?seconds=10", Do: func(ctx context.Context, r *admin.Request) admin.Response {
			return during(ctx, r, pprof.StartCPUProfile, pprof.StopCPUProfile)
		}},
		{Method: "GET", Path: "/debug/pprof/trace", Help: "execution trace; ?seconds=1", Do: func(ctx context.Context, r *admin.Request) admin.Response {
			return during(ctx, r, trace.Start, trace.Stop)
		}},
	}
	for _, name := range []string{"heap", "allocs", "goroutine", "threadcreate", "mutex", "block"} {
		list = append(list, admin.Endpoint{Method: "GET", Path: "/debug/pprof/" + name, Help: "profile; ?debug=1 is text", Do: func(_ context.Context, r *admin.Request) admin.Response {
			return lookup(name, r)
		}})
	}
	return list
}

// maxProfile bounds how long a profile may take, in seconds.
const maxProfile = 60

// during collects while some seconds pass.
func during(ctx context.Context, r *admin.Request, start func(io.Writer) error, stop func()) admin.Response {
	seconds := 10
	if v := r.Param("seconds"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxProfile {
			return text(400, "expected seconds to be a number from 1 to "+strconv.Itoa(maxProfile))
		}
		seconds = n
	}
	var b bytes.Buffer
	if err := start(&b); err != nil {
		return text(409, err.Error()) // another one is under way
	}
	pause(ctx, time.Duration(seconds)*time.Second)
	stop()
	return admin.Response{Status: 200, Type: binaryType, Body: b.Bytes()}
}

func lookup(name string, r *admin.Request) admin.Response {
	debug, typ := 0, binaryType
	if v := r.Param("debug"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 2 {
			return text(400, "expected debug to be 0, 1 or 2")
		}
		if debug = n; debug > 0 {
			typ = admin.Text
		}
	}
	var b bytes.Buffer
	if err := pprof.Lookup(name).WriteTo(&b, debug); err != nil {
		return text(500, err.Error())
	}
	return admin.Response{Status: 200, Type: typ, Body: b.Bytes()}
}
