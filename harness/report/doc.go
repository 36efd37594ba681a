// Package report turns results into what people read: the table at the end of a bench, COMPARISON.md, and one self-contained HTML page
// with plots.
//
// It may import harness/{result,stat,target} and internal/hdr, and gonum/plot for the SVG. What flows through: stored results go in, Tables come
// out (built once, rendered for terminal, Markdown and HTML), and everything is a pure function of the results: the same results make the
// same bytes, which is what the staleness test of COMPARISON.md rests on.
package report
