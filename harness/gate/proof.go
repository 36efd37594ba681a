package gate

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/blitz-gateway/blitz/harness/machine"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// ProofSchema names this version of the file.
const ProofSchema = "blitz.gate-proof/1"

// Proof is what the gate said about executables of which the answer is known.
type Proof struct {
	Schema   string    `json:"schema"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"`
	// Command reproduces it, at Revision.
	Command  string              `json:"command"`
	Revision string              `json:"revision"`
	Profile  string              `json:"profile"`
	Scenario string              `json:"scenario"`
	Machine  machine.Fingerprint `json:"machine"`
	Cases    []ProofCase         `json:"cases"`
}

// ProofCase is one kind of candidate and the gates that met it.
type ProofCase struct {
	Name  string      `json:"name"`
	Gates []ProofGate `json:"gates"`
}

// ProofGate is one gate in short.
type ProofGate struct {
	Seed    uint64  `json:"seed"`
	Verdict Verdict `json:"verdict"`
	Pairs   int     `json:"pairs"`
	Seconds float64 `json:"seconds"`
	// Regressed are the keys of the metrics that are worse.
	Regressed []string `json:"regressed,omitempty"`
	// Effects by key of the metric, as Decision.Worse estimates them.
	Effects map[string]float64 `json:"effects,omitempty"`
	Notes   []string           `json:"notes,omitempty"`
}

// Cases of a proof, with what is planted and which metric must show it.
var Cases = []struct {
	Name, About string
	// Patch in planted/, "" for none; Catches is the metric that shows it.
	Patch, Catches string
	// Loaded: other work goes on meanwhile.
	Loaded bool
}{
	{Name: "aa", About: "the same executable twice"},
	{Name: "cpu", About: "about 10 % more CPU time per request", Patch: "cpu.patch", Catches: CPU},
	{Name: "stall", About: "2 ms more for 2 % of the requests", Patch: "stall.patch", Catches: P99},
	{Name: "allocs", About: "one allocation per request", Patch: "allocs.patch", Catches: Allocs},
	{Name: "loaded", About: "the same executable twice, other work on the machine", Loaded: true},
}

// Gate in short.
func (o Outcome) proof(seed uint64) ProofGate {
	g := ProofGate{Seed: seed, Verdict: o.Verdict, Pairs: o.Pairs, Seconds: math.Round(o.Took.Seconds()*10) / 10, Notes: o.Notes, Effects: map[string]float64{}}
	for _, d := range o.Decisions {
		g.Effects[d.Metric.Key] = math.Round(d.Worse.Estimate*1e4) / 1e4
		if d.Verdict == Regression {
			g.Regressed = append(g.Regressed, d.Metric.Key)
		}
	}
	return g
}

// Add the outcome of a gate to a case.
func (p *Proof) Add(name string, seed uint64, o Outcome) {
	i := slices.IndexFunc(p.Cases, func(c ProofCase) bool { return c.Name == name })
	if i < 0 {
		i = len(p.Cases)
		p.Cases = append(p.Cases, ProofCase{Name: name})
	}
	p.Cases[i].Gates = append(p.Cases[i].Gates, o.proof(seed))
}

// Has tells whether the gate of a case with a seed was run.
func (p *Proof) Has(name string, seed uint64) bool {
	for _, c := range p.Cases {
		if c.Name == name && slices.ContainsFunc(c.Gates, func(g ProofGate) bool { return g.Seed == seed }) {
			return true
		}
	}
	return false
}

// Gates is how many were run.
func (p *Proof) Gates() (n int) {
	for _, c := range p.Cases {
		n += len(c.Gates)
	}
	return n
}

// Continues tells whether p is the interrupted beginning of what next is to be: the same command at the same revision on the same machine. A nil
// p is none.
func (p *Proof) Continues(next *Proof) bool {
	return p != nil && p.Finished.IsZero() && p.Revision == next.Revision && p.Command == next.Command && p.Profile == next.Profile && p.Scenario == next.Scenario &&
		machineOf(p.Machine) == machineOf(next.Machine) && len(p.Machine.Moved(next.Machine)) == 0
}

// machineOf is what of a fingerprint tells machines apart, and not one moment from another.
func machineOf(f machine.Fingerprint) [3]any { return [3]any{f.CPUs, f.CPUModel, f.Kernel} }

// score of one case.
type score struct {
	count  map[Verdict]int
	caught int // regression, shown by the metric that must show it
	n      int
}

func (c ProofCase) score(catches string) score {
	t := score{count: map[Verdict]int{}, n: len(c.Gates)}
	for _, g := range c.Gates {
		t.count[g.Verdict]++
		if g.Verdict == Regression && slices.Contains(g.Regressed, catches) {
			t.caught++
		}
	}
	return t
}

// Check says what the proof does not show: more than one false alarm in twenty, a planted regression that was caught in fewer than nine of ten
// gates, or a pass on a busy machine.
func (p *Proof) Check() error {
	var errs []error
	if p.Finished.IsZero() {
		errs = append(errs, errors.New("the proof is not finished: the same command continues it"))
	}
	for _, want := range Cases {
		i := slices.IndexFunc(p.Cases, func(c ProofCase) bool { return c.Name == want.Name })
		if i < 0 || len(p.Cases[i].Gates) == 0 {
			errs = append(errs, fmt.Errorf("%s: no gate was run", want.Name))
			continue
		}
		t := p.Cases[i].score(want.Catches)
		switch {
		case want.Loaded && t.count[Invalid]+t.count[Inconclusive] < t.n:
			errs = append(errs, fmt.Errorf("%s: %d of %d gates gave a verdict in spite of other work on the machine", want.Name, t.n-t.count[Invalid]-t.count[Inconclusive], t.n))
		case want.Catches != "" && 10*t.caught < 9*t.n:
			errs = append(errs, fmt.Errorf("%s: caught in %d of %d gates, fewer than 9 of 10", want.Name, t.caught, t.n))
		case want.Catches == "" && !want.Loaded && t.count[Regression] > max(1, t.n/20):
			errs = append(errs, fmt.Errorf("%s: %d false alarms in %d gates", want.Name, t.count[Regression], t.n))
		}
	}
	return errors.Join(errs...)
}

// Markers of the generated part of docs/GATE.md.
const (
	proofBegin = "<!-- proof: made by blitzlab gate-proof -->"
	proofEnd   = "<!-- end of proof -->"
)

// Markdown is the generated part of docs/GATE.md. A nil proof says that there is none.
func (p *Proof) Markdown() string {
	if p == nil {
		return "No figures are published yet: `blitzlab gate-proof` makes them.\n"
	}
	cpu := p.Machine.CPUModel
	if p.Machine.CPU.Known() {
		cpu += ": " + p.Machine.CPU.String()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s at revision `%s` on a machine with %d CPUs (%s, Linux %s), profile `%s`, scenario `%s`, by `%s`; every gate is in "+
		"[results/gate-proof.json](../results/gate-proof.json).\n\n", p.Started.Format(time.DateOnly), p.Revision, p.Machine.CPUs, cpu, p.Machine.Kernel, p.Profile, p.Scenario, p.Command)
	b.WriteString("| candidate | gates | pass | regression | caught by its metric | inconclusive | invalid | median effect | median time |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	for _, want := range Cases {
		i := slices.IndexFunc(p.Cases, func(c ProofCase) bool { return c.Name == want.Name })
		if i < 0 {
			continue
		}
		c := p.Cases[i]
		t := c.score(want.Catches)
		var seconds, effects []float64
		for _, g := range c.Gates {
			seconds = append(seconds, g.Seconds)
			if e, ok := g.Effects[want.Catches]; ok {
				effects = append(effects, e)
			}
		}
		caught, effect := "", ""
		if want.Catches != "" {
			caught = fmt.Sprint(t.caught)
			if len(effects) > 0 {
				m := metricByKey(want.Catches)
				effect = fmt.Sprintf("%s %s", want.Catches, m.signed(stat.Median(effects)))
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %d | %d | %s | %.0f s |\n", want.About, t.n, t.count[Pass], t.count[Regression], caught, t.count[Inconclusive], t.count[Invalid],
			effect, stat.Median(seconds))
	}
	return b.String()
}

func metricByKey(key string) Metric {
	for _, m := range profiles["long"].Metrics {
		if m.Key == key {
			return m
		}
	}
	return Metric{}
}

// Insert replaces the generated part of a document.
func (p *Proof) Insert(document string) (string, error) {
	head, rest, ok := strings.Cut(document, proofBegin)
	_, tail, ok2 := strings.Cut(rest, proofEnd)
	if !ok || !ok2 {
		return "", fmt.Errorf("the document has no part between %q and %q", proofBegin, proofEnd)
	}
	return head + proofBegin + "\n\n" + p.Markdown() + "\n" + proofEnd + tail, nil
}

// ReadProof reads a published proof. A missing file is nil and no error.
func ReadProof(name string) (*Proof, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	p := &Proof{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if p.Schema != ProofSchema {
		return nil, fmt.Errorf("%s: schema is %q, this reader knows %q", name, p.Schema, ProofSchema)
	}
	return p, nil
}

// WriteProof writes the file as a whole or not at all.
func WriteProof(name string, p *Proof) error {
	b, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(name+".new", append(b, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
