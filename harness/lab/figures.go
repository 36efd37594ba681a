package lab

import (
	"fmt"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/proc"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// figures fills in what the load generator knows, and what it says of itself.
func figures(sm *result.Sample, rec *runfmt.Record, mem proc.Memory) *result.Load {
	sm.Load = &result.Load{
		WindowSeconds: rec.MeasuredSeconds, Responses: rec.Counts.InWindow, RPS: float64(rec.Counts.InWindow) / rec.MeasuredSeconds,
		Response: rec.Latency.Response.Summary, Service: rec.Latency.Service.Summary, Errors: rec.Errors,
		Engine: rec.Generator.Engine, Memory: memory(mem),
	}
	if !rec.Validity.Valid {
		sm.Invalid = append(sm.Invalid, rec.Validity.Reasons...)
	}
	sm.Warnings = append(sm.Warnings, rec.Validity.Warnings...)
	if n := rec.Errors.Total(); n*1000 > rec.Counts.Requests {
		sm.Invalid = append(sm.Invalid, fmt.Sprintf("%d of %d requests failed", n, rec.Counts.Requests))
	}
	return sm.Load
}

// spent fills in what the server's CPU time comes to.
func spent(sm *result.Sample, rec *runfmt.Record, used time.Duration, roles machine.Roles) {
	v := sm.Load
	v.ServerCPUSeconds = used.Seconds()
	if v.Responses > 0 {
		v.ServerCPUMicros = v.ServerCPUSeconds * 1e6 / float64(v.Responses)
	} else {
		sm.Invalid = append(sm.Invalid, "no response inside the window")
	}
	v.ServerUse = used.Seconds() / rec.MeasuredSeconds / float64(len(roles.Server))
	v.LoadUse = (rec.Cost.CPUUserSeconds + rec.Cost.CPUSystemSeconds) / rec.MeasuredSeconds / float64(len(roles.Load))
}
