package target

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

const (
	// MarkerPath is answered with Plan.Marker: it tells which configuration answers.
	MarkerPath = "/marker"
	// WebSocketPath goes to Plan.WebSocketPort.
	WebSocketPath = "/ws"
)

// Reloader is a target that takes up a changed configuration while it runs. RenderReloadable fills in a configuration that answers MarkerPath with Plan.Marker
// and the paths /r/0, /r/1 … (Plan.Routes of them) with their number, passes WebSockets of WebSocketPath on to Plan.WebSocketPort and forwards the rest to
// Plan.OriginPort. Reload tells the running program that its files have changed; it returns when the program was told, which need not be when it has taken them up.
type Reloader interface {
	Target
	RenderReloadable(Plan) (Launch, error)
	Reload(ctx context.Context, run *Running) error
}

// Awaiter is a Reloader that must not be told while it is busy with the last reload. Ready waits until it can be.
type Awaiter interface {
	Ready(ctx context.Context, run *Running) error
}

// Reloadable is the target with its other configuration.
func Reloadable(r Reloader) Target { return reloadable{r} }

type reloadable struct{ Reloader }

func (r reloadable) Render(p Plan) (Launch, error) { return r.RenderReloadable(p) }

// MarkerPath is for the templates.
func (p Plan) MarkerPath() string { return MarkerPath }

// WebSocketPath is for the templates.
func (p Plan) WebSocketPath() string { return WebSocketPath }

// WebSocketOrigin is where WebSockets go, for the templates.
func (p Plan) WebSocketOrigin() string {
	return net.JoinHostPort(p.OriginHost, fmt.Sprint(p.WebSocketPort))
}

// RouteNumbers are for the templates: 0 to Routes-1.
func (p Plan) RouteNumbers() []int {
	out := make([]int, p.Routes)
	for i := range out {
		out[i] = i
	}
	return out
}

// Rewriter replaces the marker in the files of a running target. They are rendered once: with many routes that takes longer than a reload may.
type Rewriter struct {
	dir   string
	files []File
}

// stencil stands for the marker in what a Rewriter keeps.
const stencil = "marker-to-be-replaced"

// NewRewriter renders the configuration of a running target.
func NewRewriter(run *Running) (*Rewriter, error) {
	p := run.Plan
	p.Marker = stencil
	l, err := run.Target.Render(p)
	if err != nil {
		return nil, err
	}
	w := &Rewriter{dir: p.Dir}
	for _, f := range l.Files {
		if strings.Contains(f.Text, stencil) {
			w.files = append(w.files, f)
		}
	}
	if len(w.files) == 0 {
		return nil, errors.New("no file has the marker")
	}
	return w, nil
}

// Write puts files with the marker in place, each at once.
func (w *Rewriter) Write(marker string) error {
	for _, f := range w.files {
		name := filepath.Join(w.dir, f.Name)
		if err := os.WriteFile(name+".new", []byte(strings.ReplaceAll(f.Text, stencil, marker)), 0o644); err != nil {
			return err
		}
		if err := os.Rename(name+".new", name); err != nil {
			return err
		}
	}
	return nil
}

// Posted sends a configuration file to an admin listener, for targets that are told so.
func Posted(ctx context.Context, run *Running, name, contentType, path string) error {
	b, err := os.ReadFile(filepath.Join(run.Plan.Dir, name))
	if err != nil {
		return err
	}
	url := "http://" + net.JoinHostPort(run.Plan.Host, fmt.Sprint(run.Plan.AdminPort)) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", contentType)
	// The admin listener may be a new one after each configuration: a kept connection would belong to the old one.
	req.Close = true
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1000))
		return fmt.Errorf("%s: %s: %s", url, res.Status, text)
	}
	return nil
}
