// Package cpuset reads lists of CPUs as taskset writes them and pins loop threads to them. It imports nothing of ours.
package cpuset

import (
	"fmt"
	"strconv"
	"strings"
)

// maxCPU bounds the numbers: the kernel's own limit (CONFIG_NR_CPUS) is 8192.
const maxCPU = 8191

// Parse reads "0-3,6" as 0, 1, 2, 3, 6. An empty list is nil.
func Parse(list string) ([]int, error) {
	if list == "" {
		return nil, nil
	}
	var cpus []int
	for _, part := range strings.Split(list, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.Atoi(lo)
		b, err2 := strconv.Atoi(hi)
		if err1 != nil || err2 != nil || a < 0 || b < a || b > maxCPU {
			return nil, fmt.Errorf("CPU list %q: expected numbers and ranges such as 0-3,6", list)
		}
		for c := a; c <= b; c++ {
			cpus = append(cpus, c)
		}
	}
	return cpus, nil
}
