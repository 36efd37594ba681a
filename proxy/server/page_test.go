package server

import (
	"context"
	_ "embed"
	"fmt"
	"net"
	"net/http"
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

// inspectPage looks at the rendered page and returns a list of what is wrong with it.
//
//go:embed testdata/page.js
var inspectPage string

// pageRoutes have something of everything that the page shows.
const pageRoutes = `
  - {name: slow, match: {path: /slow/*}, cluster: up, timeouts: {total: 10s}}
  - {name: divided, match: {host: "*.example.com", path: "/users/{id}/a-path-that-is-somewhat-longer-than-others/*", methods: [GET, POST]}, split: [{cluster: up, weight: 3}, {cluster: dead, weight: 1}]}
  - {name: broken, match: {path: /broken}, cluster: dead}
  - {name: old, match: {path: /old/*}, redirect: {prefix: /new/}}
  - {name: by-expression, match: {path_regex: "/[0-9]+/.*"}, cluster: up}
  - {name: limited, match: {path: /limited}, respond: {status: 429}}
`

// browser starts chromium, without a way to anything but this machine.
func browser(t *testing.T) context.Context {
	t.Helper()
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
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(filepath.Join(t.TempDir(), "profile")),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("no-proxy-server", true))
	if os.Geteuid() == 0 {
		opts = append(opts, chromedp.NoSandbox) // chromium refuses its sandbox to root
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// The first call starts the browser, which lives as long as its context.
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate("about:blank")))
	return ctx
}

// The page of operators in a real browser, while requests are served: light and dark, wide and as narrow as a telephone.
func TestPageInABrowser(t *testing.T) {
	t.Parallel()
	ctx := browser(t)
	up := slowOrigin(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	dead := ln.Addr().String()
	ln.Close()
	s := withAdmin(setup{endpoints: []string{up, dead + ", weight: 3"}, routes: pageRoutes,
		cluster: "health_check: {protocol: tcp, interval: 100ms, unhealthy: 1}}\n  - {name: dead, endpoints: [{address: " + dead + "}], balance: least_request, health_check: {protocol: tcp, interval: 100ms, unhealthy: 1}"})
	g := gate(t, "uring", s)
	at := g.operator().url + "/"
	c := g.dial()
	eventually(t, "both checks fail", func() bool { return g.metric(`blitz_cluster_endpoints{cluster="dead",state="unhealthy"}`) == 1 })

	// A hundred requests, one in ten of which takes a tenth of a second.
	for i := range 100 {
		path := "/slow/x"
		if i%10 == 0 {
			path = "/slow/wait"
		}
		require.Equal(t, 200, c.ask(get(path)).StatusCode)
	}
	require.Equal(t, 503, c.ask(get("/broken")).StatusCode)
	require.Equal(t, 429, c.ask(get("/limited")).StatusCode)

	_, err = chromedp.Call(ctx, network.Enable, network.EnableParams{})
	require.NoError(t, err)
	var mu sync.Mutex
	var foreign []string
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		if r, ok := ev.(*network.EventRequestWillBeSent); ok && !strings.HasPrefix(r.Request.URL, at) && !strings.HasPrefix(r.Request.URL, "data:") {
			mu.Lock()
			foreign = append(foreign, r.Request.URL)
			mu.Unlock()
		}
	}))
	stop := make(chan struct{})
	var load sync.WaitGroup
	load.Go(func() {
		c := g.dial()
		for {
			select {
			case <-stop:
				return
			default:
				_ = c.SetDeadline(time.Now().Add(patience))
				c.ask(get("/7/x"))
			}
		}
	})
	defer load.Wait()
	var once sync.Once
	end := func() { once.Do(func() { close(stop) }) }
	defer end()

	is := func(js string) bool {
		t.Helper()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("!!("+js+")"))
		require.NoError(t, err, js)
		return ok
	}
	shows := func(js string) { t.Helper(); eventually(t, js, func() bool { return is(js) }) }
	const row = `(name => [...document.querySelectorAll("#routes tr")].find(r => r.cells[0].firstChild.textContent === name).cells)`
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
			})
			require.NoError(t, err)
			require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(at)))
			// Rates are there with the second answer.
			shows(`+document.body.dataset.turns > 1 && document.querySelector("[data-value=Requests]").textContent !== "0 /s"`)
			shows(row + `("by-expression")[1].textContent !== "0"`)
			problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](inspectPage))
			require.NoError(t, err)
			assert.Empty(t, problems, "%s, %d pixels wide", scheme, width)
			if dir := os.Getenv("PAGE_SCREENSHOTS"); dir != "" { // for people who want to look themselves
				shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", scheme, width)), shot, 0o644))
			}
		}
	}
	end()
	load.Wait()

	// Now that nothing moves, it shows what the gateway says, and that is right.
	shows(row + `("slow")[6].textContent === "100"`)
	require.True(t, is(row+`("slow")[4].textContent >= 100`), "a tenth took at least 100 ms, so the 99th percentile is not less")
	require.True(t, is(row+`("slow")[2].textContent < 100`), "the others did not wait")
	require.True(t, is(row+`("broken")[8].textContent === "1"`))
	require.True(t, is(row+`("limited")[7].textContent === "1"`))
	require.True(t, is(row+`("divided")[0].textContent.endsWith("→ up 75 %, dead 25 %")`))
	require.True(t, is(row+`("divided")[0].lastChild.textContent.startsWith("GET POST *.example.com/users/{id}/")`))
	require.True(t, is(row+`("old")[0].textContent.endsWith("→ redirects 302")`))
	require.True(t, is(row+`("by-expression")[0].lastChild.textContent === "~/[0-9]+/.* → up"`))
	require.True(t, is(`document.querySelector("#state").textContent === "ready"`))
	require.True(t, is(`document.querySelector("[aria-label='Cluster dead']").textContent.includes("0 of 1 healthy")`))
	require.True(t, is(`document.querySelector("[aria-label='Cluster up']").textContent.includes("1 of 2 healthy")`))
	require.True(t, is(`[...document.querySelectorAll("[aria-label='Endpoints of up'] tbody tr")].some(r => r.cells[0].lastChild.textContent.startsWith("fails checks: "))`))

	// It can be sorted, filtered and held.
	press := func(js string) {
		t.Helper()
		require.NoError(t, chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](js)))
	}
	press(`document.querySelector("th[data-key=p99_ms] button").click()`)
	require.True(t, is(`document.querySelector("#routes th").firstChild.textContent === "slow" && document.querySelector("[aria-sort=descending]").dataset.key === "p99_ms"`))
	press(`document.querySelector("th[data-key=name] button").click()`)
	require.True(t, is(`document.querySelector("#routes th").firstChild.textContent === "/*" && document.querySelector("[aria-sort=ascending]").dataset.key === "name"`))
	press(`document.querySelector("#filter").value = "users get"; document.querySelector("#filter").dispatchEvent(new Event("input"))`)
	require.True(t, is(`document.querySelectorAll("#routes tr").length === 1 && document.querySelector("#count").textContent === "1 of 9"`))
	press(`document.querySelector("#pause").click()`)
	require.True(t, is(`document.querySelector("#pause").textContent === "Resume" && document.querySelector("#pause").ariaPressed === "true"`))
	press(`document.querySelector("#pause").click()`)

	// The inspection itself must see what it looks for.
	for spoil, want := range map[string]string{
		`document.body.style.color = getComputedStyle(document.body).backgroundColor`:                      "contrast",
		`document.querySelector("main").style.width = "3000px"`:                                            "the page is",
		`document.querySelector("#routes-title").style.cssText = "position: fixed; top: 12px; left: 12px"`: "overlap",
		`document.querySelector(".tile").style.cssText = "overflow: hidden; width: 20px"`:                  "is cut off",
		`document.querySelector("#filter").removeAttribute("aria-label")`:                                  "without a name",
	} {
		require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(at)))
		shows(`+document.body.dataset.turns > 0`)
		problems, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](spoil+";"+inspectPage))
		require.NoError(t, err)
		assert.Contains(t, strings.Join(problems, "\n"), want, spoil)
	}
	mu.Lock()
	assert.Empty(t, foreign, "the page loads nothing from elsewhere")
	mu.Unlock()

	// It says so when the gateway does not answer.
	c.Close()
	require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(at)))
	shows(`+document.body.dataset.turns > 0`)
	g.s.Admin().Close()
	shows(`!document.querySelector("#error").hidden`)
	require.True(t, is(`document.querySelector("#error").textContent.startsWith("No answer from the gateway")`))
}

// slowOrigin answers at once, but for /slow/wait, which takes a tenth of a second.
func slowOrigin(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow/wait" {
			time.Sleep(100 * time.Millisecond)
		}
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(ln) }()
	t.Cleanup(func() { s.Close(); <-done })
	return ln.Addr().String()
}
