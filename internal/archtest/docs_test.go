package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/blitz-gateway/blitz/internal/programs"
)

func TestLinksLeadSomewhere(t *testing.T) {
	docs := sources(t).Documents()
	require.Contains(t, docs, "README.md")
	for file, text := range docs {
		assert.Empty(t, Links(file, text, docs, func(p string) bool {
			_, err := os.Stat(filepath.Join(root, p))
			return err == nil
		}))
	}
}

// What documents tell people to type exists: make targets, our programs' commands and flags.
func TestCommandsExist(t *testing.T) {
	s := sources(t)
	targets := MakeTargets(string(s["Makefile"]))
	require.Contains(t, targets, "test")
	programs := t.TempDir()
	help := map[string]string{} // "program subcommand" → its help
	seen := 0
	for file, text := range s.Documents() {
		for _, command := range Commands(text) {
			if fields := strings.Fields(command); fields[0] == "make" {
				for _, f := range fields[1:] {
					if !strings.Contains(f, "=") {
						assert.Contains(t, targets, f, "%s: %s", file, command)
					}
				}
				seen++
				continue
			}
			for _, u := range OurUses(command) {
				seen++
				key := u.Program + " " + u.Subcommand
				if _, ok := help[key]; !ok {
					h, err := helpOf(t, programs, u.Program, u.Subcommand)
					require.NoError(t, err, "%s: %s\n%s", file, command, h)
					help[key] = h
				}
				for _, f := range u.Flags {
					assert.Regexp(t, regexp.MustCompile(`(^|[\s,])`+f+`\b`), help[key], "%s: %s", file, command)
				}
			}
		}
	}
	assert.NotZero(t, seen, "no document shows a command")
}

// helpOf builds a program once and asks it.
func helpOf(t *testing.T, dir, program, subcommand string) (string, error) {
	t.Helper()
	bin := filepath.Join(dir, program)
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	if _, err := os.Stat(bin); err != nil {
		if err := programs.Build(dir, program); err != nil {
			return "", err
		}
	}
	args := []string{"--help"}
	if subcommand != "" {
		args = []string{subcommand, "--help"}
	}
	out, err := exec.Command(bin, args...).CombinedOutput()
	return string(out), err
}

func TestDocumentsAreReadRight(t *testing.T) {
	const doc = "# A b, c!\n\n[x](#a-b-c) [y](other.md#no) [z](gone.md) [w](https://example.org/)\n\n```sh\n# comment\nmake test PROFILE=full  # why\n" +
		"GOGC=off bin/blitz serve \\\n  --config x.yaml | tee -a log && ./blitzload run --rate=5 -c http://h/\n```\n\n```yaml\n[q](nowhere.md)\nmake nothing\n```\n"
	assert.Equal(t, []string{"make test PROFILE=full", "GOGC=off bin/blitz serve    --config x.yaml | tee -a log && ./blitzload run --rate=5 -c http://h/"}, Commands(doc))
	assert.Equal(t, []Use{{"blitz", "serve", []string{"--config"}}, {"blitzload", "run", []string{"--rate", "-c"}}}, OurUses(Commands(doc)[1]))
	assert.Empty(t, OurUses("curl http://blitz/ -v"))

	docs := map[string]string{"d/this.md": doc, "d/other.md": "# Yes"}
	bad := Links("d/this.md", doc, docs, func(p string) bool { return docs[p] != "" })
	require.Len(t, bad, 2)
	assert.Contains(t, bad[0], "other.md#no, but there is no such heading")
	assert.Contains(t, bad[1], "gone.md, which does not exist")

	targets := MakeTargets("help: ## print this\nbuild: a b ## build it\nhidden: x\n\trule: ## no\nVAR := x ## no\n")
	slices.Sort(targets)
	assert.Equal(t, []string{"build", "help"}, targets)
}
