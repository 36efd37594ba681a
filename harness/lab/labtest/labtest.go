// Package labtest gives tests of the laboratory executables that stand in for blitz and blitzload.
//
// It may import the standard library only. A TestMain calls Run, which compiles the stand-in once (without -race, so that starting it is cheap), and a
// test calls Programs for a directory with executables named blitz and blitzload.
package labtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var program string

// Run compiles the stand-in, runs the tests and returns their exit code.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "labtest-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "standin")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, "github.com/blitz-gateway/blitz/harness/lab/labtest/standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // with the flags of all programs, the standard library is in the build cache
	out, err := cmd.CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the stand-in: %v: %s\n", err, out)
		return 1
	}
	return m.Run()
}

// Programs writes the executables into a directory of the test. env is added to blitz's environment: BURN=20us makes each request cost so much CPU
// time, ALLOCS=2 has it count two allocations for each, BODY=x answers x.
func Programs(t testing.TB, env ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"blitz", "blitzload"} {
		script := fmt.Sprintf("#!/bin/sh\nBLITZLAB_TEST_ROLE=%s %s exec '%s' \"$@\"\n", name, strings.Join(env, " "), program)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
