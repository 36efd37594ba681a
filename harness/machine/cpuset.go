package machine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// CPUSet is a set of CPU numbers, in order. In YAML and JSON it is written as the kernel writes lists: "0-3,8".
type CPUSet []int

// maxCPU bounds what a list may name, so that "0-4000000000" is an error and not a large slice.
const maxCPU = 8192

// ParseCPUSet reads a list such as "0-3,8".
func ParseCPUSet(s string) (CPUSet, error) {
	var out CPUSet
	for part := range strings.SplitSeq(strings.TrimSpace(s), ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		a, err := strconv.Atoi(from)
		b := a
		if err == nil && isRange {
			b, err = strconv.Atoi(to)
		}
		if err != nil || a < 0 || b < a || b >= maxCPU {
			return nil, fmt.Errorf("%q is not a CPU list like 0-3,8", s)
		}
		for c := a; c <= b; c++ {
			out = append(out, c)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// String writes the set as the kernel does.
func (s CPUSet) String() string {
	var b strings.Builder
	for i := 0; i < len(s); {
		j := i
		for j+1 < len(s) && s[j+1] == s[j]+1 {
			j++
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(s[i]))
		if j > i {
			b.WriteByte('-')
			b.WriteString(strconv.Itoa(s[j]))
		}
		i = j + 1
	}
	return b.String()
}

// MarshalText and UnmarshalText make a CPUSet a string in JSON and YAML.
func (s CPUSet) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what MarshalText wrote; the empty text is the empty set.
func (s *CPUSet) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*s = nil
		return nil
	}
	v, err := ParseCPUSet(string(b))
	*s = v
	return err
}

// Overlaps tells whether the sets share a CPU.
func (s CPUSet) Overlaps(o CPUSet) bool {
	return slices.ContainsFunc(s, func(c int) bool { return slices.Contains(o, c) })
}

// Mask writes the set as the kernel writes masks: hexadecimal, in groups of 32 bits, the highest first.
func (s CPUSet) Mask() string {
	if len(s) == 0 {
		return "0"
	}
	words := make([]uint32, s[len(s)-1]/32+1)
	for _, c := range s {
		words[c/32] |= 1 << (c % 32)
	}
	var b strings.Builder
	for i := len(words) - 1; i >= 0; i-- {
		if b.Len() > 0 {
			fmt.Fprintf(&b, ",%08x", words[i])
			continue
		}
		fmt.Fprintf(&b, "%x", words[i])
	}
	return b.String()
}
