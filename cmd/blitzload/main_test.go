package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/hdr"
	"github.com/blitz-gateway/blitz/internal/programs"
	"github.com/blitz-gateway/blitz/internal/runfmt"
)

func TestRate(t *testing.T) {
	for in, want := range map[string]rate{"1000": 1000, "0.5": 0.5, "90/m": 1.5, "5/s": 5, "36/h": 0.01, "1e4": 10_000} {
		var r rate
		require.NoError(t, r.UnmarshalText([]byte(in)), in)
		require.InEpsilon(t, float64(want), float64(r), 1e-9, in)
	}
	for _, in := range []string{"", "x", "0", "-1", "5/", "5/day", "/s", "NaN"} {
		var r rate
		require.Error(t, r.UnmarshalText([]byte(in)), in)
	}
}

func TestResolve(t *testing.T) {
	for in, want := range map[string]string{"127.0.0.1:80": "127.0.0.1:80", ":0": "[::]:0", "[::1]:9": "[::1]:9"} {
		a, err := resolve(in)
		require.NoError(t, err)
		require.Equal(t, want, a.String())
	}
	for _, in := range []string{"localhost", "1.2.3.4:http-ish", ""} {
		_, err := resolve(in)
		require.Error(t, err, in)
	}
}

// Every contradiction is found before anything is sent.
func TestWrongUsage(t *testing.T) {
	const url = "http://127.0.0.1:1/"
	for name, args := range map[string]string{
		"no rate":          "run -c 1 -d 1s " + url,
		"two paces":        "run -c 1 -d 1s --rate 5 --closed-loop " + url,
		"no URL":           "run -c 1 -d 1s --rate 5",
		"no duration":      "run -c 1 --rate 5 " + url,
		"no connections":   "run -d 1s --rate 5 " + url,
		"h3":               "run -c 1 -d 1s --rate 5 --protocol h3 " + url,
		"versions crossed": "run -c 1 -d 1s --rate 5 --tls-min 1.3 --tls-max 1.2 https://127.0.0.1:1/",
		"no such curve":    "run -c 1 -d 1s --rate 5 --curves x https://127.0.0.1:1/",
		"no such suite":    "run -c 1 -d 1s --rate 5 --ciphers RC4 https://127.0.0.1:1/",
		"h2 without ALPN":  "run -c 1 -d 1s --rate 5 --protocol h2 --alpn http/1.1 https://127.0.0.1:1/",
		"TLS for http":     "run -c 1 -d 1s --rate 5 --handshakes " + url,
		"bad header":       "run -c 1 -d 1s --rate 5 -H nocolon " + url,
		"two bodies":       "run -c 1 -d 1s --rate 5 --body main.go --body-size 5 " + url,
		"no such body":     "run -c 1 -d 1s --rate 5 --body no/such/file " + url,
		"bad CPUs":         "run -c 1 -d 1s --rate 5 --cpus x " + url,
		"bad engine":       "run -c 1 -d 1s --rate 5 --engine steam " + url,
		"unknown flag":     "run --quickly",
		"unknown command":  "walk",
		"origin, no port":  "origin --address localhost",
		"origin, bad CPUs": "origin --address 127.0.0.1:0 --cpus 3-1",
	} {
		require.Equal(t, exitUsage, command(strings.Fields(args)), name)
	}
	require.Equal(t, exitError, command(strings.Fields("run -q -c 1 -d 1s --rate 5 "+url)), "nobody listens")
	require.Equal(t, exitError, command(strings.Fields("origin --address 192.0.2.1:80")), "not our address")
}

// Exit statuses and files of whole runs.
func TestRunCommand(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bad" || r.Header.Get("X-Key") != "v: w" {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	common := []string{"run", "-q", "-c", "2", "--duration", "200ms", "--closed-loop", "-H", "X-Key: v: w"}
	require.Zero(t, command(append(common, "--json", file("a.json"), "--hlog", file("a.hlog"), "--hgrm", file("a.hgrm"), srv.URL+"/good")))
	r, err := runfmt.ReadFile(file("a.json"))
	require.NoError(t, err)
	require.Equal(t, srv.URL+"/good", r.Params.URL)
	require.True(t, r.Validity.Valid)
	f, err := os.Open(file("a.hlog"))
	require.NoError(t, err)
	defer f.Close()
	ivs, err := hdr.ReadLog(f)
	require.NoError(t, err)
	require.Len(t, ivs, 2)
	require.Equal(t, r.Counts.Completed, ivs[0].Count())
	for _, name := range []string{"a.hgrm", "a.service.hgrm"} {
		b, err := os.ReadFile(file(name))
		require.NoError(t, err)
		require.Contains(t, string(b), "1/(1-Percentile)")
	}

	// An invalid run exits with 3 and still leaves its record.
	require.Equal(t, exitInvalid, command(append(common, "--json", file("b.json"), srv.URL+"/bad")))
	r, err = runfmt.ReadFile(file("b.json"))
	require.NoError(t, err)
	require.False(t, r.Validity.Valid)
	require.Equal(t, r.Counts.Completed, r.Counts.ByCode["418"])

	require.Zero(t, command(append(common, "--expect-status", "418", srv.URL+"/bad")))

	targets := file("targets")
	require.NoError(t, os.WriteFile(targets, []byte("POST "+srv.URL+"/good\n"), 0o600))
	require.Zero(t, command(append(common, "--targets", targets, "--body-size", "10", "--expect-body-size", "0")))
}

// The program itself: the origin prints its address and ends on SIGTERM, a run ends on SIGINT with 130 and a record.
func TestProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the engines need Linux")
	}
	dir := t.TempDir()
	bin := filepath.Join(dir, "blitzload")
	require.NoError(t, programs.Build(dir, "blitzload"))

	origin := exec.Command(bin, "origin", "--address", "127.0.0.1:0", "--body-size", "10")
	stdout, err := origin.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, origin.Start())
	t.Cleanup(func() { _ = origin.Process.Kill() })
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	url := "http://" + strings.TrimSpace(addr) + "/"

	record := filepath.Join(dir, "r.json")
	out, err := exec.Command(bin, "run", "-c", "2", "--closed-loop", "-d", "200ms", "--expect-body-size", "10", "--json", record, url).Output()
	require.NoError(t, err)
	require.Contains(t, string(out), "µs CPU per request")
	require.True(t, strings.HasSuffix(string(out), "\nvalid\n"), string(out))
	r, err := runfmt.ReadFile(record)
	require.NoError(t, err)
	require.Equal(t, "run", r.Command[1])

	// Interrupted once its interval log shows that it is measuring.
	log := filepath.Join(dir, "r.hlog")
	run := exec.Command(bin, "run", "-c", "1", "--rate", "100", "-d", "1h", "--json", record, "--hlog", log, url)
	var errs bytes.Buffer
	run.Stderr = &errs
	require.NoError(t, run.Start())
	t.Cleanup(func() { _ = run.Process.Kill() })
	require.Eventually(t, func() bool {
		b, _ := os.ReadFile(log)
		return bytes.Contains(b, []byte("Tag=service"))
	}, waitLimit, pollEvery)
	require.NoError(t, run.Process.Signal(os.Interrupt))
	var exit *exec.ExitError
	require.ErrorAs(t, run.Wait(), &exit)
	require.Equal(t, exitInterrupted, exit.ExitCode())
	require.Empty(t, errs.String(), "no progress where there is no terminal")
	r, err = runfmt.ReadFile(record)
	require.NoError(t, err)
	require.True(t, r.Interrupted)
	require.GreaterOrEqual(t, r.MeasuredSeconds, 1.0)

	require.NoError(t, origin.Process.Signal(syscall.SIGTERM))
	require.NoError(t, origin.Wait())
}

// How long TestProgram waits for the first interval, and how often it looks.
const (
	waitLimit = 60 * time.Second
	pollEvery = 50 * time.Millisecond
)
