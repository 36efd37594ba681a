package report_test

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/harness/history"
	"github.com/blitz-gateway/blitz/harness/report"
	"github.com/blitz-gateway/blitz/harness/result"
	"github.com/blitz-gateway/blitz/harness/stat"
)

// inspect looks at the rendered page and returns a list of what is wrong with it.
//
//go:embed testdata/inspect.js
var inspect string

// first tells where the overview ends in the window, and how many of its rows can be seen without scrolling.
const first = `(() => {
  const rows = [...document.querySelectorAll("table.overview tbody tr")];
  return [rows.length, rows.filter((r) => r.getBoundingClientRect().bottom <= innerHeight).length];
})()`

// pages are the one of an imaginary history and the one of the committed results.
func pages(t *testing.T) map[string][]byte {
	toy, err := report.HTML(report.Fixture(t), report.Trends)
	require.NoError(t, err)
	all, err := report.Committed()
	require.NoError(t, err)
	var rs []*result.Result
	for _, s := range all {
		rs = append(rs, s.Result)
	}
	series := history.All(rs)
	require.NoError(t, history.Detect(series, stat.EDivisive{Alpha: 0.05, Seed: 1}))
	committed, err := report.HTML(all, history.Trends(series))
	require.NoError(t, err)
	return map[string][]byte{"toy": toy, "committed": committed}
}

// The pages in a real browser, light and dark, wide and narrow: nothing loads from elsewhere, nothing overlaps, is cut off or unreadable, and what matters most is
// seen without scrolling.
func TestPageInABrowser(t *testing.T) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "headless-shell"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no chromium in PATH (apt-get install chromium; `make test` does): the page was not looked at")
	}
	dir := t.TempDir()
	for name, page := range pages(t) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".html"), page, 0o644))
	}

	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Minute)
	defer cancel()
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()

	// The first call starts the browser, which lives as long as its context.
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	_, err := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	var mu sync.Mutex
	var foreign []string
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		if r, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(r.Request.URL, "file:") && !strings.HasPrefix(r.Request.URL, "data:") {
			mu.Lock()
			foreign = append(foreign, r.Request.URL)
			mu.Unlock()
		}
	}))
	at := func(name string) string {
		return (&url.URL{Scheme: "file", Path: filepath.Join(dir, name+".html")}).String()
	}
	for _, name := range []string{"toy", "committed"} {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{1280, 390} {
				_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
					Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
				})
				require.NoError(t, err)
				require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(at(name))))
				seen, err := chromedp.Run(ctx, chromedp.Evaluate[[]int](first))
				require.NoError(t, err)
				require.Len(t, seen, 2)
				assert.GreaterOrEqual(t, seen[1], min(seen[0], map[int64]int{1280: 10, 390: 4}[width]), "%s, %s, %d pixels wide: rows of the overview in the first screen", name, scheme, width)
				problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](inspect))
				require.NoError(t, err)
				assert.Empty(t, problems, "%s, %s, %d pixels wide", name, scheme, width)
				if shots := os.Getenv("REPORT_SCREENSHOTS"); shots != "" { // for people who want to look themselves
					shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
					require.NoError(t, err)
					require.NoError(t, os.WriteFile(filepath.Join(shots, fmt.Sprintf("%s-%s-%d.png", name, scheme, width)), shot, 0o644))
				}
			}
		}
	}
	// The inspection itself must see what it looks for.
	for spoil, want := range map[string]string{
		`document.querySelector("svg.plot text").setAttribute("x", "1000")`:                  "is cut off",
		`document.body.style.color = getComputedStyle(document.body).backgroundColor`:        "contrast",
		`document.querySelectorAll("svg.plot text").forEach(t => t.setAttribute("x", "99"))`: "overlap",
		`document.querySelector("h1").style.width = "3000px"`:                                "the page is",
		`document.querySelector("h2").style.marginTop = "-40px"`:                             "lies on what comes before it",
		`document.querySelector("td.better, td.worse").style.background = "#777"`:            "contrast",
		`document.querySelector("summary").style.cssText = "width:40px;white-space:nowrap"`:  "wider than its box",
	} {
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(at("toy")), chromedp.Evaluate[chromedp.Void](spoil)))
		problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](inspect))
		require.NoError(t, err)
		assert.Contains(t, strings.Join(problems, "\n"), want, spoil)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, foreign, "the page loads nothing from elsewhere")
}
