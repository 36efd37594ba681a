// Package forecast says on paper what machines would do that nobody has measured: from results of one machine, the Universal Scalability Law, and assumptions that
// machines/*.yaml states for each machine.
//
// It may import harness/{machine,report,result,stat}. What flows through: stored results and machine descriptions go in, a Forecast comes out, as JSON or as the
// Markdown of docs/FORECAST.md. Nothing of it is ever written among results, and everything is a pure function of its input.
//
// How a figure is made. The CPU time of a request at saturation gives what one core does when it is full. A machine's core does CoreSpeed times as much, and its network
// costs NetworkCost times as much CPU time. So many workers have the capacity that the law says. Uncertainty comes from two sides and is kept whole: measured
// figures are bootstrapped over their rounds, and assumptions are ranges; the lower end of a forecast is the lower bound of the first with the unfavourable ends of the
// second, the upper end the reverse. There is no middle figure: of a range that is assumed, no value is more likely than another.
package forecast
