package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	File string
	// Line and Column count from 1; 0 when the problem belongs to no place in the file.
	Line, Column int
	// What is wrong, and what was expected instead.
	What, Want string

	file uint16 // its number: the order of files

	looked *Files // of the first problem; see FilesOf
}

// Error is "file:line:column: what is wrong; what was expected".
func (p Problem) Error() string {
	s := p.File
	if p.Line > 0 {
		s = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	s += ": " + p.What
	if p.Want != "" {
		s += "; " + p.Want
	}
	return s
}

// Errors are all problems of a configuration in the order of the file. Never empty.
type Errors []Problem

// Error has one line for each problem.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, p := range e {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted puts problems in the order of the file and drops repetitions, which aliases cause.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.file, b.file), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(e)
}

// didYouMean returns the known word that word was probably meant to be ("" when none is near) and the expectation to show:
// that word, otherwise all of them, or nothing when they are many.
func didYouMean(word string, known []string) (nearest, want string) {
	distance := min(len(word)/3+2, len(word))
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), k); d < distance {
			nearest, distance = k, d
		}
	}
	if nearest != "" {
		return nearest, fmt.Sprintf("did you mean %q?", nearest)
	}
	return "", oneOf(known)
}

// oneOf lists what is accepted, unless it is too much to read.
func oneOf(words []string) string {
	switch n := len(words); {
	case n == 0 || n > 20:
		return ""
	case n == 1:
		return fmt.Sprintf("expected %q", words[0])
	}
	return "expected one of " + strings.Join(words, ", ")
}

// editDistance is the Levenshtein distance with neighbouring letters swapped counted as one edit (optimal string
// alignment): "prot" for "port" is the typical slip.
func editDistance(a, b string) int {
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			replace := prev[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}
