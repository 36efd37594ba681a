package archtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Graph is package → direct imports. Our own packages are written ./folder.
type Graph map[string][]string

// within tells whether path is pkg or below it.
func within(path, pkg string) bool {
	if pkg == ours {
		return strings.HasPrefix(path, ours)
	}
	return path == pkg || strings.HasPrefix(path, pkg+"/")
}

func withinAny(path string, pkgs []string) bool {
	return slices.ContainsFunc(pkgs, func(p string) bool { return within(path, p) })
}

// Check applies the whole map to a graph and returns the violations as sentences, sorted.
func Check(g Graph) []string {
	var bad []string
	report := func(from, to, why string) { bad = append(bad, fmt.Sprintf("%s must not import %s: %s", from, to, why)) }
	for from, imports := range g {
		folder, _, _ := strings.Cut(strings.TrimPrefix(from, ours), "/")
		if !slices.Contains(Folders, folder) {
			bad = append(bad, fmt.Sprintf("%s is in no folder of the package map: %s", from, strings.Join(Folders, ", ")))
		}
		for _, to := range imports {
			for _, r := range Rules {
				if within(from, ours+r.Package) && !withinAny(from, r.Spared) && withinAny(to, r.MayNot) && !withinAny(to, r.Except) && !within(to, from) {
					report(from, to, r.Why)
				}
			}
			for _, i := range Importers {
				if within(to, i.Package) && !within(from, i.Package) && !withinAny(from, i.Only) {
					report(from, to, i.Why)
				}
			}
			for _, s := range Siblings {
				if a, b := member(from, s.Folder), member(to, s.Folder); a != "" && b != "" && a != b {
					report(from, to, s.Why)
				}
			}
			if to != from && within(to, ours) && reaches(g, to, from) {
				report(from, to, "that is a circle")
			}
		}
	}
	for _, to := range slices.Sorted(maps.Keys(closure(g, StartUp.Command))) {
		if withinAny(to, StartUp.MayNot) {
			report(StartUp.Command, to, StartUp.Why)
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}

// member is the name of the sibling that path belongs to, "" if none.
func member(path, folder string) string {
	rest, ok := strings.CutPrefix(path, folder+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// closure is everything that from imports, directly or not.
func closure(g Graph, from string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(p string) {
		for _, to := range g[p] {
			if !seen[to] {
				seen[to] = true
				visit(to)
			}
		}
	}
	visit(from)
	return seen
}

func reaches(g Graph, from, to string) bool { return closure(g, from)[to] }
