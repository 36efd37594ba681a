package report

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
)

// inspect looks at the rendered page and returns a list of what is wrong with it.
//
//go:embed testdata/inspect.js
var inspect string

// The page in a real browser, light and dark, wide and narrow: nothing loads from elsewhere, nothing overlaps, is cut off or unreadable.
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
	page, err := HTML(fixture(t), trends)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "report.html")
	require.NoError(t, os.WriteFile(file, page, 0o644))

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
	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
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
	at := (&url.URL{Scheme: "file", Path: file}).String()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			require.NoError(t, err)
			require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(at)))
			problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](inspect))
			require.NoError(t, err)
			assert.Empty(t, problems, "%s, %d pixels wide", scheme, width)
			if dir := os.Getenv("REPORT_SCREENSHOTS"); dir != "" { // for people who want to look themselves
				shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", scheme, width)), shot, 0o644))
			}
		}
	}
	// The inspection itself must see what it looks for.
	for spoil, want := range map[string]string{
		`document.querySelector("svg.plot text").setAttribute("x", "1000")`:                  "is cut off",
		`document.body.style.color = getComputedStyle(document.body).backgroundColor`:        "contrast",
		`document.querySelectorAll("svg.plot text").forEach(t => t.setAttribute("x", "99"))`: "overlap",
		`document.querySelector("h1").style.width = "3000px"`:                                "the page is",
	} {
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(at), chromedp.Evaluate[chromedp.Void](spoil)))
		problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](inspect))
		require.NoError(t, err)
		assert.Contains(t, strings.Join(problems, "\n"), want, spoil)
	}
	mu.Lock()
	defer mu.Unlock()
	assert.Empty(t, foreign, "the page loads nothing from elsewhere")
}
