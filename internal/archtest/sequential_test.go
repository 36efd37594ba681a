package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// concurrency returns where a source file starts a goroutine or waits for one.
func concurrency(t *testing.T, name string, src any) (found []string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, name, src, 0)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		what := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "go"
		case *ast.SelectStmt:
			what = "select"
		case *ast.ChanType:
			what = "chan"
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && (s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc") {
				what = s.Sel.Name + "()"
			}
		}
		if what != "" {
			found = append(found, fset.Position(n.Pos()).String()+": "+what)
		}
		return true
	})
	return found
}

// What `make test` runs without the race detector has nothing that it could find.
func TestSequentialPackagesStartNoGoroutines(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	require.NoError(t, err)
	line := regexp.MustCompile(`(?m)^SEQUENTIAL +:= (.+)$`).FindSubmatch(makefile)
	require.NotNil(t, line)
	for _, pkg := range strings.Fields(string(line[1])) {
		files, err := filepath.Glob(filepath.Join(root, pkg, "*.go"))
		require.NoError(t, err)
		require.NotEmpty(t, files, pkg)
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				assert.Empty(t, concurrency(t, file, nil), "take %s out of SEQUENTIAL in the Makefile", pkg)
			}
		}
	}
	for _, line := range []string{"go f()", "wg.Go(f)", "time.AfterFunc(1, f)", "make(chan int)", "select {}"} {
		assert.NotEmpty(t, concurrency(t, "x.go", "package x\nfunc g() { "+line+" }"), line)
	}
	assert.Empty(t, concurrency(t, "x.go", "package x\nfunc g() { f(); mu.Lock() }"))
}
