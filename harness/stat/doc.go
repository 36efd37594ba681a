// Package stat decides what paired, interleaved samples say; beside that it finds change points in a series and fits the Universal Scalability Law.
//
// It may import the standard library, golang.org/x/perf/benchmath and gonum's distributions only; it knows nothing of targets or files. What flows
// through: slices of numbers in the order of their pairs go in, estimates with intervals come out.
//
// Why these methods. A server's samples on one machine drift together (frequency, neighbours, page cache), so each pair is taken
// close in time and only the ratio inside a pair counts. Ratios are compared as logarithms, where 'twice as fast' and 'half as
// fast' lie at equal distance from no difference. The estimate is Hodges and Lehmann's (the median of all pairwise means), which one
// wild sample cannot move far, and its interval comes from inverting Wilcoxon's signed-rank test with its exact distribution: no
// normality assumed, valid from six pairs on (Hollander, Wolfe, Chicken: Nonparametric Statistical Methods, 3rd ed., sections 3.1–3.3).
package stat
