package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

// Schema names this version. It changes whenever a field is added, removed or changes its meaning.
const Schema = "blitz.result/6"

// before are the schemas of results from before TLS and HTTP/2, from before laboratories of several hosts, searches and chaos, from before scaling and reloads, from
// before sections, and from before turns, memory alone and the name of the CPU: what they have is the same here.
var before = []string{"blitz.result/1", "blitz.result/2", "blitz.result/3", "blitz.result/4", "blitz.result/5"}

// Phase is what a sample measured.
type Phase string

// Phases.
const (
	Saturation Phase = "saturation" // closed loop: as much as goes
	FixedRate  Phase = "rate"       // open loop: the same rate for every target
	Idle       Phase = "idle"       // memory with connections that do nothing
	Objective  Phase = "objective"  // the highest rate that holds an objective
	ColdStart  Phase = "cold-start" // exec to the first answered request
	ChaosPhase Phase = "chaos"      // a fixed rate while endpoints are in trouble
	Scaling    Phase = "scaling"    // saturation with a number of workers
	Reloading  Phase = "reload"     // a fixed rate while the configuration changes
)

// Result is one scenario, all targets, all samples.
type Result struct {
	Run      Run      `json:"run"`
	Machine  Machine  `json:"machine"`
	Scenario Scenario `json:"scenario"`
	Targets  []Target `json:"targets"`
	Samples  []Sample `json:"samples"`
	Groups   []Group  `json:"groups"`
}

// Run is shared by all scenarios measured in one go.
type Run struct {
	// ID tells runs apart: the start in UTC, to the second.
	ID       string    `json:"id"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	Profile  string    `json:"profile"`
	Pairs    int       `json:"pairs"`
	// Seed of the interleaving.
	Seed uint64 `json:"seed"`
	// Command reproduces the run.
	Command string `json:"command"`
	// Revision of the project, with "+dirty" if the tree had changes; empty outside a checkout.
	Revision string `json:"revision,omitempty"`
	// Forced: the machine was not fit and the run was made all the same. Unfit says why.
	Forced bool     `json:"forced,omitempty"`
	Unfit  []string `json:"unfit,omitempty"`
}

// Machine is what it ran on.
type Machine struct {
	Name        string              `json:"name"`
	Description string              `json:"description"`
	Server      machine.CPUSet      `json:"server_cpus"`
	Load        machine.CPUSet      `json:"load_cpus"`
	Origin      machine.CPUSet      `json:"origin_cpus"`
	Fingerprint machine.Fingerprint `json:"fingerprint"`
	// OpenFiles is the limit in force.
	OpenFiles uint64 `json:"open_files"`
	// Hosts of a laboratory of several machines. The fingerprint above is then that of the proxy's.
	Hosts []Host `json:"hosts,omitempty"`
}

// Host is one machine of a laboratory of several, as it was observed.
type Host struct {
	Name        string              `json:"name"`
	Roles       []string            `json:"roles"`
	CPUs        machine.CPUSet      `json:"cpus"`
	Generators  int                 `json:"generators,omitempty"`
	Fingerprint machine.Fingerprint `json:"fingerprint"`
	OpenFiles   uint64              `json:"open_files"`
	// ClockAheadMicros is how far its clock was ahead of the coordinator's before the run, true within ClockBoundMicros.
	ClockAheadMicros float64 `json:"clock_ahead_us"`
	ClockBoundMicros float64 `json:"clock_bound_us"`
	// Facts are what provisioning observed when it had converged (role facts); nil where it was not provisioned.
	Facts json.RawMessage `json:"facts,omitempty"`
}

// Generator is the part of one load generator in a sample that several made together.
type Generator struct {
	Host      string  `json:"host"`
	Responses int64   `json:"responses"`
	RPS       float64 `json:"rps"`
	// StartSkewMicros is how much later than agreed its window began, by the coordinator's clock; true within the bound of the host's clock.
	StartSkewMicros float64 `json:"start_skew_us"`
	Engine          string  `json:"engine"`
	CPUSeconds      float64 `json:"cpu_seconds"`
}

// Scenario is what was asked of each target.
type Scenario struct {
	Name        string `json:"name"`
	Title       string `json:"title"`
	About       string `json:"about"`
	Proxied     bool   `json:"proxied"`
	BodyBytes   int64  `json:"body_bytes"`
	Connections int    `json:"connections"`
	// NewConnection: each request on its own connection.
	NewConnection bool `json:"new_connection_per_request,omitempty"`
	// Protocol between load generator and target ("h1", "h2"; empty in old results, which are h1), with so many streams on each
	// connection, and over TLS 1.3 or not. OriginProtocol is that between target and origin, empty for h1.
	Protocol       string `json:"protocol,omitempty"`
	Streams        int    `json:"streams,omitempty"`
	TLS            bool   `json:"tls,omitempty"`
	OriginProtocol string `json:"origin_protocol,omitempty"`
	// GRPC: unary calls. Handshakes: a request is a TLS handshake and nothing more; Resumed: of a session that goes on.
	GRPC       bool `json:"grpc,omitempty"`
	Handshakes bool `json:"handshakes,omitempty"`
	Resumed    bool `json:"resumed,omitempty"`
	// Unsupported are targets that cannot do what is asked for.
	Unsupported       []Unsupported `json:"unsupported,omitempty"`
	WarmupSeconds     float64       `json:"warmup_seconds,omitempty"`
	SaturationSeconds float64       `json:"saturation_seconds,omitempty"`
	RateSeconds       float64       `json:"rate_seconds,omitempty"`
	// SaturationTurns and RateTurns are into how many turns the window of a sample was divided, between which the other targets of the round were loaded; 0: it
	// was loaded in one go, with no other target running.
	SaturationTurns int `json:"saturation_turns,omitempty"`
	RateTurns       int `json:"rate_turns,omitempty"`
	// Rates that were run, requests per second, and those left out with the reason.
	Rates   []float64 `json:"rates,omitempty"`
	Skipped []string  `json:"skipped,omitempty"`
	// SharedCPUs: the workers of a scaling run share their CPUs with the load generator. Connections of a scaling run are those of each worker.
	SharedCPUs bool `json:"shared_cpus,omitempty"`
}

// Unsupported is a target that was left out of a scenario.
type Unsupported struct {
	Target string `json:"target"`
	Reason string `json:"reason"`
}

// Target is one system as it was run.
type Target struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Command []string `json:"command"`
	Config  []File   `json:"config"`
	// HeadBytes is the size of the response head, status line to empty line: a part of the work that differs.
	HeadBytes int `json:"response_head_bytes"`
	// Notes are what the target said of itself at start and what matters, such as the engine that runs.
	Notes []string `json:"notes,omitempty"`
}

// File is a configuration file in full.
type File struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Sample is one measurement of one target, of a process started for it alone.
type Sample struct {
	Target string  `json:"target"`
	Phase  Phase   `json:"phase"`
	Rate   float64 `json:"rate,omitempty"`
	Round  int     `json:"round"`
	Order  int     `json:"order"` // position within the round
	// Workers of the target in a sample of scaling; 0 elsewhere: one for each of the server's CPUs.
	Workers int       `json:"workers,omitempty"`
	Started time.Time `json:"started"`
	// Invalid says why the sample must not be used; empty for a good one.
	Invalid  []string `json:"invalid,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	Load *Load `json:"load,omitempty"`
	Idle *Conn `json:"idle,omitempty"`
	Cold *Cold `json:"cold_start,omitempty"`
	// Generators that made the load together, if it was not one on the machine itself.
	Generators []Generator `json:"generators,omitempty"`
	// Search is what blitzload find found.
	Search *Search `json:"search,omitempty"`
	Chaos  *Chaos  `json:"chaos,omitempty"`
	Reload *Reload `json:"reload,omitempty"`
}

// Valid tells whether the sample may be used.
func (s Sample) Valid() bool { return len(s.Invalid) == 0 }

// Load is a sample under load. The window is the load generator's measured window.
type Load struct {
	WindowSeconds float64 `json:"window_seconds"`
	// Responses that ended inside the window, and per second.
	Responses int64   `json:"responses"`
	RPS       float64 `json:"rps"`
	// Server CPU is that of the whole process tree inside the window.
	ServerCPUSeconds float64 `json:"server_cpu_seconds"`
	ServerCPUMicros  float64 `json:"server_cpu_us_per_request"`
	// Utilisation of the CPUs of each role (1 is all of them all the time), by the processes' own accounting.
	ServerUse float64 `json:"server_utilisation"`
	LoadUse   float64 `json:"load_utilisation"`
	OriginUse float64 `json:"origin_utilisation,omitempty"`
	// OtherUse is CPU time on the server's CPUs that was not the server's; Steal is what the hypervisor took.
	OtherUse float64 `json:"other_utilisation"`
	Steal    float64 `json:"steal"`
	// Response counts from the intended start, Service from the sending; equal in the closed loop.
	Response hdr.Summary   `json:"response"`
	Service  hdr.Summary   `json:"service"`
	Errors   runfmt.Errors `json:"errors"`
	Engine   string        `json:"generator_engine"`
	Memory
}

// Memory of the process tree, in bytes, at the end of the sample.
type Memory struct {
	RSS int64 `json:"rss_bytes"`
	PSS int64 `json:"pss_bytes"`
	// Alone is what PSS would be if nobody outside the tree had the same files mapped; 0 in older results and where the kernel does not tell.
	Alone   int64 `json:"alone_bytes,omitempty"`
	PeakRSS int64 `json:"peak_rss_bytes"`
}

// Bytes are what the tree is said to need: Alone where it is known, else PSS.
func (m Memory) Bytes() int64 {
	if m.Alone > 0 {
		return m.Alone
	}
	return m.PSS
}

// Conn is a sample with idle connections.
type Conn struct {
	Connections int    `json:"connections"`
	Before      Memory `json:"before"` // after one request
	Memory
	// PerConnection is the growth of PSS per connection; kernel socket memory is not in it.
	PerConnection float64 `json:"bytes_per_connection"`
	// IdleCPU is CPU time per second of doing nothing, in microseconds.
	IdleCPU float64 `json:"idle_cpu_us_per_second"`
}

// Cold is one start.
type Cold struct {
	// Milliseconds from just before fork to the last byte of the first answer.
	Milliseconds float64 `json:"ms"`
	CPUMillis    float64 `json:"cpu_ms"`
	Memory
}

// Search is the outcome of one search for the highest rate that holds an objective.
type Search struct {
	Objective string `json:"objective"`
	// Rate held, Confirmed loads in a row; FailedAt did not (0: none was seen to fail). Requests per second.
	Rate      float64 `json:"rate"`
	FailedAt  float64 `json:"failed_at,omitempty"`
	Confirmed int     `json:"confirmed"`
	// Probes is how many loads it took. GeneratorLimited: the generator failed first, so Rate is a lower bound.
	Probes           int  `json:"probes"`
	GeneratorLimited bool `json:"generator_limited,omitempty"`
}

// Group merges the valid load samples of a target in one phase. Histograms are merged, percentiles never averaged.
type Group struct {
	Target   string      `json:"target"`
	Phase    Phase       `json:"phase"`
	Rate     float64     `json:"rate,omitempty"`
	Samples  int         `json:"samples"`
	Response hdr.Summary `json:"response"`
	Service  hdr.Summary `json:"service"`
	// Log is the interval log beside this file, one interval per sample, or per section of a sample that has some, and its SHA-256 as stored.
	Log    string `json:"hlog"`
	SHA256 string `json:"sha256"`
}

// Check tells why a result cannot be true; nil if it is consistent.
func (r *Result) Check() error {
	if r.Run.ID == "" || r.Machine.Name == "" || r.Scenario.Name == "" {
		return errors.New("run, machine and scenario must be named")
	}
	if r.Run.Finished.Before(r.Run.Started) {
		return errors.New("the run finished before it started")
	}
	names := map[string]bool{}
	for _, t := range r.Targets {
		if t.Name == "" || names[t.Name] {
			return fmt.Errorf("target %q is unnamed or there twice", t.Name)
		}
		if len(t.Config) == 0 {
			return fmt.Errorf("target %s has no configuration", t.Name)
		}
		names[t.Name] = true
	}
	for i, s := range r.Samples {
		if !names[s.Target] {
			return fmt.Errorf("sample %d is of unknown target %q", i, s.Target)
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("sample %d (%s, %s, round %d): %w", i, s.Target, s.Phase, s.Round, err)
		}
	}
	for _, g := range r.Groups {
		if !names[g.Target] {
			return fmt.Errorf("group of unknown target %q", g.Target)
		}
		n := 0
		for _, s := range r.Samples {
			if s.Target == g.Target && s.Phase == g.Phase && s.Rate == g.Rate && s.Valid() {
				n++
			}
		}
		if n != g.Samples {
			return fmt.Errorf("group %s %s %v merges %d samples, there are %d valid ones", g.Target, g.Phase, g.Rate, g.Samples, n)
		}
	}
	return nil
}

func (s Sample) check() error {
	if s.Chaos != nil != (s.Phase == ChaosPhase) && (s.Chaos != nil || s.Valid()) {
		return errors.New("the figures are not those of its phase")
	}
	if (s.Phase == Scaling) != (s.Workers > 0) {
		return fmt.Errorf("%d workers", s.Workers)
	}
	if s.Reload != nil != (s.Phase == Reloading) && (s.Reload != nil || s.Valid()) {
		return errors.New("the figures are not those of its phase")
	}
	switch s.Phase {
	case ChaosPhase:
		return s.Chaos.check()
	case Reloading:
		return s.Reload.check()
	case Saturation, FixedRate, Scaling:
		if s.Idle != nil || s.Cold != nil || (s.Load == nil && s.Valid()) {
			return errors.New("the figures are not those of its phase")
		}
		if s.Load != nil {
			return s.Load.check()
		}
	case Idle:
		if s.Load != nil || s.Cold != nil || (s.Idle == nil && s.Valid()) {
			return errors.New("the figures are not those of its phase")
		}
	case ColdStart:
		if s.Load != nil || s.Idle != nil || (s.Cold == nil && s.Valid()) {
			return errors.New("the figures are not those of its phase")
		}
	case Objective:
		if s.Load != nil || s.Idle != nil || s.Cold != nil || (s.Search == nil && s.Valid()) {
			return errors.New("the figures are not those of its phase")
		}
		if f := s.Search; f != nil && (f.Rate < 0 || f.FailedAt > 0 && f.FailedAt <= f.Rate || f.Rate == 0 && s.Valid()) {
			return fmt.Errorf("the rate that holds is %v, the one that does not is %v", f.Rate, f.FailedAt)
		}
	default:
		return fmt.Errorf("unknown phase %q", s.Phase)
	}
	return nil
}

func (l *Load) check() error {
	if !(l.WindowSeconds > 0) || l.Responses < 0 {
		return errors.New("no window or negative responses")
	}
	if want := float64(l.Responses) / l.WindowSeconds; !near(want, l.RPS) {
		return fmt.Errorf("rps is %v, but %d responses in %v s make %v", l.RPS, l.Responses, l.WindowSeconds, want)
	}
	want := 0.0
	if l.Responses > 0 {
		want = l.ServerCPUSeconds * 1e6 / float64(l.Responses)
	}
	if !near(want, l.ServerCPUMicros) {
		return fmt.Errorf("CPU per request is %v µs, but %v s over %d responses make %v", l.ServerCPUMicros, l.ServerCPUSeconds, l.Responses, want)
	}
	return nil
}

func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b)) }
