package lab

import "math/rand/v2"

// Schedule returns for each round the order in which n targets are measured. Rounds come in blocks of two: a random order and its reverse
// (A B B A), so that within a block every target stands at the same mean time and a steady drift cancels out.
func Schedule(n, rounds int, rng *rand.Rand) [][]int {
	out := make([][]int, 0, rounds)
	for len(out) < rounds {
		there := rng.Perm(n)
		back := make([]int, n)
		for i, t := range there {
			back[n-1-i] = t
		}
		out = append(out, there, back)
	}
	return out[:rounds]
}
